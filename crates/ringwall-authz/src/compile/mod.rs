//! From a document to a policy that decides.

pub(crate) mod asked;
pub(crate) mod conditions;
pub(crate) mod index;
mod names;
mod resources;
pub(crate) mod roles;
pub(crate) mod rules;
pub(crate) mod scopes;
pub(crate) mod shapes;

use core::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::bits::RoleBits;
use crate::document::{Effect, PolicyDocument};
use crate::fault::{Faults, PolicyFaults};
use crate::value::Level;
use asked::AskedOfRows;
use index::Index;
use roles::{Roles, Separation};
use rules::CompiledRule;
use scopes::Scopes;
use shapes::{Named, Relation, ResourceType, SubjectShape};

/// All that rules can name.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) levels: Vec<Level>,
    pub(crate) roles: Roles,
    pub(crate) scopes: Scopes,
    pub(crate) separations: Vec<Separation>,
    pub(crate) subject: SubjectShape,
    pub(crate) context: Vec<Named>,
    pub(crate) relations: Vec<Relation>,
    pub(crate) types: Vec<ResourceType>,
}

/// A policy that decides.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// No other policy of this process has it, so that what was made for one policy is not taken for another's.
    pub(crate) generation: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) document: PolicyDocument,
    pub(crate) parts: Parts,
    pub(crate) rules: Vec<CompiledRule>,
    /// What the rules for rows ask for.
    pub(crate) asked: AskedOfRows,
    /// By type of resource and action.
    pub(crate) buckets: Vec<Vec<Bucket>>,
}

/// The rules for one action on one type of resource.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// All of them, in the order of the document.
    pub(crate) rules: Vec<u32>,
    pub(crate) forbids: Index,
    pub(crate) permits: Index,
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

impl Compiled {
    pub(crate) fn new(document: PolicyDocument) -> Result<Self, PolicyFaults> {
        let mut faults = Faults::default();
        if document.version != PolicyDocument::VERSION {
            faults.add(
                "version",
                format!(
                    "the version {} is not known; this is version {}",
                    document.version,
                    PolicyDocument::VERSION
                ),
            );
        }
        names::check_long_name(&mut faults, "name", "the policy", &document.name);
        let levels = shapes::levels(&document, &mut faults);
        let roles = Roles::compile(&document, &mut faults);
        let scopes = Scopes::compile(&document, &roles, &mut faults);
        let separations = roles::separations(&document, &roles, &mut faults);
        let subject = shapes::subject(&document, &levels, &mut faults);
        let context = shapes::context(&document, &levels, &mut faults);
        let relations = shapes::relations(&document, &levels, &mut faults);
        let types = resources::resources(&document, &levels, &mut faults);
        resources::check_tables(&types, &relations, &mut faults);
        let parts = Parts {
            levels,
            roles,
            scopes,
            separations,
            subject,
            context,
            relations,
            types,
        };
        let rules = rules::rules(&document, &parts, &mut faults);
        faults.into_result()?;
        let hash = hash(&document)?;
        let buckets = buckets(&parts, &rules);
        let asked = AskedOfRows::of(&parts, &rules);
        Ok(Self {
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            hash,
            document,
            parts,
            rules,
            asked,
            buckets,
        })
    }

    pub(crate) fn bucket(&self, resource: u16, action: u16) -> Option<&Bucket> {
        self.buckets
            .get(usize::from(resource))?
            .get(usize::from(action))
    }

    /// The rules for one action on one type of resource, in the order of the document.
    pub(crate) fn rules_of(
        &self,
        resource: u16,
        action: u16,
    ) -> impl Iterator<Item = &CompiledRule> {
        self.bucket(resource, action)
            .into_iter()
            .flat_map(|bucket| &bucket.rules)
            .filter_map(|number| self.rule(*number))
    }

    pub(crate) fn rule(&self, number: u32) -> Option<&CompiledRule> {
        self.rules.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn resource_type(&self, number: u16) -> Option<&ResourceType> {
        self.parts.types.get(usize::from(number))
    }

    pub(crate) fn find_type(&self, name: &str) -> Option<u16> {
        let types = &self.parts.types;
        // They are in the order of their names.
        let place = types
            .binary_search_by(|resource| (*resource.name).cmp(name))
            .ok()?;
        u16::try_from(place).ok()
    }

    /// The separation of duty that these roles break.
    pub(crate) fn broken_separation(
        &self,
        held: &RoleBits,
        used: &RoleBits,
    ) -> Option<&Separation> {
        self.parts.separations.iter().find(|separation| {
            let roles = match separation.kind {
                crate::document::SeparationKind::Static => held,
                crate::document::SeparationKind::Dynamic => used,
            };
            roles.intersection(&separation.roles).len() > separation.at_most
        })
    }
}

/// The hash of what a document says: not of how it is written down.
fn hash(document: &PolicyDocument) -> Result<[u8; 32], PolicyFaults> {
    let text = serde_json::to_vec(document)
        .map_err(|error| PolicyFaults::one(None, format!("the policy has no text: {error}")))?;
    Ok(Sha256::digest(&text).into())
}

fn buckets(parts: &Parts, rules: &[CompiledRule]) -> Vec<Vec<Bucket>> {
    let mut numbers: Vec<Vec<Vec<u32>>> = parts
        .types
        .iter()
        .map(|resource| vec![Vec::new(); resource.actions.len()])
        .collect();
    for (number, rule) in (0_u32..).zip(rules) {
        let of_type = numbers.get_mut(usize::from(rule.resource));
        for (action, numbers) in of_type.into_iter().flatten().enumerate() {
            if rule.actions.iter().any(|own| usize::from(*own) == action) {
                numbers.push(number);
            }
        }
    }
    let index = |numbers: &[u32], effect: Effect| {
        Index::new(numbers.iter().filter_map(|number| {
            let rule = rules.get(usize::try_from(*number).ok()?)?;
            (rule.effect == effect).then_some((*number, rule))
        }))
    };
    numbers
        .iter()
        .map(|actions| {
            let actions = actions.iter().map(|numbers| Bucket {
                rules: numbers.clone(),
                forbids: index(numbers, Effect::Forbid),
                permits: index(numbers, Effect::Permit),
            });
            actions.collect()
        })
        .collect()
}
