//! What kind of token an issuer gives out, and the well-known providers.

use std::sync::Arc;

use ringwall_core::principal::OrgId;
use ringwall_jose::KeySource;
use ringwall_jose::json::Value;

use crate::claim_path::ClaimPath;
use crate::policy::{IssuerPolicy, IssuerPolicyBuilder, PrincipalMapping};

/// What makes a token one of the kind that is accepted, and not an ID token, a logout token or a
/// proof of the same issuer and key (RFC 8725 §3.11, §3.12).
///
/// Profiles are made by the constructors here. They cannot be loosened one check at a time: each
/// provider leaves out other things, and what one provider forgot is no reason to accept less
/// from the others.
#[derive(Clone, Debug)]
pub struct TokenProfile {
    /// The accepted values of `typ`, compared without case and without `application/`.
    pub(crate) types: &'static [&'static str],
    pub(crate) type_may_be_absent: bool,
    /// Claims that must be there as non-empty strings.
    pub(crate) required: &'static [&'static str],
    pub(crate) issued_at_required: bool,
    /// Claims that must have exactly this text.
    pub(crate) markers: &'static [(&'static str, &'static str)],
    /// Of those, what may stand there instead in a token that is bound to a key.
    pub(crate) key_bound_markers: &'static [(&'static str, &'static str)],
    /// Claims that only other kinds of token have.
    pub(crate) forbidden: &'static [&'static str],
    /// Claims that must be `false` or absent.
    pub(crate) must_not_hold: &'static [&'static str],
    /// The claim that holds the audience.
    pub(crate) audience: &'static str,
    /// How a service's own token is told from one of a person.
    pub(crate) client: ClientRule,
    /// The claim that holds the authentication context class.
    pub(crate) context_class: &'static str,
    pub(crate) methods: MethodsForm,
}

/// What the elements of `amr` are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MethodsForm {
    /// Names, as RFC 8176 has it.
    Names,
    /// Objects whose `method` is the name.
    Entries,
}

/// How a token that a client got for itself (RFC 6749 §4.4) shows that. Who is taken for a person
/// may approve what machines may not, so every provider's way has to be known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClientRule {
    /// The claim equals the subject.
    SubjectIs(&'static str),
    /// The subject ends with this text.
    SubjectEndsWith(&'static str),
    /// The claims as a whole show it.
    Shown(fn(Value<'_>) -> bool),
}

/// Keycloak: the mappers of service accounts put `client_id` (formerly `clientId`) in. They can be
/// removed, and a lightweight token leaves them out; then the name of the account tells, or, from
/// 26.2 on, the grant that the first part of the token's id ends with.
fn is_keycloak_service(claims: Value<'_>) -> bool {
    let text = |name| claims.get(name).and_then(Value::as_str);
    // Two letters each for the session, the kind of token and the grant, then a colon.
    let grant = text("jti")
        .and_then(|id| id.split_once(':'))
        .and_then(|(context, _)| context.get(4..));
    claims.get("client_id").is_some()
        || claims.get("clientId").is_some()
        || text("preferred_username").is_some_and(|name| name.starts_with("service-account-"))
        || grant == Some("cc")
}

/// Okta: the client is its own subject, unless the authorization server has another rule for
/// `sub`; in any case there is no user.
fn is_okta_service(claims: Value<'_>) -> bool {
    let text = |name| claims.get(name).and_then(Value::as_str);
    claims.get("uid").is_none() || text("cid") == text("sub")
}

/// Entra ID: the subject is the object itself, and not a pseudonym for one application; or the
/// token says what it is.
fn is_entra_id_service(claims: Value<'_>) -> bool {
    let text = |name| claims.get(name).and_then(Value::as_str);
    let kind = claims.get("idtyp");
    text("oid") == text("sub") || kind.is_some_and(|kind| kind.as_str() != Some("user"))
}

/// Claims of ID tokens (OpenID Connect Core §2, §3.3.2.11), logout tokens and security events
/// (RFC 8417), request objects and DPoP proofs (RFC 9449).
const NOT_ACCESS: &[&str] = &[
    "nonce", "at_hash", "c_hash", "s_hash", "events", "htm", "htu",
];

/// And the client that holds the token for a user, where users hold theirs themselves.
const NOT_ACCESS_NOR_CLIENT: &[&str] = &[
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "events",
    "htm",
    "htu",
    "client_id",
];

const PLAIN: TokenProfile = TokenProfile {
    types: &["jwt"],
    type_may_be_absent: true,
    required: &[],
    issued_at_required: false,
    markers: &[],
    key_bound_markers: &[],
    forbidden: NOT_ACCESS,
    must_not_hold: &[],
    audience: "aud",
    client: ClientRule::SubjectIs("client_id"),
    context_class: "acr",
    methods: MethodsForm::Names,
};

const GOOGLE: TokenProfile = TokenProfile {
    issued_at_required: true,
    required: &["azp"],
    forbidden: &["events", "htm", "htu"],
    client: ClientRule::SubjectIs("azp"),
    ..PLAIN
};

impl TokenProfile {
    /// RFC 9068 access tokens: `typ` is `at+jwt`, and `sub`, `client_id`, `jti`, `iat` are there.
    #[must_use]
    pub const fn access_token() -> Self {
        Self {
            types: &["at+jwt"],
            type_may_be_absent: false,
            required: &["client_id", "jti"],
            issued_at_required: true,
            ..PLAIN
        }
    }

    /// Tokens whose `typ` is `JWT` or absent: from issuers that follow no profile. What shows
    /// itself as an ID token, a logout token or a proof is refused, but an issuer whose ID tokens
    /// carry neither a `nonce` nor a hash, for the same audience, cannot be told apart: give the
    /// API an audience of its own.
    #[must_use]
    pub const fn plain() -> Self {
        PLAIN
    }
}

/// The well-known providers. Each builder is a starting point with that provider's shapes of
/// tokens; nothing in it is looser than the provider makes necessary.
impl IssuerPolicy {
    /// Keycloak access tokens: `typ` in the claims is `Bearer`, or `DPoP` in a token that is bound to a
    /// key; roles of the realm from
    /// `realm_access.roles`. The issuer is `https://HOST/realms/REALM`. Keycloak adds an audience
    /// for an API only where an audience mapper says so.
    #[must_use]
    pub fn keycloak(issuer: &str, audience: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            // Each client can be told to follow RFC 9068 in the header; the claims stay the same.
            types: &["jwt", "at+jwt"],
            required: &["jti"],
            issued_at_required: true,
            markers: &[("typ", "Bearer")],
            key_bound_markers: &[("typ", "DPoP")],
            client: ClientRule::Shown(is_keycloak_service),
            ..PLAIN
        };
        let mapping =
            PrincipalMapping::default().roles([ClaimPath::fixed(&["realm_access", "roles"])]);
        Self::builder(issuer, audience, keys)
            .profile(profile)
            .mapping(mapping)
    }

    /// Auth0 access tokens: scopes from `scope` and the `permissions` of role-based access
    /// control, organisation from `org_id`. The issuer ends with a slash: `https://TENANT.auth0.com/`.
    #[must_use]
    pub fn auth0(issuer: &str, audience: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            types: &["jwt", "at+jwt"],
            issued_at_required: true,
            client: ClientRule::SubjectEndsWith("@clients"),
            ..PLAIN
        };
        let mapping = PrincipalMapping::default()
            .scopes([
                ClaimPath::fixed(&["scope"]),
                ClaimPath::fixed(&["permissions"]),
            ])
            .roles([]);
        Self::builder(issuer, audience, keys)
            .profile(profile)
            .mapping(mapping)
    }

    /// Okta access tokens of a custom authorization server
    /// (`https://HOST/oauth2/SERVER`): scopes from `scp`, roles from `groups`, no tenant.
    #[must_use]
    pub fn okta(issuer: &str, audience: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            types: &["jwt", "at+jwt"],
            required: &["cid", "jti"],
            issued_at_required: true,
            client: ClientRule::Shown(is_okta_service),
            ..PLAIN
        };
        let mapping = PrincipalMapping::default()
            .scopes([ClaimPath::fixed(&["scp"])])
            .roles([ClaimPath::fixed(&["groups"])])
            .without_tenant();
        Self::builder(issuer, audience, keys)
            .profile(profile)
            .mapping(mapping)
    }

    /// Microsoft Entra ID, version 2.0 access tokens of one directory
    /// (`https://login.microsoftonline.com/DIRECTORY-ID/v2.0`): subject `oid`, organisation
    /// `tid`, scopes `scp`, roles `roles`. `azp` is required, which Entra's ID tokens do not
    /// have: they are for the same audience otherwise.
    #[must_use]
    pub fn entra_id(issuer: &str, audience: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            required: &["azp", "tid", "oid"],
            issued_at_required: true,
            markers: &[("ver", "2.0")],
            client: ClientRule::Shown(is_entra_id_service),
            ..PLAIN
        };
        let mut mapping = PrincipalMapping::default()
            .subject(ClaimPath::fixed(&["oid"]))
            .scopes([ClaimPath::fixed(&["scp"])])
            .org(ClaimPath::fixed(&["tid"]));
        mapping.project = None;
        Self::builder(issuer, audience, keys)
            .profile(profile)
            .mapping(mapping)
    }

    /// Amazon Cognito access tokens of one user pool
    /// (`https://cognito-idp.REGION.amazonaws.com/POOL`). They have no `aud` as a rule: the audience
    /// to name here is the app client's id, which is compared with `client_id`. Roles from
    /// `cognito:groups`, no tenant.
    ///
    /// A token that was bound to an API (RFC 8707) has that API's URL as `aud`, which must then be
    /// one of the audiences too: add yours with [`IssuerPolicyBuilder::audience`].
    #[must_use]
    pub fn cognito(issuer: &str, client_id: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            required: &["jti"],
            issued_at_required: true,
            markers: &[("token_use", "access")],
            audience: "client_id",
            ..PLAIN
        };
        let mut mapping = PrincipalMapping::default()
            .roles([ClaimPath::fixed(&["cognito:groups"])])
            .without_tenant();
        // `client_id` and `sub` are the same for the client-credentials grant alone.
        mapping.kind = None;
        Self::builder(issuer, client_id, keys)
            .profile(profile)
            .mapping(mapping)
    }

    /// Google ID tokens (`https://accounts.google.com`), which is what Google gives to services
    /// that call one another and to browsers that sign in: the audience is a client id or the
    /// URL of the service called. They carry no scopes, roles or tenant.
    ///
    /// A verified token says that somebody has a Google account, or is a service account of
    /// anybody's project, and no more: let in whom you know by the subject. For the people of one
    /// organisation there is [`IssuerPolicy::google_workspace`].
    #[must_use]
    pub fn google(audience: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let mapping = PrincipalMapping::default()
            .scopes([])
            .roles([])
            .without_tenant();
        Self::builder("https://accounts.google.com", audience, keys)
            .profile(GOOGLE)
            .mapping(mapping)
    }

    /// Google ID tokens of the accounts of one Workspace or Cloud organisation, whose domain (`hd`)
    /// is the tenant. An account outside it is refused, whatever its mail address, and so are
    /// service accounts, which have no domain.
    ///
    /// [`PrincipalMapping::only_org`] with [`IssuerPolicy::google`] is not the same: it would make
    /// everybody with a Google account a member.
    #[must_use]
    pub fn google_workspace(
        domain: OrgId,
        audience: &str,
        keys: Arc<dyn KeySource>,
    ) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            required: &["azp", "hd"],
            ..GOOGLE
        };
        Self::google(audience, keys)
            .profile(profile)
            .map_principal(|mapping| mapping.org(ClaimPath::fixed(&["hd"])).only_org(domain))
    }

    /// Supabase user tokens (`https://PROJECT.supabase.co/auth/v1`, audience `authenticated`):
    /// roles, organisation and project from `app_metadata`, which only the service role writes;
    /// never from `user_metadata`, which the user writes. The `anon` key is no user, and neither is
    /// somebody who signed in anonymously (`is_anonymous`), whose role is `authenticated` too.
    ///
    /// The context class is Supabase's assurance level (`aal`: `aal1`, `aal2`), and the methods come
    /// from the entries of its `amr`. When somebody authenticated is not known: the times in `amr`
    /// are also those of refreshes, so no limit on the age of a login is ever met.
    ///
    /// Refused is also the token that another application holds for a user (`client_id`, where the
    /// project is an OAuth server): it has all claims of the user, and scopes do not limit it.
    #[must_use]
    pub fn supabase(issuer: &str, keys: Arc<dyn KeySource>) -> IssuerPolicyBuilder {
        let profile = TokenProfile {
            required: &["session_id"],
            issued_at_required: true,
            markers: &[("role", "authenticated")],
            forbidden: NOT_ACCESS_NOR_CLIENT,
            must_not_hold: &["is_anonymous"],
            context_class: "aal",
            methods: MethodsForm::Entries,
            ..PLAIN
        };
        let mapping = PrincipalMapping::default()
            .scopes([])
            .roles([ClaimPath::fixed(&["app_metadata", "roles"])])
            .org(ClaimPath::fixed(&["app_metadata", "org_id"]))
            .project(ClaimPath::fixed(&["app_metadata", "project_id"]))
            .kind(ringwall_core::principal::PrincipalKind::User);
        Self::builder(issuer, "authenticated", keys)
            .profile(profile)
            .mapping(mapping)
    }
}
