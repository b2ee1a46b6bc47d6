//! Tokens in every detail.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::TokenRequest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, ProjectId, Role, Scope, Subject, Tenant};
use serde_json::{Value, json};

use crate::failure::{fail, must};
use crate::flaw::{self, Flaw};
use crate::issuer::FakeIssuer;

/// How long a token lives unless said otherwise.
const LIFETIME: Duration = Duration::from_secs(600);

/// What a token is to say: begin with [`FakeIssuer::token`] or [`Kit::token`](crate::Kit::token), end
/// with [`issue`](Self::issue) or, for a bad one, with [`flawed`](Self::flawed).
///
/// A text that cannot be what it is meant to be (a scope with a space) fails the test.
#[derive(Clone, Debug)]
#[must_use = "a draft is no token until it is issued"]
pub struct TokenDraft {
    issuer: FakeIssuer,
    subject: Subject,
    client_id: Option<String>,
    actor: Option<Subject>,
    org: Option<OrgId>,
    project: Option<ProjectId>,
    scopes: Vec<Scope>,
    roles: Vec<Role>,
    audience: Option<String>,
    lifetime: Duration,
    logged_in_ago: Option<Duration>,
    claims: Vec<(String, Value)>,
}

impl TokenDraft {
    #[track_caller]
    pub(crate) fn new(issuer: FakeIssuer, subject: &str) -> Self {
        Self {
            issuer,
            subject: name(Subject::new(subject), subject),
            client_id: None,
            actor: None,
            org: None,
            project: None,
            scopes: Vec::new(),
            roles: Vec::new(),
            audience: None,
            lifetime: LIFETIME,
            logged_in_ago: None,
            claims: Vec::new(),
        }
    }

    /// Grants one more scope.
    #[track_caller]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scopes.push(name(Scope::new(scope), scope));
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
        self.roles.push(name(Role::new(role), role));
        self
    }

    /// Lets the caller act in this organisation. Without one the caller acts in no tenant.
    #[track_caller]
    pub fn org(mut self, org: &str) -> Self {
        self.org = Some(name(OrgId::new(org), org));
        self
    }

    /// Lets the caller act in this project of the organisation, which has to be said too.
    #[track_caller]
    pub fn project(mut self, project: &str) -> Self {
        self.project = Some(name(ProjectId::new(project), project));
        self
    }

    /// Makes it the token of a service: the client is its own subject (RFC 9068 §5).
    pub fn of_a_service(mut self) -> Self {
        self.client_id = Some(self.subject.as_str().to_owned());
        self
    }

    /// Says which client got the token (`client_id`).
    pub fn client_id(mut self, client: &str) -> Self {
        self.client_id = Some(client.to_owned());
        self
    }

    /// Lets `actor`, an agent, act for the subject (`act`, RFC 8693 §4.1).
    #[track_caller]
    pub fn actor(mut self, actor: &str) -> Self {
        self.actor = Some(name(Subject::new(actor), actor));
        self
    }

    /// Says of which authentication context class the login was (`acr`).
    pub fn acr(self, class: &str) -> Self {
        self.claim("acr", class)
    }

    /// Says by which methods the person was authenticated (`amr`, RFC 8176).
    pub fn amr<'a>(self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        let methods: Vec<&str> = methods.into_iter().collect();
        self.claim("amr", methods)
    }

    /// Says that the person logged in this long before the token was issued (`auth_time`).
    pub const fn logged_in_ago(mut self, ago: Duration) -> Self {
        self.logged_in_ago = Some(ago);
        self
    }

    /// Another audience than the issuer's usual one.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// How long the token lives: ten minutes unless set, in whole seconds.
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// One more claim. What the issuer itself sets (`iss`, `sub`, `exp`, `scope`, …) has methods of its
    /// own here, and fails the test when the token is issued.
    pub fn claim(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.push((claim.to_owned(), value.into()));
        self
    }

    /// Issues the token, at the time of the issuer's clock.
    #[track_caller]
    #[must_use]
    pub fn issue(&self) -> Token {
        self.issue_at(self.issuer.now())
    }

    /// Makes a token that is as this draft says, but for one flaw.
    #[track_caller]
    #[must_use]
    pub fn flawed(&self, flaw: Flaw) -> Token {
        flaw::make(self, flaw)
    }

    #[track_caller]
    pub(crate) fn issue_at(&self, now: Timestamp) -> Token {
        let audience = self.audience.as_deref();
        let audience = audience.unwrap_or_else(|| self.issuer.audience());
        let mut request = TokenRequest::new(self.subject.clone(), audience)
            .lifetime(self.lifetime)
            .scopes(self.scopes.iter().cloned())
            .roles(self.roles.iter().cloned());
        if let Some(client) = &self.client_id {
            request = request.client_id(client);
        }
        if let Some(actor) = &self.actor {
            request = request.actor(actor.clone());
        }
        request = match (&self.org, &self.project) {
            (Some(org), project) => request.tenant(Tenant {
                org: org.clone(),
                project: project.clone(),
            }),
            (None, None) => request,
            (None, Some(_)) => {
                fail("the token names a project and no organisation: say `.org(…)` too")
            }
        };
        if let Some(ago) = self.logged_in_ago {
            let at = now.checked_sub(ago).unwrap_or(now);
            request = request.claim("auth_time", json!(at.unix_seconds()));
        }
        for (claim, value) in &self.claims {
            request = request.claim(claim, value.clone());
        }
        let issued = must(
            self.issuer.tokens().issue(&request, now),
            "the token cannot be issued",
        );
        Token {
            text: issued.token.expose().into(),
            id: issued.token_id,
            expires_at: issued.expires_at,
            about: format!("token of {self}").into(),
        }
    }

    pub(crate) const fn issuer(&self) -> &FakeIssuer {
        &self.issuer
    }

    /// The same with these scopes and no others.
    #[track_caller]
    pub(crate) fn with_exactly(mut self, scopes: &[&str]) -> Self {
        self.scopes.clear();
        self.scopes(scopes.iter().copied())
    }

    pub(crate) fn granted(&self) -> Vec<&str> {
        self.scopes.iter().map(Scope::as_str).collect()
    }

    #[track_caller]
    pub(crate) fn named(mut self, subject: &str) -> Self {
        let is_service = self.client_id.as_deref() == Some(self.subject.as_str());
        self.subject = name(Subject::new(subject), subject);
        if is_service {
            self.of_a_service()
        } else {
            self
        }
    }

    pub(crate) fn without_org(mut self) -> Self {
        self.org = None;
        self.project = None;
        self
    }

    pub(crate) const fn has_org(&self) -> bool {
        self.org.is_some()
    }

    /// The same with a login of this class and no other, or of none.
    pub(crate) fn with_acr(mut self, class: Option<&str>) -> Self {
        self.claims.retain(|(claim, _)| claim != "acr");
        match class {
            Some(class) => self.acr(class),
            None => self,
        }
    }

    /// The same with a login this long ago, or at a time that nobody knows.
    pub(crate) const fn logged_in(mut self, ago: Option<Duration>) -> Self {
        self.logged_in_ago = ago;
        self
    }
}

/// Such as `alice, organisation acme, scopes: cases:read`.
impl fmt::Display for TokenDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.actor {
            Some(actor) => write!(f, "{actor} on behalf of {}", self.subject)?,
            None => write!(f, "{}", self.subject)?,
        }
        if let Some(org) = &self.org {
            write!(f, ", organisation {org}")?;
        }
        if self.scopes.is_empty() {
            return f.write_str(", no scopes");
        }
        f.write_str(", scopes:")?;
        self.scopes
            .iter()
            .try_for_each(|scope| write!(f, " {scope}"))
    }
}

/// A token, good or bad. `Debug` says what it is, and not what it is made of.
#[derive(Clone)]
pub struct Token {
    pub(crate) text: Arc<str>,
    pub(crate) id: Box<str>,
    pub(crate) expires_at: Timestamp,
    pub(crate) about: Arc<str>,
}

impl Token {
    /// The compact serialisation: what a client holds.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value of the `Authorization` field.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.text)
    }

    /// The token's id (`jti`).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the token ends.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.about)
    }
}

/// The name, or a failure that says which text is none.
#[track_caller]
pub(crate) fn name<T, E: fmt::Display>(result: Result<T, E>, text: &str) -> T {
    must(result, &format!("the test says {text:?}"))
}
