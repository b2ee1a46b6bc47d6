//! How what is known of a subject is gathered.

mod facts;

use std::collections::BTreeSet;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Role, Scope, VerifiedPrincipal};

use super::Subject;
use super::known::{Attribute, Known, Related};
use crate::bits::{Bits, RoleBits, ScopeBits};
use crate::compile::shapes::find;
use crate::credential;
use crate::policy::Policy;
use crate::slots::{AttributeError, Why};
use crate::value::{Datum, Mismatch, OwnedDatum, Type, Value};

/// The most values of all attributes and relations of one subject. What is told beyond is an error, and the
/// attribute is unknown.
pub const MAX_SUBJECT_VALUES: usize = 10_000;

/// Gathers what is known of who acts.
#[derive(Clone, Debug)]
pub struct SubjectBuilder {
    policy: Policy,
    principal: VerifiedPrincipal,
    known_as: Option<Box<str>>,
    is_foreign: bool,
    directory_name: Option<Box<str>>,
    /// Whether a directory was asked about it.
    has_facts: bool,
    roles: RoleBits,
    activated: Option<Vec<Box<str>>>,
    scopes: ScopeBits,
    limit: Option<ScopeBits>,
    /// What the credentials name that limit it: for forbids it holds that too.
    named: ScopeBits,
    attributes: Vec<Attribute>,
    relations: Vec<Related>,
    in_database: Bits<1>,
    /// The attributes of which something was told that did not come from the directory.
    by_hand: Bits<1>,
    /// Whether something was told that is no attribute.
    has_undeclared: bool,
    /// The relation of which all values came from the directory.
    of_directory: Option<u16>,
    values: usize,
    errors: Vec<AttributeError>,
    version: Option<u64>,
}

impl SubjectBuilder {
    pub(crate) fn new(policy: Policy, principal: VerifiedPrincipal) -> Self {
        let parts = &policy.compiled().parts;
        let attributes = vec![Attribute::Unknown; parts.subject.attributes.len()];
        let relations = vec![Related::Unknown; parts.relations.len()];
        Self {
            principal,
            known_as: None,
            is_foreign: false,
            directory_name: None,
            has_facts: false,
            roles: RoleBits::EMPTY,
            activated: None,
            scopes: ScopeBits::EMPTY,
            limit: None,
            named: ScopeBits::EMPTY,
            attributes,
            relations,
            in_database: Bits::EMPTY,
            by_hand: Bits::EMPTY,
            has_undeclared: false,
            of_directory: None,
            values: 0,
            errors: Vec::new(),
            version: None,
            policy,
        }
    }

    /// The id under which rows name the subject, when it is not the subject of the credential: that one is unique
    /// within its issuer alone, so a service that trusts several has ids of its own.
    #[must_use]
    pub fn known_as(mut self, id: impl Into<Box<str>>) -> Self {
        self.known_as = Some(id.into());
        self
    }

    /// States that its issuer gives names of its own: whoever bears the same in rows and in tables is somebody else. So
    /// `subject.id` is unknown unless it is [known as](Self::known_as) somebody, and so is `subject.on_behalf_of`, of
    /// which a rule can still ask whether it is set.
    #[must_use]
    pub const fn of_foreign_issuer(mut self) -> Self {
        self.is_foreign = true;
        self
    }

    /// States under which name the attributes that the database holds are its own, so that
    /// [row-level security](crate::session_settings) may ask for them. [`facts`](Self::facts) say so of the credential's
    /// subject; a resolver that asks its directory under an id of the service's own says that id, and states with it that
    /// what it [told by hand](Self::attribute) stands there too. Otherwise a session cannot be told of who has attributes by
    /// hand that the rules for rows ask for: no database hears of them.
    #[must_use]
    pub fn in_directory_as(mut self, name: impl Into<Box<str>>) -> Self {
        self.directory_name = Some(name.into());
        self
    }

    /// The roles that it holds in its tenant, as a [directory](crate::PolicyInformationPoint) tells them. Names that
    /// the policy does not have grant nothing; they are compared byte for byte.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item: AsRef<str>>) -> Self {
        let table = &self.policy.compiled().parts.roles;
        for role in roles {
            if let Some(role) = table.find(role.as_ref()) {
                self.roles.insert(role);
            }
        }
        self
    }

    /// Takes over the roles that the credential names. Right when the issuer decides who holds which role; wrong
    /// when the subject can write the claim that they are read from, such as user metadata.
    #[must_use]
    pub fn roles_of_credential(self) -> Self {
        let principal = self.principal.clone();
        self.roles(principal.roles.iter().map(Role::as_str))
    }

    /// Takes over the scopes that the credential names, as rights beside those of the roles: what an API key was made
    /// for. Wrong for a token that somebody let a client have: see
    /// [`limited_to_scopes_of_credential`](Self::limited_to_scopes_of_credential).
    #[must_use]
    pub fn scopes_of_credential(mut self) -> Self {
        let named = credential::named(&self.policy, &self.principal.scopes);
        self.scopes = self.scopes.union(&named);
        self
    }

    /// Limits the subject to what the scopes of its credential name: it holds the scopes that its roles grant *and* its
    /// credential names, only rules that demand scopes permit it anything, and it has neither role nor rank for whoever
    /// asks for these alone. What is forbidden to it stays forbidden.
    ///
    /// A credential limits nothing when it names no scope at all, or only those of OpenID Connect, which speak of the
    /// login; or `*`, where the policy says that it stands for all scopes in credentials. A policy that has no scopes
    /// cannot be limited by them.
    #[must_use]
    pub fn limited_to_scopes_of_credential(self) -> Self {
        let principal = self.principal.clone();
        self.limited(&principal.scopes, principal.has_scopes_left_out)
    }

    /// Limits the subject as a credential that names these scopes does, beside what limits it already.
    pub(crate) fn limited_to(self, scopes: &[Scope]) -> Self {
        self.limited(scopes, false)
    }

    fn limited(mut self, scopes: &[Scope], has_left_out: bool) -> Self {
        let Some(limit) = credential::limit(&self.policy, scopes, has_left_out) else {
            return self;
        };
        self.named = self.named.union(&limit);
        self.limit = Some(match &self.limit {
            Some(before) => before.intersection(&limit),
            None => limit,
        });
        self
    }

    /// Uses these of its roles alone, with what they inherit: a session in which the others are not active. What is
    /// forbidden to the others stays forbidden, so that nobody leaves a prohibition aside with its role. Without this,
    /// all are used.
    #[must_use]
    pub fn use_roles(mut self, roles: impl IntoIterator<Item: Into<Box<str>>>) -> Self {
        self.activated = Some(roles.into_iter().map(Into::into).collect());
        self
    }

    /// One value of an attribute, which holds until `expires_at`; null says nothing about a `text_set`, and of any other that
    /// there is none. An attribute of which two values are told that hold at once is unknown, unless its type is
    /// `text_set`.
    ///
    /// Row-level security hears nothing of it: see [`in_directory_as`](Self::in_directory_as).
    #[must_use]
    pub fn attribute<'v>(
        mut self,
        name: &str,
        value: impl Into<Value<'v>>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        let Some((place, kind)) = self.find_attribute(name) else {
            return self.undeclared(name);
        };
        let value = value.into();
        if value != Value::Null || kind != Type::TextSet {
            self.by_hand.insert(place);
        }
        self.tell(place, kind, name, value, expires_at)
    }

    fn tell(
        mut self,
        place: u16,
        kind: Type,
        name: &str,
        value: Value<'_>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        if value == Value::Null {
            // Of a set, no value is told by it, and not that there is none.
            if kind != Type::TextSet {
                self.complete(place);
            }
            return self;
        }
        let kind = if kind == Type::TextSet {
            Type::Text
        } else {
            kind
        };
        let levels = &self.policy.compiled().parts.levels;
        let value = Datum::new(value, kind, levels).map(Datum::to_owned);
        let until = expires_at.map_or(i64::MAX, Timestamp::unix_micros);
        self.values = self.values.saturating_add(1);
        let is_full = self.values > MAX_SUBJECT_VALUES;
        let Some(slot) = self.attributes.get_mut(usize::from(place)) else {
            return self;
        };
        match value {
            Ok(value) if !is_full => {
                slot.push(value, until);
                self
            }
            Ok(_) => {
                *slot = Attribute::Broken;
                self.error(name, Why::Mismatch(Mismatch::TooMany))
            }
            Err(mismatch) => {
                *slot = Attribute::Broken;
                self.error(name, Why::Mismatch(mismatch))
            }
        }
    }

    /// States that all values of the attribute were told: what is not among them it does not have. For a
    /// `text_set` of which no value was told this makes the set empty instead of unknown.
    #[must_use]
    pub fn attribute_is_complete(mut self, name: &str) -> Self {
        let Some((place, _)) = self.find_attribute(name) else {
            return self.undeclared(name);
        };
        self.by_hand.insert(place);
        self.complete(place);
        self
    }

    fn complete(&mut self, place: u16) {
        if let Some(slot @ Attribute::Unknown) = self.attributes.get_mut(usize::from(place)) {
            *slot = Attribute::Values(Vec::new());
        }
    }

    fn find_attribute(&self, name: &str) -> Option<(u16, Type)> {
        find(&self.policy.compiled().parts.subject.attributes, name)
    }

    /// Perhaps one of those that were not told, by a name that was misspelt.
    fn undeclared(mut self, name: &str) -> Self {
        self.has_undeclared = true;
        self.error(name, Why::Undeclared)
    }

    /// All values to which the subject stands in `relation`, such as the departments of a user. Where the relation has a table,
    /// these are the pairs that it holds under the subject's id: row-level security reads them there, and not here.
    #[must_use]
    pub fn related<'v>(
        mut self,
        relation: &str,
        values: impl IntoIterator<Item: Into<Value<'v>>>,
    ) -> Self {
        let Some((place, kind)) = self.relation(relation) else {
            return self.error(relation, Why::Undeclared);
        };
        let mut all = BTreeSet::new();
        for value in values {
            self.values = self.values.saturating_add(1);
            match Datum::new(value.into(), kind, &[]) {
                Ok(_) if self.values > MAX_SUBJECT_VALUES => {
                    self.break_relation(place);
                    return self.error(relation, Why::Mismatch(Mismatch::TooMany));
                }
                Ok(Datum::Unknown) => {}
                Ok(value) => {
                    all.insert(value.to_owned());
                }
                Err(mismatch) => {
                    self.break_relation(place);
                    return self.error(relation, Why::Mismatch(mismatch));
                }
            }
        }
        if let Some(slot) = self.relations.get_mut(usize::from(place))
            && !matches!(slot, Related::Broken)
        {
            *slot = Related::All(all);
        }
        self.of_directory = self.of_directory.filter(|other| *other != place);
        self
    }

    /// Whether the subject stands in `relation` to one value, where all of them are too many to be told: whether a
    /// case is assigned to it.
    #[must_use]
    pub fn is_related<'v>(
        mut self,
        relation: &str,
        value: impl Into<Value<'v>>,
        is_related: bool,
    ) -> Self {
        let Some((place, kind)) = self.relation(relation) else {
            return self.error(relation, Why::Undeclared);
        };
        self.values = self.values.saturating_add(1);
        let value = match Datum::new(value.into(), kind, &[]) {
            Ok(_) if self.values > MAX_SUBJECT_VALUES => Err(Mismatch::TooMany),
            other => other,
        };
        let value = match value {
            Ok(value) => value.to_owned(),
            Err(mismatch) => {
                self.break_relation(place);
                return self.error(relation, Why::Mismatch(mismatch));
            }
        };
        if let Some(slot) = self.relations.get_mut(usize::from(place)) {
            match slot {
                Related::Unknown => {
                    let pairs = core::iter::once((value, is_related));
                    *slot = Related::Pairs(pairs.collect());
                }
                Related::Pairs(pairs) => {
                    pairs.insert(value, is_related);
                }
                // All that there are were told, or something that cannot be.
                Related::All(_) | Related::Broken => {}
            }
        }
        self
    }

    /// States that the database knows the pairs of `relation`, under the subject's id: a row filter and
    /// [row-level security](Policy::row_level_security) ask it, where they would otherwise leave the relation unknown, as
    /// [`decide`](Policy::decide) does.
    ///
    /// What is decided in the process needs [`is_related`](Self::is_related) for the value in question. In a filter that
    /// counts where the value is known before any row is read, such as a constant; for a value that stands in the row the
    /// pairs of the database count alone, and in row-level security always. Where [all values](Self::related) were told, a
    /// filter asks for none.
    #[must_use]
    pub fn related_in_database(mut self, relation: &str) -> Self {
        let Some((place, _)) = self.relation(relation) else {
            return self.error(relation, Why::Undeclared);
        };
        self.in_database.insert(place);
        // Under the id, whatever a directory told under another name.
        self.of_directory = self.of_directory.filter(|other| *other != place);
        self
    }

    /// The version of the attributes that this was made from, for the audit trail.
    #[must_use]
    pub const fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// What is known, put together.
    #[must_use]
    pub fn build(self) -> Subject {
        let compiled = self.policy.compiled();
        let parts = &compiled.parts;
        let with_inherited = |roles: &RoleBits| {
            roles.iter().fold(RoleBits::EMPTY, |all, role| {
                all.union(&parts.roles.closure(role))
            })
        };
        let held = with_inherited(&self.roles);
        let used = match &self.activated {
            None => held,
            Some(names) => {
                let named: RoleBits = names
                    .iter()
                    .filter_map(|name| parts.roles.find(name))
                    .collect();
                // Only what is held can be used.
                with_inherited(&named.intersection(&held))
            }
        };
        let granted = self.scopes.union(&parts.scopes.granted_by(&used));
        let all_granted = self.scopes.union(&parts.scopes.granted_by(&held));
        let kind = parts.subject.id;
        let datum = |text: &str| {
            Datum::new(Value::Text(text), kind, &parts.levels)
                .map_or(OwnedDatum::Unknown, Datum::to_owned)
        };
        let is_text = kind == Type::Text;
        let id = match &self.known_as {
            Some(id) => Some(datum(id)),
            None if is_text || self.is_foreign => None,
            None => Some(datum(self.principal.subject.as_str())),
        };
        let own_name = || Box::from(self.principal.subject.as_str());
        let is_named = self.directory_name.is_some();
        let directory_name = self
            .directory_name
            .or_else(|| (self.has_facts && !self.is_foreign).then(own_name));
        let by_hand = if is_named { Bits::EMPTY } else { self.by_hand };
        // What a directory knows under one name, a database does not know under another.
        let row_name = id.as_ref().map_or_else(
            || Datum::Text(self.principal.subject.as_str()),
            OwnedDatum::get,
        );
        let is_asked_by_id = || {
            let name = directory_name.as_deref();
            name.is_some_and(|name| datum(name).get() == row_name)
        };
        let known = Known {
            elsewhere: self.of_directory.filter(|_| !is_asked_by_id()),
            id,
            on_behalf_of: match &self.principal.on_behalf_of {
                Some(subject) if !is_text && !self.is_foreign => Some(datum(subject.as_str())),
                Some(_) | None => None,
            },
            is_foreign: self.is_foreign,
            directory_name,
            by_hand,
            has_undeclared: self.has_undeclared,
            scopes: self
                .limit
                .map_or(granted, |limit| granted.intersection(&limit)),
            all_scopes: all_granted.union(&self.named),
            is_limited: self.limit.is_some(),
            highest_rank: used.iter().filter_map(|role| parts.roles.rank(role)).max(),
            broken_separation: compiled
                .broken_separation(&held, &used)
                .map(|separation| separation.name.clone()),
            used,
            held,
            attributes: self.attributes,
            relations: self.relations,
            in_database: self.in_database,
            errors: self.errors,
            version: self.version,
            principal: self.principal,
            policy: self.policy,
        };
        Subject(Arc::new(known))
    }

    fn relation(&self, name: &str) -> Option<(u16, Type)> {
        let relations = &self.policy.compiled().parts.relations;
        (0_u16..)
            .zip(relations)
            .find(|(_, relation)| &*relation.name == name)
            .map(|(place, relation)| (place, relation.value))
    }

    fn break_relation(&mut self, place: u16) {
        if let Some(slot) = self.relations.get_mut(usize::from(place)) {
            *slot = Related::Broken;
        }
    }

    fn error(mut self, name: &str, why: Why) -> Self {
        self.errors.push(AttributeError {
            of: "subject",
            attribute: name.into(),
            why,
        });
        self
    }
}
