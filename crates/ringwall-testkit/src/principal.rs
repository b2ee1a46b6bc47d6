//! Callers without a credential: for handlers and policies that take a principal, and for requests of
//! callers that no token can express.
//!
//! ```
//! use ringwall_testkit::principal;
//!
//! let alice = principal::user("alice").org("acme").scope("cases:read").verified();
//! assert!(alice.has_scope("cases:read"));
//! let agent = principal::agent("assistant").on_behalf_of("alice").verified();
//! assert_eq!(agent.on_behalf_of.as_ref().unwrap(), &"alice");
//! ```

use core::fmt;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Attribute, Authentication, AuthenticationMethod, ContextClass, MethodReference, OrgId,
    Principal, PrincipalKind, ProjectId, Role, Scope, Subject, Tenant, VerifiedPrincipal,
};

use crate::failure::fail;
use crate::token::name;

/// A person, authenticated by a token.
#[track_caller]
pub fn user(subject: &str) -> PrincipalDraft {
    PrincipalDraft::new(PrincipalKind::User, subject, AuthenticationMethod::Token)
}

/// A service, authenticated by a client certificate.
#[track_caller]
pub fn service(subject: &str) -> PrincipalDraft {
    PrincipalDraft::new(
        PrincipalKind::Service,
        subject,
        AuthenticationMethod::MutualTls,
    )
}

/// An AI agent, authenticated by a token; acting for itself until
/// [`on_behalf_of`](PrincipalDraft::on_behalf_of) says for whom.
#[track_caller]
pub fn agent(subject: &str) -> PrincipalDraft {
    PrincipalDraft::new(PrincipalKind::Agent, subject, AuthenticationMethod::Token)
}

/// The holder of an API key.
#[track_caller]
pub fn api_key(id: &str) -> PrincipalDraft {
    let mut draft = PrincipalDraft::new(PrincipalKind::ApiKey, id, AuthenticationMethod::ApiKey);
    draft.principal.authentication.credential_id = Some(id.into());
    draft
}

/// What a principal is to be like; end with [`verified`](Self::verified), or hand it to a request.
///
/// A text that cannot be what it is meant to be (a scope with a space) fails the test.
#[derive(Clone, Debug)]
#[must_use = "a draft is no principal until it is verified"]
pub struct PrincipalDraft {
    principal: Principal,
    project: Option<ProjectId>,
}

impl PrincipalDraft {
    #[track_caller]
    fn new(kind: PrincipalKind, subject: &str, method: AuthenticationMethod) -> Self {
        let subject = name(Subject::new(subject), subject);
        Self {
            principal: Principal::new(kind, subject, Authentication::new(method)),
            project: None,
        }
    }

    /// Grants one more scope.
    #[track_caller]
    pub fn scope(mut self, scope: &str) -> Self {
        self.principal.scopes.push(name(Scope::new(scope), scope));
        self
    }

    /// Grants these scopes too.
    #[track_caller]
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        for scope in scopes {
            self = self.scope(scope);
        }
        self
    }

    /// Gives one more role.
    #[track_caller]
    pub fn role(mut self, role: &str) -> Self {
        self.principal.roles.push(name(Role::new(role), role));
        self
    }

    /// Lets the caller act in this organisation. Without one the caller acts in no tenant.
    #[track_caller]
    pub fn org(mut self, org: &str) -> Self {
        self.principal.tenant = Some(Tenant {
            org: name(OrgId::new(org), org),
            project: None,
        });
        self
    }

    /// Lets the caller act in this project of the organisation, which has to be said too.
    #[track_caller]
    pub fn project(mut self, project: &str) -> Self {
        self.project = Some(name(ProjectId::new(project), project));
        self
    }

    /// Says for whom the caller acts.
    #[track_caller]
    pub fn on_behalf_of(mut self, subject: &str) -> Self {
        self.principal.on_behalf_of = Some(name(Subject::new(subject), subject));
        self
    }

    /// Says who vouches for the subject.
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.principal.issuer = Some(Arc::from(issuer));
        self
    }

    /// Gives one more attribute, which holds as long as the authentication does.
    pub fn attribute(mut self, attribute: &str, value: &str) -> Self {
        self.principal.attributes.push(Attribute {
            name: attribute.into(),
            value: value.into(),
            expires_at: None,
        });
        self
    }

    /// Says how the caller was authenticated, in place of what is usual for its kind.
    pub const fn authenticated_by(mut self, method: AuthenticationMethod) -> Self {
        self.principal.authentication.method = method;
        self
    }

    /// Says when the person logged in.
    pub const fn logged_in_at(mut self, at: Timestamp) -> Self {
        self.principal.authentication.authenticated_at = Some(at);
        self
    }

    /// Says of which authentication context class the login was.
    #[track_caller]
    pub fn acr(mut self, class: &str) -> Self {
        self.principal.authentication.context_class = Some(name(ContextClass::new(class), class));
        self
    }

    /// Says one more method by which the person was authenticated.
    #[track_caller]
    pub fn amr(mut self, method: &str) -> Self {
        let methods = &mut self.principal.authentication.methods;
        methods.push(name(MethodReference::new(method), method));
        self
    }

    /// Says when the credential ends. It has no end otherwise.
    pub const fn expires_at(mut self, end: Timestamp) -> Self {
        self.principal.authentication.expires_at = Some(end);
        self
    }

    /// The principal, without the proof that anybody checked it.
    #[track_caller]
    #[must_use]
    pub fn unverified(&self) -> Principal {
        let mut principal = self.principal.clone();
        match (&mut principal.tenant, &self.project) {
            (_, None) => {}
            (Some(tenant), Some(project)) => tenant.project = Some(project.clone()),
            (None, Some(_)) => {
                fail("the caller has a project and no organisation: say `.org(…)` too")
            }
        }
        principal
    }

    /// The principal with the proof that code under test demands. Nobody checked anything: that is
    /// why this crate is for tests alone.
    #[track_caller]
    #[must_use]
    pub fn verified(&self) -> VerifiedPrincipal {
        VerifiedPrincipal::attest(self.unverified(), Attest::i_have_verified_this())
    }

    /// The same with these scopes and no others.
    #[track_caller]
    pub(crate) fn with_exactly(mut self, scopes: &[&str]) -> Self {
        self.principal.scopes.clear();
        self.scopes(scopes.iter().copied())
    }

    pub(crate) fn granted(&self) -> Vec<&str> {
        self.principal.scopes.iter().map(Scope::as_str).collect()
    }

    #[track_caller]
    pub(crate) fn named(mut self, subject: &str) -> Self {
        self.principal.subject = name(Subject::new(subject), subject);
        self
    }

    pub(crate) fn without_org(mut self) -> Self {
        self.principal.tenant = None;
        self.project = None;
        self
    }

    pub(crate) const fn has_org(&self) -> bool {
        self.principal.tenant.is_some()
    }

    /// The same with a login of this class and no other, or of none.
    #[track_caller]
    pub(crate) fn with_acr(mut self, class: Option<&str>) -> Self {
        self.principal.authentication.context_class = None;
        match class {
            Some(class) => self.acr(class),
            None => self,
        }
    }

    /// The same with a login at this time, or at one that nobody knows.
    pub(crate) const fn logged_in(mut self, at: Option<Timestamp>) -> Self {
        self.principal.authentication.authenticated_at = at;
        self
    }
}

/// Such as `api_key key-7, no scopes`.
impl fmt::Display for PrincipalDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let principal = &self.principal;
        write!(f, "{} {}", principal.kind.as_str(), principal.subject)?;
        if let Some(subject) = &principal.on_behalf_of {
            write!(f, " on behalf of {subject}")?;
        }
        if let Some(tenant) = &principal.tenant {
            write!(f, ", organisation {}", tenant.org)?;
        }
        if principal.scopes.is_empty() {
            return f.write_str(", no scopes");
        }
        f.write_str(", scopes:")?;
        principal
            .scopes
            .iter()
            .try_for_each(|scope| write!(f, " {scope}"))
    }
}
