//! Subjects for the tests.

use ringwall_authz::{Policy, SubjectBuilder};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Role, Scope,
    Subject, Tenant, VerifiedPrincipal,
};

pub(crate) fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

pub(crate) fn principal(id: &str, org: Option<&str>, project: Option<&str>) -> Principal {
    let mut principal = Principal::new(
        PrincipalKind::User,
        Subject::new(id).expect("a subject"),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = org.map(|org| Tenant {
        org: OrgId::new(org).expect("an organisation"),
        project: project.map(|project| ProjectId::new(project).expect("a project")),
    });
    principal
}

pub(crate) fn verified(principal: Principal) -> VerifiedPrincipal {
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

/// Somebody of the organisation `o1`.
pub(crate) fn somebody(policy: &Policy, id: &str) -> SubjectBuilder {
    policy.subject(&verified(principal(id, Some("o1"), None)))
}

pub(crate) fn with_claims(policy: &Policy, roles: &[&str], scopes: &[&str]) -> SubjectBuilder {
    let mut principal = principal("u1", Some("o1"), None);
    for role in roles {
        principal.roles.push(Role::new(*role).expect("a role"));
    }
    for scope in scopes {
        principal.scopes.push(Scope::new(*scope).expect("a scope"));
    }
    policy.subject(&verified(principal))
}
