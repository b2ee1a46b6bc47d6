//! The conditions of the policies: which rows an action may touch.

use super::told::{Literals, Session, text_literal};
use crate::compile::rules::CompiledRule;
use crate::compile::shapes::{RelationTable, ResourceType, Table};
use crate::compile::{Compiled, Parts};
use crate::document::Effect;
use crate::filter::{
    Conditions, Dialect, FilterError, Precision, Source, check_number_of_rules, quoted,
};
use crate::node::{Attribute, Node, Term};
use crate::truth::Truth;

/// Writes conditions that ask the functions of this schema.
pub(super) struct Writer<'a> {
    pub(super) schema: &'a str,
    /// The table with the attributes of subjects.
    pub(super) attributes: &'a str,
    pub(super) compiled: &'a Compiled,
}

impl Writer<'_> {
    pub(super) fn session(&self) -> Session<'_> {
        Session {
            schema: self.schema.to_owned(),
            attributes: quoted(self.attributes),
            parts: &self.compiled.parts,
        }
    }

    /// The pairs of the subject.
    pub(super) fn own_pairs(&self, relation: &RelationTable) -> String {
        let mut session = self.session();
        let (mut org, mut subject) = (String::new(), String::new());
        session.subject_org(&mut Literals(&mut org));
        session.subject_id(&mut Literals(&mut subject));
        let (org_column, subject_column) = (quoted(&relation.org), quoted(&relation.subject));
        format!("{org_column} = {org} AND {subject_column} = {subject}")
    }

    /// As the directory was asked in the process.
    pub(super) fn directory_org(&self) -> String {
        let session = self.session();
        format!("SELECT {}", session.call("setting", Some("directory_org")))
    }

    pub(super) fn directory_subject(&self) -> String {
        let session = self.session();
        let subject = session.call("setting", Some("directory_subject"));
        format!("SELECT {subject}")
    }

    /// The organisation and the project are those of the session, and it was told of this policy.
    pub(super) fn tenant(&self, table: &Table) -> String {
        let session = self.session();
        let kind = self.compiled.parts.subject.tenant;
        let org = session.typed(&session.call("setting", Some("org")), kind);
        // Roles mean something within their policy alone: a session that was told those of another sees nothing.
        let policy = session.call("setting", Some("policy"));
        let name = text_literal(&self.compiled.document.name);
        let mut text = format!(
            "(SELECT {policy} = {name}) AND ({} = {org})",
            quoted(&table.org)
        );
        if let Some(project) = &table.project {
            let setting = session.call("setting", Some("project"));
            let typed = session.typed(&setting, kind);
            let column = quoted(project);
            // A caller that is bound to no project sees all of its organisation's.
            text.push_str(&format!(
                " AND ((SELECT {setting} IS NULL) OR ({column} = {typed}))"
            ));
        }
        text
    }

    /// `(P1 OR P2) AND ((F1 OR F2) IS FALSE)`.
    pub(super) fn condition(
        &self,
        number: u16,
        resource: &ResourceType,
        action: u16,
    ) -> Result<String, FilterError> {
        // Counted before anything is written: a policy may hold a hundred thousand.
        let rules = self.compiled.rules_of(number, action).count();
        check_number_of_rules(resource, action, rules)?;
        let (mut permits, mut forbids) = (Vec::new(), Vec::new());
        for rule in self.compiled.rules_of(number, action) {
            check_pushable(rule, resource, &self.compiled.parts)?;
            let (precision, all) = match rule.effect {
                Effect::Permit => (Precision::TrueOrNot, &mut permits),
                Effect::Forbid => (Precision::Exact, &mut forbids),
            };
            all.push(self.rule(rule, resource, precision));
        }
        if permits.is_empty() {
            return Ok("FALSE".to_owned());
        }
        let mut text = format!("({})", permits.join("\n        OR "));
        if !forbids.is_empty() {
            text.push_str(&format!(
                "\n    AND (({}) IS FALSE)",
                forbids.join("\n        OR ")
            ));
        }
        Ok(text)
    }

    fn rule(&self, rule: &CompiledRule, resource: &ResourceType, precision: Precision) -> String {
        let parts = &self.compiled.parts;
        let session = self.session();
        let mut demands = Vec::new();
        let (has_role, has_scope, is_permit) = match rule.effect {
            Effect::Permit => ("has_role", "has_scope", true),
            Effect::Forbid => ("has_forbidding_role", "has_forbidding_scope", false),
        };
        if !rule.roles.is_empty() {
            let roles: Vec<String> = rule
                .roles
                .iter()
                .map(|role| session.call(has_role, Some(parts.roles.name(role))))
                .collect();
            demands.push(format!("(SELECT {})", roles.join(" OR ")));
        }
        // Nobody is limited to the scopes of a policy that has none.
        if is_permit && rule.scopes.is_empty() && !parts.scopes.is_empty() {
            let call = session.call("is_limited", None);
            demands.push(format!("(SELECT NOT {call})"));
        }
        for scope in rule.scopes.iter() {
            let call = session.call(has_scope, Some(parts.scopes.name(scope)));
            demands.push(format!("(SELECT {call})"));
        }
        if rule.when != Node::Known(Truth::True) {
            let mut conditions = Conditions {
                dialect: Dialect::Postgres,
                parts,
                resource,
                prefix: "",
                source: session,
            };
            let mut text = String::new();
            conditions.node(&mut Literals(&mut text), &rule.when, precision);
            demands.push(text);
        }
        if demands.is_empty() {
            return "(TRUE)".to_owned();
        }
        format!("({})", demands.join(" AND "))
    }
}

/// Refuses what a database cannot answer.
fn check_pushable(
    rule: &CompiledRule,
    resource: &ResourceType,
    parts: &Parts,
) -> Result<(), FilterError> {
    let mut found = None;
    rule.when.walk(&mut |node| {
        let attribute = |term: &Term| term.attribute();
        let attributes: Vec<Attribute> = match node {
            Node::Compare(_, left, right) => attribute(left)
                .into_iter()
                .chain(attribute(right))
                .collect(),
            Node::OneOf(term, _) | Node::Member(term, _) => attribute(term).into_iter().collect(),
            Node::Related(relation, term) => {
                let relation = parts.relations.get(usize::from(*relation));
                if let Some(relation) = relation.filter(|relation| relation.table.is_none()) {
                    found = Some(format!(
                        "the relation {}, which has no table",
                        relation.name
                    ));
                }
                attribute(term).into_iter().collect()
            }
            Node::IsSet(attribute) => vec![*attribute],
            Node::Known(_) | Node::All(_) | Node::Any(_) | Node::Not(_) => Vec::new(),
        };
        for attribute in attributes {
            if let Attribute::Resource(place) = attribute
                && let Some(attribute) = resource.attributes.get(usize::from(place))
                && attribute.column.is_none()
            {
                found = Some(format!("resource.{}, which is computed", attribute.name));
            }
        }
    });
    match found {
        None => Ok(()),
        Some(what) => Err(FilterError::NotPushable {
            rule: rule.id.clone(),
            what: what.into(),
        }),
    }
}
