//! What an issuer's tokens must be like.

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::principal::{PrincipalKind, Role, Scope};
use ringwall_jose::KeySource;

use crate::allowed_grants::AllowedGrants;
use crate::claim_path::ClaimPath;
use crate::error::PolicyError;
use crate::profile::TokenProfile;

/// The largest permitted clock skew. Beyond five minutes a skew is not a clock's imprecision but
/// a longer life for stolen tokens.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The clock skew unless set.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The longest life of a token unless set.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

const MAX_MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 3600);

const MAX_NAME_BYTES: usize = 512;

/// One issuer: its name, its keys, and what its tokens must be like.
///
/// An issuer's tokens are verified with its own keys and no others (RFC 8725 §3.8), and must be
/// for one of the audiences named here. Neither can be left out.
#[derive(Clone, Debug)]
pub struct IssuerPolicy {
    pub(crate) issuer: Arc<str>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) keys: Arc<dyn KeySource>,
    pub(crate) profile: TokenProfile,
    pub(crate) mapping: PrincipalMapping,
    pub(crate) allowed: AllowedGrants,
    pub(crate) clock_skew: Duration,
    pub(crate) max_lifetime: Duration,
}

impl IssuerPolicy {
    /// An issuer of RFC 9068 access tokens, compared to `iss` byte for byte, for this audience.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ringwall_authn::{IssuerPolicy, TokenProfile, jose::KeySource};
    /// # fn example(keys: Arc<dyn KeySource>) -> Result<(), ringwall_authn::PolicyError> {
    /// let policy = IssuerPolicy::builder("https://issuer.example", "https://api.example", keys)
    ///     .profile(TokenProfile::plain())
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder(issuer: &str, audience: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        IssuerPolicyBuilder {
            policy: Self {
                issuer: issuer.into(),
                audiences: vec![audience.into()],
                keys,
                profile: TokenProfile::access_token(),
                mapping: PrincipalMapping::default(),
                allowed: AllowedGrants::default(),
                clock_skew: DEFAULT_CLOCK_SKEW,
                max_lifetime: DEFAULT_MAX_LIFETIME,
            },
        }
    }

    /// The issuer, as `iss` must be.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Arc<dyn KeySource> {
        &self.keys
    }
}

/// Collects the options of an [`IssuerPolicy`].
#[derive(Clone, Debug)]
pub struct IssuerPolicyBuilder {
    policy: IssuerPolicy,
}

impl IssuerPolicyBuilder {
    /// Another audience that is accepted. A token must be for at least one of them.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.policy.audiences.push(audience.into());
        self
    }

    /// What kind of token the issuer gives out; RFC 9068 access tokens unless set.
    #[must_use]
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.policy.profile = profile;
        self
    }

    /// Where subject, roles, scopes and tenant are found.
    #[must_use]
    pub fn mapping(mut self, mapping: PrincipalMapping) -> Self {
        self.policy.mapping = mapping;
        self
    }

    /// Changes where subject, roles, scopes and tenant are found, starting from what is there: the
    /// mapping of a provider's preset, for instance.
    #[must_use]
    pub fn map_principal(
        mut self,
        change: impl FnOnce(PrincipalMapping) -> PrincipalMapping,
    ) -> Self {
        self.policy.mapping = change(self.policy.mapping);
        self
    }

    /// The scopes that this issuer may grant, compared byte for byte; any unless set, none of an empty list.
    /// What a token says beyond them is left out, and reported
    /// ([`GrantsLeftOut`](ringwall_core::event::EventKind::GrantsLeftOut)): whoever runs a tenant's own
    /// issuer writes into its tokens what they like. The claims of the token stay as they are.
    ///
    /// Where roles grant scopes too, say [`allowed_roles`](Self::allowed_roles) as well.
    #[must_use]
    pub fn allowed_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.policy.allowed.scopes = Some(scopes.into_iter().collect());
        self
    }

    /// The roles that this issuer may give, as [`allowed_scopes`](Self::allowed_scopes).
    #[must_use]
    pub fn allowed_roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.policy.allowed.roles = Some(roles.into_iter().collect());
        self
    }

    /// How far the clocks may be apart: 60 s unless set, at most 300 s.
    #[must_use]
    pub const fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.policy.clock_skew = clock_skew;
        self
    }

    /// The longest permitted life of a token, from `iat` (or now, without one) to `exp`: 24 h
    /// unless set.
    #[must_use]
    pub const fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.policy.max_lifetime = max_lifetime;
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when it cannot be sound.
    pub fn build(self) -> Result<IssuerPolicy, PolicyError> {
        let policy = self.policy;
        let is_name = |text: &str| !text.is_empty() && text.len() <= MAX_NAME_BYTES;
        if !is_name(&policy.issuer) || !policy.issuer.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(PolicyError::Issuer);
        }
        if !policy
            .audiences
            .iter()
            .all(|audience| is_name(audience) && !audience.chars().any(char::is_control))
        {
            return Err(PolicyError::Audience);
        }
        if policy.clock_skew > MAX_CLOCK_SKEW {
            return Err(PolicyError::ClockSkew);
        }
        if policy.max_lifetime < Duration::from_secs(1) || policy.max_lifetime > MAX_MAX_LIFETIME {
            return Err(PolicyError::Lifetime);
        }
        Ok(policy)
    }
}

/// Where in the claims the parts of a principal are found.
///
/// A claim that is named here and absent yields nothing (no role, no scope, no tenant); one that
/// is there in the wrong form refuses the token. A [`ClaimPath`] cannot be made for claims that
/// their own subject can write.
#[derive(Clone, Debug)]
pub struct PrincipalMapping {
    pub(crate) subject: ClaimPath,
    pub(crate) scopes: Vec<ClaimPath>,
    pub(crate) roles: Vec<ClaimPath>,
    pub(crate) org: Option<ClaimPath>,
    pub(crate) project: Option<ClaimPath>,
    pub(crate) fixed_org: Option<ringwall_core::principal::OrgId>,
    pub(crate) any_org: bool,
    pub(crate) kind: Option<PrincipalKind>,
    pub(crate) accepts_actor: bool,
}

impl Default for PrincipalMapping {
    /// `sub`; `scope`; `roles`; `org_id` and `project_id`. The kind is
    /// [`PrincipalKind::Service`] when `client_id` equals the subject (RFC 9068 §5), otherwise
    /// [`PrincipalKind::User`]. A token with an actor is refused.
    fn default() -> Self {
        Self {
            subject: ClaimPath::fixed(&["sub"]),
            scopes: vec![ClaimPath::fixed(&["scope"])],
            roles: vec![ClaimPath::fixed(&["roles"])],
            org: Some(ClaimPath::fixed(&["org_id"])),
            project: Some(ClaimPath::fixed(&["project_id"])),
            fixed_org: None,
            any_org: false,
            kind: None,
            accepts_actor: false,
        }
    }
}

impl PrincipalMapping {
    /// The claim that names the subject: a string.
    #[must_use]
    pub fn subject(mut self, path: ClaimPath) -> Self {
        self.subject = path;
        self
    }

    /// The claims that hold scopes: strings separated by spaces (RFC 6749 §3.3) or arrays of
    /// strings. Several are added up; none grants no scope.
    #[must_use]
    pub fn scopes(mut self, paths: impl IntoIterator<Item = ClaimPath>) -> Self {
        self.scopes = paths.into_iter().collect();
        self
    }

    /// The claims that hold roles: a string is one role, an array of strings several.
    #[must_use]
    pub fn roles(mut self, paths: impl IntoIterator<Item = ClaimPath>) -> Self {
        self.roles = paths.into_iter().collect();
        self
    }

    /// The claim that names the organisation.
    #[must_use]
    pub fn org(mut self, path: ClaimPath) -> Self {
        self.org = Some(path);
        self
    }

    /// The claim that names the project.
    #[must_use]
    pub fn project(mut self, path: ClaimPath) -> Self {
        self.project = Some(path);
        self
    }

    /// All tokens of this issuer belong to `org`, whatever they claim: an issuer that belongs to
    /// one tenant must not be able to speak for another. A token that claims another organisation
    /// is refused.
    #[must_use]
    pub fn only_org(mut self, org: ringwall_core::principal::OrgId) -> Self {
        self.fixed_org = Some(org);
        self
    }

    /// The issuer may name any organisation, although it is not the only one: it is the
    /// operator's own, and not a tenant's. A verifier with several issuers demands that of each
    /// whose tokens name a tenant and which is not bound to one by [`PrincipalMapping::only_org`].
    #[must_use]
    pub const fn any_org(mut self) -> Self {
        self.any_org = true;
        self
    }

    /// Whether a token of this issuer can name an organisation that nobody said it may.
    pub(crate) const fn names_orgs_unchecked(&self) -> bool {
        self.org.is_some() && self.fixed_org.is_none() && !self.any_org
    }

    /// Tokens of this issuer name no tenant, and claims that look like one are not read.
    #[must_use]
    pub fn without_tenant(mut self) -> Self {
        self.org = None;
        self.project = None;
        self.fixed_org = None;
        self
    }

    /// All tokens of this issuer speak for parties of this kind.
    #[must_use]
    pub const fn kind(mut self, kind: PrincipalKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Accepts tokens with an actor (`act`, RFC 8693 §4.1): the principal is then the actor, an
    /// agent unless [`PrincipalMapping::kind`] says otherwise, acting on behalf of the subject.
    #[must_use]
    pub const fn accept_actor(mut self) -> Self {
        self.accepts_actor = true;
        self
    }
}
