//! Rules, and those among them that could never apply.

use std::collections::HashMap;

use ringwall_core::classification::Obligation;

use super::Parts;
use super::conditions::{Conditions, World};
use super::index::{self, PolicyHasher};
use super::names::{check_long_name, there_are};
use crate::bits::{RoleBits, ScopeBits};
use crate::document::{Effect, PolicyDocument, Rule};
use crate::fault::Faults;
use crate::node::{Attribute, Comparison, Node, Term};
use crate::truth::Truth;
use crate::value::OwnedDatum;

/// The most rules of a policy.
pub const MAX_RULES: usize = 100_000;

/// The most combinations of action, role and constant that all rules name: each is a place in memory.
const MAX_INDEX_ENTRIES: u64 = 4_000_000;

/// A rule as it is evaluated. Its number is its place in the document.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) id: Box<str>,
    pub(crate) effect: Effect,
    /// The place of its type among the resource types.
    pub(crate) resource: u16,
    pub(crate) actions: Vec<u16>,
    /// Empty when the roles do not matter.
    pub(crate) roles: RoleBits,
    pub(crate) scopes: ScopeBits,
    pub(crate) when: Node,
    pub(crate) obligations: Vec<Obligation>,
}

impl CompiledRule {
    /// Whether it is for everybody, or for one of these roles.
    pub(crate) fn is_for(&self, roles: &RoleBits) -> bool {
        self.roles.is_empty() || !self.roles.intersection(roles).is_empty()
    }
}

pub(super) fn rules(
    document: &PolicyDocument,
    parts: &Parts,
    faults: &mut Faults,
) -> Vec<CompiledRule> {
    if document.rules.len() > MAX_RULES {
        faults.add(
            "rules",
            format!(
                "there are {} rules, and {MAX_RULES} are the most",
                document.rules.len()
            ),
        );
        return Vec::new();
    }
    let mut ids: HashMap<&str, usize, PolicyHasher> = HashMap::default();
    let mut compiled = Vec::with_capacity(document.rules.len());
    for (index, rule) in document.rules.iter().enumerate() {
        let path = format!("rules[{index}]");
        check_long_name(faults, &format!("{path}.id"), "the rule", &rule.id);
        if let Some(first) = ids.insert(&rule.id, index) {
            faults.add(
                format!("{path}.id"),
                format!("the rule rules[{first}] is named {:?} too", rule.id),
            );
        }
        compiled.extend(compile(&path, rule, parts, faults));
    }
    let entries = compiled
        .iter()
        .fold(0_u64, |sum, rule| sum.saturating_add(index::entries(rule)));
    if entries > MAX_INDEX_ENTRIES {
        faults.add(
            "rules",
            format!(
                "the rules name {entries} combinations of action, role and constant, and {MAX_INDEX_ENTRIES} are the most"
            ),
        );
    }
    if faults.is_empty() {
        find_unreachable(&compiled, parts, faults);
    }
    compiled
}

fn compile(path: &str, rule: &Rule, parts: &Parts, faults: &mut Faults) -> Option<CompiledRule> {
    let found = (0_u16..)
        .zip(&parts.types)
        .find(|(_, resource)| *resource.name == *rule.resource);
    let Some((number, resource)) = found else {
        faults.add(
            format!("{path}.resource"),
            format!(
                "there is no type of resource {:?}{}",
                rule.resource,
                there_are(parts.types.iter().map(|resource| &*resource.name))
            ),
        );
        return None;
    };
    let mut actions = Vec::new();
    if rule.actions.is_empty() {
        faults.add(format!("{path}.actions"), "it names no action");
    }
    for (index, name) in rule.actions.iter().enumerate() {
        let path = format!("{path}.actions[{index}]");
        if name == "*" {
            if rule.actions.len() > 1 {
                faults.add(path, "\"*\" stands for all actions, and then alone");
            }
            actions = (0_u16..)
                .zip(&resource.actions)
                .map(|(number, _)| number)
                .collect();
            break;
        }
        match resource.action(name) {
            Some(action) if actions.contains(&action) => {
                faults.add(path, format!("the action {name:?} stands twice"));
            }
            Some(action) => actions.push(action),
            None => faults.add(
                path,
                format!(
                    "{:?} has no action {name:?}{}",
                    rule.resource,
                    there_are(resource.actions.iter().map(|action| &**action))
                ),
            ),
        }
    }
    let mut roles = RoleBits::EMPTY;
    for (index, name) in rule.roles.iter().enumerate() {
        match parts.roles.find(name) {
            Some(role) => roles.insert(role),
            None => faults.add(
                format!("{path}.roles[{index}]"),
                format!(
                    "there is no role {name:?}{}",
                    there_are(parts.roles.all_names())
                ),
            ),
        }
    }
    let scopes = rule
        .scopes
        .iter()
        .filter_map(|name| parts.scopes.find(name))
        .collect();
    let when = match &rule.when {
        None => Node::Known(Truth::True),
        Some(condition) => {
            let world = World {
                levels: &parts.levels,
                subject: &parts.subject,
                context: &parts.context,
                relations: &parts.relations,
                resource,
            };
            let mut conditions = Conditions {
                world,
                faults,
                parts: 0,
            };
            conditions
                .compile(&format!("{path}.when"), condition, 1)
                .folded()
        }
    };
    let demands_nothing = rule.roles.is_empty() && rule.scopes.is_empty() && rule.when.is_none();
    if rule.effect == Effect::Permit && demands_nothing && !rule.anyone {
        faults.add(
            path,
            "it would permit everybody: name roles, scopes or a condition, or state anyone = true",
        );
    }
    if rule.anyone && !(rule.effect == Effect::Permit && demands_nothing) {
        faults.add(
            format!("{path}.anyone"),
            "anyone is for a permit that demands nothing",
        );
    }
    Some(CompiledRule {
        id: rule.id.as_str().into(),
        effect: rule.effect,
        resource: number,
        actions,
        roles,
        scopes,
        when,
        obligations: obligations(path, rule, faults),
    })
}

fn obligations(path: &str, rule: &Rule, faults: &mut Faults) -> Vec<Obligation> {
    let said = &rule.obligations;
    let path = format!("{path}.obligations");
    for (index, pointer) in said.redact.iter().enumerate() {
        if !is_json_pointer(pointer) {
            faults.add(
                format!("{path}.redact[{index}]"),
                format!("{pointer:?} is no JSON Pointer to a field (RFC 6901), such as /ssn"),
            );
        }
    }
    let mask = said.mask_above.map(Obligation::MaskAbove);
    let redact = (!said.redact.is_empty()).then(|| Obligation::Redact(said.redact.clone()));
    let reason = said.reason_required.then_some(Obligation::ReasonRequired);
    let all: Vec<Obligation> = mask.into_iter().chain(redact).chain(reason).collect();
    if rule.effect == Effect::Forbid && !all.is_empty() {
        faults.add(path, "a forbid permits nothing that could owe something");
    }
    all
}

/// RFC 6901 §3, without the pointer to the whole document, and 256 bytes at most.
fn is_json_pointer(pointer: &str) -> bool {
    let mut characters = pointer.chars().peekable();
    let mut is_escaped = true;
    while let Some(character) = characters.next() {
        if character == '~' {
            is_escaped &= matches!(characters.peek(), Some('0' | '1'));
        }
    }
    pointer.starts_with('/') && pointer.len() > 1 && pointer.len() <= 256 && is_escaped
}

/// Says which rules could never do anything: nobody writes one on purpose.
fn find_unreachable(rules: &[CompiledRule], parts: &Parts, faults: &mut Faults) {
    // What is forbidden without a condition, by type and action.
    let mut forbidden: HashMap<(u16, u16), (RoleBits, bool, &str), PolicyHasher> =
        HashMap::default();
    for rule in rules {
        let is_always = rule.effect == Effect::Forbid
            && rule.scopes.is_empty()
            && matches!(rule.when, Node::Known(Truth::True | Truth::Unknown));
        if !is_always {
            continue;
        }
        for action in &rule.actions {
            let entry = forbidden.entry((rule.resource, *action)).or_insert((
                RoleBits::EMPTY,
                false,
                &rule.id,
            ));
            entry.0 = entry.0.union(&rule.roles);
            entry.1 |= rule.roles.is_empty();
        }
    }
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("rules[{index}]");
        match (rule.effect, &rule.when) {
            (Effect::Permit, Node::Known(Truth::False | Truth::Unknown))
            | (Effect::Forbid, Node::Known(Truth::False)) => {
                faults.add(
                    format!("{path}.when"),
                    "the rule never applies: no facts make its condition hold",
                );
            }
            (Effect::Permit, when) if contradicts_itself(when) => faults.add(
                format!("{path}.when"),
                "the rule never applies: it demands two values of one attribute at once",
            ),
            (Effect::Permit | Effect::Forbid, _) => {}
        }
        for separation in &parts.separations {
            let all = rule.roles.iter().all(|role| {
                parts
                    .roles
                    .closure(role)
                    .intersection(&separation.roles)
                    .len()
                    > separation.at_most
            });
            if !rule.roles.is_empty() && all {
                faults.add(
                    format!("{path}.roles"),
                    format!("nobody may have these roles ({})", separation.name),
                );
            }
        }
        if rule.effect == Effect::Forbid {
            continue;
        }
        let by = rule.actions.iter().map(|action| {
            let (roles, everybody, by) = forbidden.get(&(rule.resource, *action))?;
            let is_covered =
                *everybody || (!rule.roles.is_empty() && roles.contains_all(&rule.roles));
            is_covered.then_some(*by)
        });
        let by: Option<Vec<&str>> = by.collect();
        if let Some(by) = by.and_then(|by| by.first().copied()) {
            faults.add(
                &path,
                format!(
                    "the rule never applies: all that it permits is forbidden ({by:?} among others)"
                ),
            );
        }
    }
}

/// Whether a conjunction demands that one attribute is two things.
fn contradicts_itself(node: &Node) -> bool {
    let Node::All(parts) = node else {
        return false;
    };
    let mut demanded: HashMap<Attribute, &OwnedDatum, PolicyHasher> = HashMap::default();
    for part in parts {
        if let Node::Compare(Comparison::Eq, Term::Attribute(attribute), Term::Constant(value)) =
            part
        {
            let before = demanded.insert(*attribute, value);
            if before.is_some_and(|before| before != value) {
                return true;
            }
        }
    }
    false
}
