//! What is known of a subject, put together.

use std::collections::{BTreeSet, HashMap};

use ringwall_core::principal::{PrincipalKind, Tenant, VerifiedPrincipal};

use crate::bits::{Bits, RoleBits, ScopeBits};
use crate::compile::rules::CompiledRule;
use crate::document::Effect;
use crate::policy::Policy;
use crate::slots::AttributeError;
use crate::truth::Truth;
use crate::value::{Datum, OwnedDatum, Type};

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) policy: Policy,
    pub(super) principal: VerifiedPrincipal,
    /// Where it is not the text of the principal's subject.
    pub(super) id: Option<OwnedDatum>,
    pub(super) on_behalf_of: Option<OwnedDatum>,
    /// Whether rows and tables that bear the same name mean somebody else.
    pub(super) is_foreign: bool,
    /// Under which name the attributes that the database holds are its own.
    pub(super) directory_name: Option<Box<str>>,
    /// The attributes that were told by hand, unless it is stated that the directory has them.
    pub(super) by_hand: Bits<1>,
    /// Whether something was told that is no attribute: perhaps one of those that were not told, by a name that was
    /// misspelt.
    pub(super) has_undeclared: bool,
    /// The relation of which the directory told all pairs, under another name than that of rows and tables.
    pub(super) elsewhere: Option<u16>,
    /// The roles that it uses, with all that they inherit.
    pub(crate) used: RoleBits,
    /// Those that count for forbids: all that it holds, whichever it uses.
    pub(super) held: RoleBits,
    /// Those that count for permits, demands and questions.
    pub(super) scopes: ScopeBits,
    /// Those that count for forbids: all that it holds, whatever its credential is limited to.
    pub(super) all_scopes: ScopeBits,
    /// Whether its credential is limited to scopes, so that nothing is permitted that none of them names.
    pub(super) is_limited: bool,
    pub(super) highest_rank: Option<u32>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) relations: Vec<Related>,
    /// Those of which the database knows more.
    pub(crate) in_database: Bits<1>,
    pub(crate) broken_separation: Option<Box<str>>,
    pub(super) errors: Vec<AttributeError>,
    pub(super) version: Option<u64>,
}

/// What is known of one attribute.
#[derive(Clone, Debug, Default)]
pub(crate) enum Attribute {
    /// Nobody told.
    #[default]
    Unknown,
    /// Something was told of it that cannot be: nothing that is told later makes it known.
    Broken,
    /// It is known to have this value alone, and until when in microseconds.
    One((OwnedDatum, i64)),
    /// All its values, and until when each holds; none means that it is known to have none.
    Values(Vec<(OwnedDatum, i64)>),
}

impl Attribute {
    /// One value more. Most attributes have one, for which nothing is allocated.
    pub(super) fn push(&mut self, value: OwnedDatum, until: i64) {
        *self = match core::mem::take(self) {
            Self::Unknown => Self::One((value, until)),
            Self::Broken => Self::Broken,
            Self::One(first) => Self::Values(vec![first, (value, until)]),
            Self::Values(mut values) if !values.is_empty() => {
                values.push((value, until));
                Self::Values(values)
            }
            Self::Values(_) => Self::One((value, until)),
        };
    }

    /// All its values. `None` when nobody told.
    pub(super) fn values(&self) -> Option<&[(OwnedDatum, i64)]> {
        match self {
            Self::Unknown | Self::Broken => None,
            Self::One(value) => Some(core::slice::from_ref(value)),
            Self::Values(values) => Some(values),
        }
    }
}

/// What is known of one relation.
#[derive(Clone, Debug, Default)]
pub(crate) enum Related {
    #[default]
    Unknown,
    /// All values to which the subject stands in it.
    All(BTreeSet<OwnedDatum>),
    /// Something was told of it that cannot be.
    Broken,
    /// Of these values it is known whether it does.
    Pairs(HashMap<OwnedDatum, bool>),
}

impl Known {
    pub(crate) fn has_role(&self, role: u16) -> bool {
        self.may_use_roles() && self.used.contains(role)
    }

    pub(crate) fn has_scope(&self, scope: u16) -> bool {
        self.broken_separation.is_none() && self.scopes.contains(scope)
    }

    /// Whether its roles count for whoever asks for a role, and for no scope.
    pub(super) const fn may_use_roles(&self) -> bool {
        self.broken_separation.is_none() && !self.is_limited
    }

    /// The roles that count for a rule of this effect. Who leaves roles aside leaves rights aside, and never what forbids.
    pub(crate) const fn roles_for(&self, effect: Effect) -> &RoleBits {
        match effect {
            Effect::Permit => &self.used,
            Effect::Forbid => &self.held,
        }
    }

    /// The scopes that count for a rule of this effect. A limit takes rights away, and never what forbids.
    pub(crate) const fn scopes_for(&self, effect: Effect) -> &ScopeBits {
        match effect {
            Effect::Permit => &self.scopes,
            Effect::Forbid => &self.all_scopes,
        }
    }

    /// Whether its roles and scopes are such that the rule can apply.
    pub(crate) fn meets(&self, rule: &CompiledRule) -> bool {
        rule.is_for(self.roles_for(rule.effect)) && self.meets_scopes(rule)
    }

    /// Whether the rule cannot apply, since it permits without a scope what the credential has to name.
    pub(crate) fn is_beyond_limit(&self, rule: &CompiledRule) -> bool {
        self.is_limited && matches!(rule.effect, Effect::Permit) && rule.scopes.is_empty()
    }

    /// Whether its scopes are such that the rule can apply.
    pub(crate) fn meets_scopes(&self, rule: &CompiledRule) -> bool {
        !self.is_beyond_limit(rule) && self.scopes_for(rule.effect).contains_all(&rule.scopes)
    }

    /// Whether the rule, which permits nothing as its subject acts now, would if it used all its roles under no limit: then
    /// what it demands is owed all the same. Otherwise somebody would see unmasked what a credential that is worth less
    /// opens, or what one role opens when another is left aside.
    pub(crate) fn owes_beyond_use(&self, rule: &CompiledRule) -> bool {
        !rule.obligations.is_empty()
            && !self.meets(rule)
            && rule.is_for(&self.held)
            && self.all_scopes.contains_all(&rule.scopes)
    }

    /// All roles that it holds, whichever it uses.
    pub(crate) const fn held(&self) -> &RoleBits {
        &self.held
    }

    pub(crate) const fn is_limited(&self) -> bool {
        self.is_limited
    }

    pub(crate) fn kind(&self) -> PrincipalKind {
        self.principal.kind
    }

    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        self.principal.tenant.as_ref()
    }

    pub(crate) fn id(&self) -> Datum<'_> {
        match &self.id {
            Some(id) => id.get(),
            None if self.is_foreign => Datum::Unknown,
            None => Datum::Text(self.principal.subject.as_str()),
        }
    }

    pub(crate) fn on_behalf_of(&self) -> Datum<'_> {
        match (&self.on_behalf_of, &self.principal.on_behalf_of) {
            (Some(id), _) => id.get(),
            (None, Some(_)) if self.is_foreign => Datum::Unknown,
            (None, Some(subject)) => Datum::Text(subject.as_str()),
            (None, None) => Datum::Unknown,
        }
    }

    /// Whether it acts for somebody, known by an id or not.
    pub(crate) fn is_on_behalf(&self) -> bool {
        self.principal.on_behalf_of.is_some()
    }

    /// Under which name the attributes that the database holds are its own.
    pub(crate) fn directory_name(&self) -> Option<&str> {
        self.directory_name.as_deref()
    }

    /// Whether the pairs of a relation that the database holds under its id are its own: all were told, or that the
    /// database knows them.
    pub(crate) fn has_pairs_in_database(&self, place: u16) -> bool {
        if self.elsewhere == Some(place) {
            return false;
        }
        let has_id = self.id().is_known();
        match self.relations.get(usize::from(place)) {
            // Under no id the database holds none.
            Some(Related::All(all)) => has_id || all.is_empty(),
            Some(Related::Unknown | Related::Pairs(_)) => {
                has_id && self.in_database.contains(place)
            }
            Some(Related::Broken) | None => false,
        }
    }

    /// The one value that holds at `now`.
    pub(crate) fn value(&self, place: u16, now: i64) -> Datum<'_> {
        let attribute = self.attributes.get(usize::from(place));
        let Some(values) = attribute.and_then(Attribute::values) else {
            return Datum::Unknown;
        };
        let mut holding = values.iter().filter(|(_, until)| *until > now);
        match (holding.next(), holding.next()) {
            (Some((value, _)), None) => value.get(),
            (None, _) | (Some(_), Some(_)) => Datum::Unknown,
        }
    }

    /// Whether something was told of one of these attributes that no database knows: by hand, or by whomever where the
    /// database knows the subject under no name.
    pub(crate) fn has_by_hand(&self, asked: &Bits<1>) -> bool {
        let sets = &self.policy.compiled().parts.subject.attributes;
        let is_set = |place: u16| {
            let attribute = sets.get(usize::from(place));
            attribute.is_some_and(|attribute| attribute.kind == Type::TextSet)
        };
        let is_told = |place: u16| match self.attributes.get(usize::from(place)) {
            None | Some(Attribute::Unknown) => false,
            // A set that is empty is not one that is unknown.
            Some(Attribute::Values(values)) => !values.is_empty() || is_set(place),
            Some(Attribute::Broken | Attribute::One(_)) => true,
        };
        if self.directory_name.is_some() {
            !self.by_hand.intersection(asked).is_empty()
        } else {
            asked.iter().any(is_told)
        }
    }

    /// Whether one of these attributes was not told, unless by a name that was misspelt.
    pub(crate) fn has_perhaps(&self, asked: &Bits<1>) -> bool {
        let is_untold = |place: u16| {
            let told = self.attributes.get(usize::from(place));
            matches!(told, Some(Attribute::Unknown))
        };
        self.has_undeclared && asked.iter().any(is_untold)
    }

    /// Whether an attribute has a value at `now`: perhaps, when there are several, or one that is none of its type, or
    /// when nothing was told beside something that is no attribute.
    pub(crate) fn is_set(&self, place: u16, now: i64) -> Truth {
        match self.attributes.get(usize::from(place)) {
            Some(Attribute::Broken) => Truth::Unknown,
            Some(Attribute::Unknown) if self.has_undeclared => Truth::Unknown,
            Some(told) => {
                let values = told.values().unwrap_or_default();
                let mut holding = values.iter().filter(|(_, until)| *until > now);
                match (holding.next(), holding.next()) {
                    (None, _) => Truth::False,
                    (Some((value, _)), None) if value.get().is_known() => Truth::True,
                    (Some(_), _) => Truth::Unknown,
                }
            }
            None => Truth::False,
        }
    }

    /// The values of a set that hold at `now`. `None` when nobody told them.
    pub(crate) fn values(&self, place: u16, now: i64) -> Option<impl Iterator<Item = &OwnedDatum>> {
        let values = self.attributes.get(usize::from(place))?.values()?;
        let holding = values.iter().filter(move |(_, until)| *until > now);
        Some(holding.map(|(value, _)| value))
    }

    pub(crate) fn is_related(&self, place: u16, value: Datum<'_>) -> Option<bool> {
        match self.relations.get(usize::from(place))? {
            Related::Unknown | Related::Broken => None,
            Related::All(all) => Some(all.contains(&value.to_owned())),
            Related::Pairs(pairs) => pairs.get(&value.to_owned()).copied(),
        }
    }
}
