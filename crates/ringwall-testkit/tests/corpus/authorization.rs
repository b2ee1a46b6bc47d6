//! The authorization policy of the gates that have one, what their directory knows, and the row that a handler reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ringwall_core::principal::{OrgId, Role, Scope, Subject};
use ringwall_core::step::Step;
use ringwall_gate::authz::directory::DirectoryAnswer;
use ringwall_gate::authz::{
    Action, DirectoryError, DirectorySubjects, NoObserver, Policy, PolicyHandle,
    PolicyInformationPoint, Resource, SubjectFacts, ToResource, UnknownResourceType,
};
use ringwall_gate::{Authorization, RoleScopes};

use crate::case::GateName;
use crate::credentials::ISSUER;

/// The field that says which row the handler reads: an organisation, a slash, an owner.
pub(crate) const ROW: &str = "x-dossier";

const POLICY: &str = r#"
version = 1
name = "corpus"
[roles.director]
rank = 30
[roles.manager]
rank = 20
scopes = ["payments:read", "payments:write"]
[roles.clerk]
rank = 10
scopes = ["payments:read"]
[roles.suspended]
[resources.payment]
actions = ["read", "write"]
[resources.payroll]
actions = ["read"]
[resources.dossier]
actions = ["read"]
attributes.owner = "text"
table = { name = "dossiers" }
[[rules]]
id = "payment-read"
effect = "permit"
resource = "payment"
actions = ["read"]
scopes = ["payments:read"]
[[rules]]
id = "payment-write"
effect = "permit"
resource = "payment"
actions = ["write"]
scopes = ["payments:write"]
[[rules]]
id = "suspended"
effect = "forbid"
resource = "payment"
actions = ["*"]
roles = ["suspended"]
[[rules]]
id = "payroll-read"
effect = "permit"
resource = "payroll"
actions = ["read"]
roles = ["manager"]
obligations = { reason_required = true }
[[rules]]
id = "dossier-own"
effect = "permit"
resource = "dossier"
actions = ["read"]
roles = ["manager"]
when = { eq = ["resource.owner", "subject.id"] }
"#;

/// The authorization of a gate; `None` for those without.
pub(crate) fn of(name: GateName) -> Option<Authorization> {
    let pace = match name {
        GateName::Authorized => Pace::AtOnce,
        GateName::AuthorizedSlow => Pace::Slow,
        GateName::AuthorizedDown => Pace::Never,
        GateName::Direct
        | GateName::Proxied
        | GateName::HttpsOnly
        | GateName::HttpsRedirect
        | GateName::Slow
        | GateName::Unrecorded
        | GateName::Described
        | GateName::Alone
        | GateName::Bound
        | GateName::Nonces
        | GateName::SlowNonces
        | GateName::Organisations
        | GateName::Limited
        | GateName::LimitedSlow
        | GateName::LimitedProxied
        | GateName::LimitedForwarded
        | GateName::LimitedNamed => return None,
    };
    let policy = Policy::from_toml(POLICY).expect("a policy");
    let directory = Arc::new(Directory {
        pace,
        fleeting: AtomicU32::new(0),
    });
    let subjects = DirectorySubjects::of_issuer(directory, ISSUER);
    let handle = PolicyHandle::new(policy, Arc::new(NoObserver));
    Some(Authorization::new(handle, Arc::new(subjects)))
}

/// What roles that tokens name grant at these gates, beside the policy.
pub(crate) fn role_scopes() -> RoleScopes {
    let editor = Role::new("editor").expect("a role");
    let scopes = ["cases:read", "cases:write"].map(|scope| Scope::new(scope).expect("a scope"));
    RoleScopes::new().grant(editor, scopes)
}

/// How long the directory takes.
#[derive(Clone, Copy, Debug)]
enum Pace {
    AtOnce,
    Slow,
    /// It is down.
    Never,
}

#[derive(Debug)]
struct Directory {
    pace: Pace,
    /// How often it was asked for the one whose role comes and goes.
    fleeting: AtomicU32,
}

impl Directory {
    /// The roles that it knows somebody to hold.
    fn roles(&self, org: &str, subject: &str) -> &'static [&'static str] {
        match (org, subject) {
            // `sso` is an organisation whose people log in elsewhere, where somebody else is called `lead`.
            ("acme" | "sso", "lead") | ("acme", "robot") => &["manager"],
            ("acme", "chief") => &["director"],
            ("acme", "clerk") => &["clerk"],
            // In another case, with Cyrillic letters, with a space, with one that has no width.
            ("acme", "alike") => &[
                "Manager",
                "MANAGER",
                "m\u{430}nager",
                "manager ",
                "manager\u{200b}",
            ],
            ("acme", "suspended") => &["manager", "suspended"],
            ("acme", "fleeting") => {
                let asked = self.fleeting.fetch_add(1, Ordering::Relaxed);
                if asked.is_multiple_of(2) {
                    &["manager"]
                } else {
                    &[]
                }
            }
            _ => &[],
        }
    }
}

impl PolicyInformationPoint for Directory {
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        let mut facts = SubjectFacts::new(1);
        let roles = self.roles(org.as_str(), subject.as_str());
        facts.roles.extend(roles.iter().map(|role| (*role).into()));
        match self.pace {
            Pace::AtOnce => Step::Done(Ok(facts)),
            Pace::Slow => Step::wait(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(facts)
            }),
            Pace::Never => Step::Done(Err(DirectoryError::Unavailable {
                retry_after: Duration::from_secs(13),
                source: None,
            })),
        }
    }
}

/// What the handler of the route for rows does.
pub(crate) struct ReadDossier;

impl Action for ReadDossier {
    const RESOURCE: &'static str = "dossier";
    const NAME: &'static str = "read";
}

/// The row that it reads.
pub(crate) struct Dossier {
    org: String,
    owner: String,
}

impl Dossier {
    /// The row that the caller named; nobody's, if none.
    pub(crate) fn named(value: Option<&[u8]>) -> Self {
        let text = String::from_utf8_lossy(value.unwrap_or_default());
        let (org, owner) = text.split_once('/').unwrap_or_default();
        Self {
            org: org.to_owned(),
            owner: owner.to_owned(),
        }
    }
}

impl ToResource for Dossier {
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
        let dossier = policy.resource("dossier")?.id("d1").org(&self.org);
        Ok(dossier.attribute("owner", &self.owner))
    }
}
