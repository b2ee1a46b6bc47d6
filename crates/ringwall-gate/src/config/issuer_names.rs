//! Whether two issuers can give one name to two people.

use ringwall_core::principal::OrgId;

use super::authorization::AuthorizationConfig;
use super::fault::{Faults, SettingSource};
use super::introspection::Introspection;
use super::tokens::Tokens;

/// For whose people an issuer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpeaksFor<'a> {
    /// Those of this organisation.
    One(&'a OrgId),
    /// Those of whatever organisation it says, or of none.
    Any,
    /// People of no organisation.
    None,
}

impl SpeaksFor<'_> {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            // A policy may take them for UUIDs, whose letters are of either case.
            (Self::One(own), Self::One(other)) => own.as_str().eq_ignore_ascii_case(other.as_str()),
            // Who says no organisation is of none, and a type of resource may belong to none.
            (Self::Any, Self::Any | Self::One(_) | Self::None)
            | (Self::One(_) | Self::None, Self::Any)
            | (Self::None, Self::None) => true,
            (Self::None, Self::One(_)) | (Self::One(_), Self::None) => false,
        }
    }
}

/// Whether two of the issuers speak for the same people, and names are believed whoever gives them: a policy that asks
/// for `subject.id` would take the `alice` of one for that of the other.
fn can_meet(
    tokens: &[Tokens],
    introspection: Option<&Introspection>,
    authorization: Option<&AuthorizationConfig>,
) -> bool {
    let asked = introspection.map(Introspection::speaks_for);
    let all: Vec<SpeaksFor<'_>> = tokens.iter().map(Tokens::speaks_for).chain(asked).collect();
    let mut pairs = (0_usize..).zip(&all).flat_map(|(number, one)| {
        let before = all.iter().take(number);
        before.map(move |other| one.meets(*other))
    });
    authorization.is_some_and(AuthorizationConfig::believes_credentials) && pairs.any(|meet| meet)
}

/// Refuses issuers of which two can give one name to two people, unless the owner says that they do not.
pub(super) fn check(
    tokens: &[Tokens],
    introspection: Option<&Introspection>,
    authorization: Option<&AuthorizationConfig>,
    faults: &mut Faults,
) {
    let is_said = authorization.is_some_and(|config| config.issuers_share_names);
    if !is_said && can_meet(tokens, introspection, authorization) {
        let problem = "believes names whoever gives them, and two issuers can give one name to two people of an organisation";
        let remedy = "write for each issuer the organisation of its tokens (org), let the service tell of subjects, or write \
                      issuers_share_names = true where no issuer gives a name that another gave to somebody else";
        let source = SettingSource::Unset;
        faults.add("authorization.subjects", source, problem, remedy);
    }
}

/// What an operator should know of it.
pub(super) fn notice(
    tokens: &[Tokens],
    introspection: Option<&Introspection>,
    authorization: Option<&AuthorizationConfig>,
) -> Option<String> {
    can_meet(tokens, introspection, authorization).then(|| {
        "whom two issuers give one name is one subject to the policy (authorization.issuers_share_names)"
            .to_owned()
    })
}
