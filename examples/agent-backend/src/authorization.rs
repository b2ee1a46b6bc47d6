//! Who may do what to which cases: the policy, and who tells what is known of a caller.
//!
//! The policy stands in `policy.toml`, beside its tests. What a caller is, is told by the directory, which
//! administrators change, and never by something that the caller sends.

use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{PrincipalKind, Role, VerifiedPrincipal};
use ringwall_core::step::Step;
use ringwall_gate::authz::{
    Action, CredentialScopes, DirectoryError, KnownSubject, Policy, PolicyFaults, Resource,
    SubjectDirectory, SubjectResolver, ToResource, UnknownResourceType,
};

use crate::case::{Case, NewCase};
use crate::tenant::TenantScope;

const POLICY: &str = include_str!("../policy.toml");

/// The role of a member of the organisation to whom nobody gave one.
const DEFAULT_ROLE: &str = "analyst";

/// The relation that is asked of the database, since there can be many cases that somebody is assigned to.
const ASSIGNMENTS: &str = "case_assignments";

/// Actions upon cases, as types: the permit to read one is not that to delete it.
macro_rules! case_actions {
    ($($action:ident = $name:literal,)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $action;

        impl Action for $action {
            const RESOURCE: &'static str = "case";
            const NAME: &'static str = $name;
        }
    )*};
}

case_actions! {
    ReadCase = "read",
    CreateCase = "create",
    UpdateCase = "update",
    DeleteCase = "delete",
    AssignCase = "assign",
}

/// The policy of this service.
pub(crate) fn policy() -> Result<Policy, PolicyFaults> {
    Policy::from_toml(POLICY)
}

/// Tells what is known of callers: what the directory knows of people, and of API keys their scopes.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    directory: Arc<dyn SubjectDirectory>,
    /// Whose subjects the directory knows: the `alice` of another issuer is somebody else. Each of several is bound to an
    /// organisation of its own, within which it gives a name to one person.
    issuers: Arc<[String]>,
    /// Whether roles in tokens count too: those of a development issuer, which signs for anybody anyway.
    believes_tokens: bool,
}

impl Members {
    /// The members whom these issuers name, by `directory`.
    pub(crate) const fn new(directory: Arc<dyn SubjectDirectory>, issuers: Arc<[String]>) -> Self {
        Self {
            directory,
            issuers,
            believes_tokens: false,
        }
    }

    /// With the roles that tokens name, beside those of the directory.
    pub(crate) const fn believing_tokens(mut self) -> Self {
        self.believes_tokens = true;
        self
    }
}

impl SubjectResolver for Members {
    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        _now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        // The scopes of the policy are those of keys; what people's tokens name, the routes demand.
        let scopes = if principal.kind == PrincipalKind::ApiKey {
            CredentialScopes::Grant
        } else {
            CredentialScopes::Ignore
        };
        let known = KnownSubject::new(principal.clone())
            .with_credential_scopes(scopes)
            .related_in_database(ASSIGNMENTS);
        // A key is nobody: what it may do, its scopes say.
        let is_ours = principal.kind != PrincipalKind::ApiKey
            && principal
                .issuer
                .as_deref()
                .is_none_or(|issuer| self.issuers.iter().any(|own| own == issuer));
        let known = if is_ours || principal.kind == PrincipalKind::ApiKey {
            known
        } else {
            known.of_foreign_issuer()
        };
        let Some(tenant) = principal.tenant.as_ref().filter(|_| is_ours) else {
            return Step::Done(Ok(known));
        };
        let named: Vec<Box<str>> = if self.believes_tokens {
            let named = principal.roles.iter().map(Role::as_str);
            named.map(Into::into).collect()
        } else {
            Vec::new()
        };
        let facts = self.directory.facts(&tenant.org, &principal.subject);
        facts.map(move |facts| {
            facts.map(|mut facts| {
                facts.roles.extend(named);
                if facts.roles.is_empty() {
                    facts.roles.push(DEFAULT_ROLE.into());
                }
                known.with_facts(facts)
            })
        })
    }
}

/// A case that is not there yet, with what the verified caller makes of it.
pub(crate) struct Draft<'a> {
    pub(crate) id: &'a str,
    pub(crate) tenant: &'a TenantScope,
    pub(crate) owner: &'a str,
    pub(crate) case: &'a NewCase,
}

impl ToResource for Draft<'_> {
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
        let department = self.case.department.as_ref();
        let case = policy
            .resource("case")?
            .id(self.id)
            .org(self.tenant.org())
            .project(self.tenant.project());
        Ok(case
            .attribute("owner", self.owner)
            .attribute("department", department.map(|name| name.as_str())))
    }
}

/// A case of the tenant that it was read for.
pub(crate) struct Kept<'a> {
    pub(crate) tenant: &'a TenantScope,
    pub(crate) case: &'a Case,
}

impl ToResource for Kept<'_> {
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
        let case = policy
            .resource("case")?
            .id(self.case.id.as_str())
            .org(self.tenant.org())
            .project(self.tenant.project());
        Ok(case
            .attribute("owner", self.case.created_by.as_str())
            .attribute("department", self.case.department.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use ringwall_core::attest::Attest;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, OrgId, Principal, Subject, Tenant,
    };
    use ringwall_gate::authz::{Cases, MemoryDirectory};

    use super::*;

    fn caller(kind: PrincipalKind, issuer: Option<&str>, role: Option<&str>) -> Principal {
        let name = Subject::new("ada").expect("valid");
        let mut caller =
            Principal::new(kind, name, Authentication::new(AuthenticationMethod::Token));
        caller.issuer = issuer.map(Into::into);
        caller.tenant = Some(Tenant {
            org: OrgId::new("acme").expect("valid"),
            project: None,
        });
        caller.roles = role
            .map(|role| Role::new(role).expect("valid"))
            .into_iter()
            .collect();
        caller
    }

    /// Which of the roles the caller acts in.
    async fn roles(members: &Members, caller: Principal) -> Vec<&'static str> {
        let policy = policy().expect("a policy");
        let caller = VerifiedPrincipal::attest(caller, Attest::i_have_verified_this());
        let known = members.resolve(&caller, Timestamp::UNIX_EPOCH).await;
        let subject = known.expect("it answers").for_policy(&policy);
        let all = ["admin", "manager", "analyst", "viewer"];
        all.into_iter()
            .filter(|role| subject.has_role(role))
            .collect()
    }

    #[tokio::test]
    async fn a_caller_is_what_the_directory_says_and_never_what_it_says_itself() {
        let directory = Arc::new(MemoryDirectory::new());
        let issuers: Arc<[String]> = Arc::new(["https://login.example".to_owned()]);
        let members = Members::new(directory.clone(), issuers);
        let ours = Some("https://login.example");
        let user = PrincipalKind::User;
        let none: Vec<&str> = Vec::new();
        assert_eq!(
            roles(&members, caller(user, ours, Some("admin"))).await,
            ["analyst"]
        );
        assert_eq!(
            roles(&members, caller(user, Some("https://other.example"), None)).await,
            none
        );
        assert_eq!(
            roles(&members, caller(PrincipalKind::ApiKey, None, None)).await,
            none
        );
        let (org, ada) = (
            OrgId::new("acme").expect("valid"),
            Subject::new("ada").expect("valid"),
        );
        let granted = directory.grant_role(&org, &ada, "viewer").await;
        granted.expect("granted");
        assert_eq!(
            roles(&members, caller(user, ours, Some("admin"))).await,
            ["viewer"]
        );
        assert_eq!(
            roles(&members, caller(PrincipalKind::ApiKey, None, None)).await,
            none
        );
        let believing = members.believing_tokens();
        let both = roles(&believing, caller(user, ours, Some("admin"))).await;
        assert_eq!(both, ["admin", "viewer"]);
    }

    #[test]
    fn the_policy_decides_as_its_cases_say() {
        let policy = policy().expect("a policy");
        let cases = Cases::from_toml(include_str!("../policy.cases.toml")).expect("cases");
        let outcomes = cases.run(&policy);
        assert!(outcomes.len() >= 14, "{}", outcomes.len());
        for outcome in outcomes {
            assert_eq!(outcome.failure, None, "{}", outcome.name);
        }
    }
}
