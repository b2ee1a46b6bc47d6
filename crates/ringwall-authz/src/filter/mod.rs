//! Which rows a subject may act upon, as the WHERE of a query.

mod conditions;
mod partial;
mod sql;
mod times;

use ringwall_core::classification::Obligation;

use crate::compile::rules::CompiledRule;
use crate::compile::shapes::{ResourceType, Table};
use crate::context::Context;
use crate::decide::Owed;
use crate::decision::Cause;
use crate::document::Effect;
use crate::node::Node;
use crate::policy::Policy;
use crate::subject::Subject;
use crate::truth::Truth;
pub(crate) use conditions::{Conditions, Precision, Source};
use partial::Partial;
pub(crate) use sql::quoted;
pub use sql::{Dialect, SqlValue, SqlWriter};
pub(crate) use times::postgres_time;

/// The most rules that one filter holds, and one policy of a table in row-level security, where the rules of an action
/// for all roles stand together. Beyond, the statement would be longer than what a database plans well; give what differs
/// from user to user a relation in place of rules.
pub const MAX_FILTER_RULES: usize = 256;

/// Which rows of a table a subject may act upon: those for which [`decide`](Policy::decide) would permit.
#[derive(Clone, Debug)]
#[must_use = "a filter that is not applied filters nothing"]
pub enum RowFilter {
    /// None. There is no need to ask the database.
    Nothing(Cause),
    /// Those of the tenant, whichever.
    Tenant(Rows),
    /// Some of the tenant.
    Some(Rows),
}

/// The condition that rows meet. It always holds the tenant.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(crate) policy: Policy,
    pub(crate) resource: u16,
    pub(crate) subject: Subject,
    /// What permits, any of these.
    pub(crate) permits: Vec<Node>,
    /// What forbids, none of these.
    pub(crate) forbids: Vec<Node>,
    obligations: Vec<Obligation>,
}

/// A filter cannot be made. Nothing is approximated: what no database can answer is an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The policy has no such type of resource.
    #[error("the policy has no such type of resource")]
    UnknownResourceType,
    /// The type of resource has no such action.
    #[error("the type of resource has no such action")]
    UnknownAction,
    /// The policy does not say where the rows of this type are.
    #[error("the policy names no table for this type of resource")]
    NoTable,
    /// A rule asks what no column holds.
    #[error("the rule {rule:?} asks for {what}, which no database can answer")]
    NotPushable {
        /// The rule.
        rule: Box<str>,
        /// What it asks for.
        what: Box<str>,
    },
    /// More rules hold for an action than one statement can hold: for the subject, and in row-level security for anybody.
    #[error(
        "{number} rules say who may {action}, and {MAX_FILTER_RULES} are the most that one statement holds: \
         give what differs from user to user a relation in place of rules"
    )]
    TooManyRules {
        /// The type of resource and the action, as in `case.read`.
        action: Box<str>,
        /// How many.
        number: usize,
    },
    /// The subject or the context were made for another policy, or another version of this one.
    #[error("the subject or the context were made for another policy")]
    OtherPolicy,
}

/// Refuses what no database would plan well.
pub(crate) fn check_number_of_rules(
    resource: &ResourceType,
    action: u16,
    number: usize,
) -> Result<(), FilterError> {
    if number <= MAX_FILTER_RULES {
        return Ok(());
    }
    let name = resource.actions.get(usize::from(action));
    let name = name.map_or("", |name| &**name);
    Err(FilterError::TooManyRules {
        action: format!("{}.{name}", resource.name).into(),
        number,
    })
}

impl RowFilter {
    /// The condition of the rows, if any row can meet it.
    #[must_use]
    pub const fn rows(&self) -> Option<&Rows> {
        match self {
            Self::Nothing(_) => None,
            Self::Tenant(rows) | Self::Some(rows) => Some(rows),
        }
    }
}

impl Policy {
    /// Which rows of `resource_type` `subject` may do `action` to. What depends on the subject and the context is
    /// decided here; what is left is asked of each row.
    ///
    /// # Errors
    ///
    /// [`FilterError`] when the rows could not be filtered exactly as [`decide`](Self::decide) decides.
    pub fn filter(
        &self,
        subject: &Subject,
        action: &str,
        resource_type: &str,
        context: &Context<'_>,
    ) -> Result<RowFilter, FilterError> {
        if !subject.policy().is(self) || !context.policy().is(self) {
            return Err(FilterError::OtherPolicy);
        }
        let compiled = self.compiled();
        let number = compiled
            .find_type(resource_type)
            .ok_or(FilterError::UnknownResourceType)?;
        let resource = compiled
            .resource_type(number)
            .ok_or(FilterError::UnknownResourceType)?;
        let action = resource.action(action).ok_or(FilterError::UnknownAction)?;
        if resource.table.is_none() {
            return Err(FilterError::NoTable);
        }
        let known = subject.known();
        if known.tenant().is_none() {
            return Ok(RowFilter::Nothing(Cause::NoTenant));
        }
        if known.broken_separation.is_some() {
            return Ok(RowFilter::Nothing(Cause::SeparationOfDuty));
        }
        let partial = Partial {
            subject: known,
            context,
            now: context.now().unix_micros(),
            resource,
            parts: &compiled.parts,
        };
        let mut permits: Vec<(Node, &CompiledRule)> = Vec::new();
        let mut forbids = Vec::new();
        let mut owed = Owed::default();
        for rule in compiled.rules_of(number, action) {
            if matches!(rule.effect, Effect::Permit) && known.owes_beyond_use(rule) {
                let node = partial.answer(&rule.when).map(partial::permitting);
                // What no database can answer may be true of a row.
                let is_never =
                    |node: &Node| matches!(node.answer(), Some(Truth::False | Truth::Unknown));
                if !node.is_ok_and(|node| is_never(&node)) {
                    owed.add(&rule.obligations);
                }
            }
            if !known.meets(rule) {
                continue;
            }
            let node = partial
                .answer(&rule.when)
                .map_err(|what| FilterError::NotPushable {
                    rule: rule.id.clone(),
                    what: what.into(),
                })?;
            match rule.effect {
                Effect::Permit => {
                    let node = partial::permitting(node);
                    if !matches!(node.answer(), Some(Truth::False | Truth::Unknown)) {
                        permits.push((node, rule));
                    }
                }
                Effect::Forbid => {
                    let node = partial::forbidding(node);
                    match node.answer() {
                        Some(Truth::True | Truth::Unknown) => {
                            return Ok(RowFilter::Nothing(Cause::ForbiddenByRule));
                        }
                        Some(Truth::False) => {}
                        None => forbids.push(node),
                    }
                }
            }
        }
        if permits.is_empty() {
            return Ok(RowFilter::Nothing(Cause::NoRuleApplies));
        }
        let applying = permits.len().saturating_add(forbids.len());
        check_number_of_rules(resource, action, applying)?;
        for (_, rule) in &permits {
            owed.add(&rule.obligations);
        }
        let obligations = owed.into_obligations();
        let is_all = permits
            .iter()
            .any(|(node, _)| *node == Node::Known(Truth::True));
        let permits = if is_all {
            Vec::new()
        } else {
            permits.into_iter().map(|(node, _)| node).collect()
        };
        let is_tenant = is_all && forbids.is_empty();
        let rows = Rows {
            policy: self.clone(),
            resource: number,
            subject: subject.clone(),
            permits,
            forbids,
            obligations,
        };
        Ok(if is_tenant {
            RowFilter::Tenant(rows)
        } else {
            RowFilter::Some(rows)
        })
    }
}

impl Rows {
    /// What is still owed: of every rule that may permit some of the rows, the strictest mask and all fields that
    /// are removed. For a single row [`decide`](Policy::decide) may owe less. Whoever does not know one of them
    /// answers none of the rows.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// The table, with its schema if the policy names one.
    #[must_use]
    pub fn table(&self) -> &str {
        self.table_definition().map_or("", |table| &*table.name)
    }

    pub(crate) fn table_definition(&self) -> Option<&Table> {
        self.policy
            .compiled()
            .resource_type(self.resource)?
            .table
            .as_ref()
    }
}
