//! Which rules can apply to a request, found without looking at the others.
//!
//! The rules of one action on one type of resource stand together; among them, those for a role stand with that
//! role; and among these, those that demand that an attribute is a constant stand with that constant. So the cost
//! of a decision depends on the roles of the subject, on how many attributes the rules compare with constants, and
//! on the rules that compare with none: not on how many rules there are.

use core::hash::{BuildHasher, BuildHasherDefault};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ahash::AHasher;
use hashbrown::HashTable;

use super::rules::CompiledRule;
use crate::bits::RoleBits;
use crate::node::{Attribute, Comparison, Facts, Node, Term};
use crate::value::{Datum, OwnedDatum};

/// The rules of one effect for one action on one type of resource.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Those for which roles do not matter.
    any_role: Vec<Group>,
    roles: RoleBits,
    /// Those of each role, in the order of the roles.
    by_role: Vec<(u16, Vec<Group>)>,
}

/// Rules that compare the same attribute with constants, or none.
#[derive(Debug)]
struct Group {
    attribute: Option<Attribute>,
    all: Vec<u32>,
    by_value: HashTable<(OwnedDatum, Vec<u32>)>,
}

/// How an attribute that is unknown is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknowns {
    /// A comparison with it is not true: no rule that demands one can apply.
    ApplyToNone,
    /// A comparison with it is not false: each rule that demands one may apply.
    MayApplyToAll,
}

/// A fast hasher with a fixed key. The keys of what is looked up in are the policy's own names and constants, so
/// nobody else can choose them to collide.
pub(crate) type PolicyHasher = BuildHasherDefault<AHasher>;

fn hasher() -> PolicyHasher {
    PolicyHasher::default()
}

impl Index {
    pub(super) fn new<'a>(rules: impl Iterator<Item = (u32, &'a CompiledRule)>) -> Self {
        let rules: Vec<_> = rules.collect();
        // The more values an attribute is compared with, the fewer rules stand with each.
        let mut values: HashMap<Attribute, BTreeSet<&OwnedDatum>, PolicyHasher> =
            HashMap::default();
        for (_, rule) in &rules {
            for (attribute, constants) in demands(&rule.when) {
                values.entry(attribute).or_default().extend(constants);
            }
        }
        let chosen = |rule: &CompiledRule| {
            demands(&rule.when)
                .into_iter()
                .map(|(attribute, _)| attribute)
                .max_by_key(|attribute| {
                    let number = values.get(attribute).map_or(0, BTreeSet::len);
                    (number, core::cmp::Reverse(*attribute))
                })
        };
        let mut groups: BTreeMap<(Option<u16>, Option<Attribute>), Group> = BTreeMap::new();
        for (number, rule) in &rules {
            let attribute = chosen(rule);
            let constants = attribute.and_then(|attribute| {
                demands(&rule.when)
                    .into_iter()
                    .find(|(other, _)| *other == attribute)
                    .map(|(_, constants)| constants)
            });
            let roles: Vec<Option<u16>> = if rule.roles.is_empty() {
                vec![None]
            } else {
                rule.roles.iter().map(Some).collect()
            };
            for role in roles {
                groups
                    .entry((role, attribute))
                    .or_insert_with(|| Group {
                        attribute,
                        all: Vec::new(),
                        by_value: HashTable::new(),
                    })
                    .insert(*number, constants.as_deref().unwrap_or_default());
            }
        }
        let mut index = Self::default();
        for ((role, _), group) in groups {
            let Some(role) = role else {
                index.any_role.push(group);
                continue;
            };
            index.roles.insert(role);
            match index.by_role.last_mut() {
                Some((last, groups)) if *last == role => groups.push(group),
                Some(_) | None => index.by_role.push((role, vec![group])),
            }
        }
        index
    }

    /// Calls `visit` for each rule that can apply, once.
    pub(crate) fn visit(
        &self,
        facts: &impl Facts,
        subject_roles: &RoleBits,
        unknowns: Unknowns,
        mut visit: impl FnMut(u32, Option<u16>),
    ) {
        for group in &self.any_role {
            group.visit(facts, unknowns, |rule| visit(rule, None));
        }
        for role in self.roles.intersection(subject_roles).iter() {
            let found = self.by_role.binary_search_by_key(&role, |(role, _)| *role);
            let groups = found.ok().and_then(|place| self.by_role.get(place));
            for group in groups.into_iter().flat_map(|(_, groups)| groups) {
                group.visit(facts, unknowns, |rule| visit(rule, Some(role)));
            }
        }
    }
}

impl Group {
    fn insert(&mut self, rule: u32, constants: &[&OwnedDatum]) {
        self.all.push(rule);
        let hasher = hasher();
        for constant in constants {
            let hash = hasher.hash_one(constant.get());
            let entry = self.by_value.entry(
                hash,
                |(value, _)| value == *constant,
                |(value, _)| hasher.hash_one(value.get()),
            );
            entry
                .or_insert_with(|| ((*constant).clone(), Vec::new()))
                .into_mut()
                .1
                .push(rule);
        }
    }

    fn visit(&self, facts: &impl Facts, unknowns: Unknowns, mut visit: impl FnMut(u32)) {
        let Some(attribute) = self.attribute else {
            self.all.iter().copied().for_each(visit);
            return;
        };
        let value = facts.value(attribute);
        if value == Datum::Unknown {
            if unknowns == Unknowns::MayApplyToAll {
                self.all.iter().copied().for_each(visit);
            }
            return;
        }
        let hash = hasher().hash_one(value);
        let found = self.by_value.find(hash, |(other, _)| other.get() == value);
        for rule in found.into_iter().flat_map(|(_, rules)| rules) {
            visit(*rule);
        }
    }
}

/// How many places a rule takes, at most.
pub(super) fn entries(rule: &CompiledRule) -> u64 {
    let constants = demands(&rule.when)
        .iter()
        .map(|(_, constants)| constants.len())
        .max()
        .unwrap_or(1)
        .max(1);
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    number(rule.actions.len())
        .saturating_mul(u64::from(rule.roles.len().max(1)))
        .saturating_mul(number(constants))
}

/// The attributes that a condition demands to be one of some constants.
fn demands(node: &Node) -> Vec<(Attribute, Vec<&OwnedDatum>)> {
    match node {
        Node::All(parts) => parts.iter().filter_map(demand).collect(),
        other @ (Node::Known(_)
        | Node::Compare(..)
        | Node::OneOf(..)
        | Node::Member(..)
        | Node::IsSet(_)
        | Node::Related(..)
        | Node::Any(_)
        | Node::Not(_)) => demand(other).into_iter().collect(),
    }
}

fn demand(node: &Node) -> Option<(Attribute, Vec<&OwnedDatum>)> {
    match node {
        Node::Compare(Comparison::Eq, Term::Attribute(attribute), Term::Constant(value)) => {
            Some((*attribute, vec![value]))
        }
        Node::OneOf(Term::Attribute(attribute), values) => {
            Some((*attribute, values.iter().collect()))
        }
        Node::Known(_)
        | Node::Compare(..)
        | Node::OneOf(..)
        | Node::Member(..)
        | Node::IsSet(_)
        | Node::Related(..)
        | Node::All(_)
        | Node::Any(_)
        | Node::Not(_) => None,
    }
}
