//! The rules about claims, applied to claims whose signature was verified.

use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, ContextClass, MethodReference, OrgId, Principal,
    PrincipalKind, ProjectId, Role, Scope, Subject, Tenant,
};
use ringwall_jose::json::Value;
use ringwall_jose::{CompactJws, SignatureValid};

use crate::confirmation::Confirmation;
use crate::error::Refusal;
use crate::policy::{IssuerPolicy, PrincipalMapping};
use crate::profile::{ClientRule, MethodsForm, TokenProfile};
use crate::token::Times;

/// The most scopes or roles of one token.
const MAX_GRANTS: usize = 128;

/// The most authentication methods of one token. RFC 8176 registers about twenty.
const MAX_METHODS: usize = 32;

/// The longest `jti` in bytes. Providers send 20 to 64.
const MAX_TOKEN_ID_BYTES: usize = 256;

/// 9999-12-31T23:59:59Z: what is later is not a date but an attempt.
const LAST_SECOND: u64 = 253_402_300_799;

/// What becomes of a token that is bound to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoundTokens {
    /// It is refused: nobody will ask for possession.
    Refused,
    /// Whoever called asks for possession before anybody gets the token.
    Unconfirmed,
}

/// Claims that were accepted.
pub(crate) struct Accepted {
    pub(crate) principal: Principal,
    pub(crate) times: Times,
    pub(crate) confirmation: Option<Confirmation>,
    /// Whether the token said more than its issuer may grant.
    pub(crate) is_narrowed: bool,
}

/// Judges the claims. The signature comes first, as a proof: nothing below has to fear what an
/// outsider wrote, and no outsider can learn from the answers which rule a forgery would meet.
pub(crate) fn evaluate(
    policy: &IssuerPolicy,
    jws: &CompactJws<'_>,
    claims: Value<'_>,
    now: Timestamp,
    bound: BoundTokens,
    _signature: &SignatureValid,
) -> Result<Accepted, Refusal> {
    let confirmation = match (claims.get("cnf"), bound) {
        (Some(claim), BoundTokens::Unconfirmed) => Some(Confirmation::parse(claim)?),
        (None, _) | (Some(_), BoundTokens::Refused) => None,
    };
    check_kind(&policy.profile, jws, claims, confirmation.as_ref())?;
    check_audience(policy, claims)?;
    if claims.get("cnf").is_some() && confirmation.is_none() {
        // RFC 7800: the holder must prove possession. Accepting it as a bearer token would undo
        // what the issuer asked for.
        return Err(Refusal::SenderConstrained);
    }
    let times = read_times(policy, claims)?;
    let mut principal = read_principal(policy, claims, times)?;
    let is_narrowed = policy.allowed.narrow(&mut principal);
    // The expiry last: a caller is told to come back with a fresh token only if that would help.
    check_times(policy, times, now)?;
    Ok(Accepted {
        principal,
        times,
        confirmation,
        is_narrowed,
    })
}

fn check_kind(
    profile: &TokenProfile,
    jws: &CompactJws<'_>,
    claims: Value<'_>,
    confirmation: Option<&Confirmation>,
) -> Result<(), Refusal> {
    let is_permitted = match jws.token_type() {
        Some(kind) => {
            // RFC 7515 §4.1.9: a media type, compared without case, `application/` left out.
            let kind = match kind.get(..12) {
                Some(prefix) if prefix.eq_ignore_ascii_case("application/") => {
                    kind.get(12..).unwrap_or_default()
                }
                _ => kind,
            };
            profile
                .types
                .iter()
                .any(|permitted| permitted.eq_ignore_ascii_case(kind))
        }
        None => profile.type_may_be_absent,
    };
    if !is_permitted {
        return Err(Refusal::TokenType);
    }
    if profile
        .forbidden
        .iter()
        .any(|name| claims.get(name).is_some())
    {
        return Err(Refusal::TokenKind);
    }
    let is_key_bound = confirmation.is_some_and(|cnf| cnf.key_thumbprint().is_some());
    for (name, text) in profile.markers {
        let found = claims.get(name).and_then(Value::as_str);
        let mut instead = profile.key_bound_markers.iter();
        let is_marked = found == Some(text)
            || is_key_bound && instead.any(|(other, text)| other == name && found == Some(text));
        if !is_marked {
            return Err(Refusal::TokenKind);
        }
    }
    for name in profile.must_not_hold {
        // Whatever is neither `false` nor absent.
        if claims
            .get(name)
            .is_some_and(|value| value.as_bool() != Some(false))
        {
            return Err(Refusal::TokenKind);
        }
    }
    for name in profile.required {
        if claims
            .get(name)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            return Err(Refusal::RequiredClaim);
        }
    }
    if profile.issued_at_required && claims.get("iat").is_none() {
        return Err(Refusal::RequiredClaim);
    }
    Ok(())
}

fn check_audience(policy: &IssuerPolicy, claims: Value<'_>) -> Result<(), Refusal> {
    let name = policy.profile.audience;
    let audience = claims.get(name).ok_or(Refusal::AudienceMalformed)?;
    check_one_audience(policy, audience)?;
    // RFC 8707: what stands in for the audience says which client asked, and `aud` beside it for
    // which API. Neither replaces the other: any client may ask for any API.
    match claims.get("aud") {
        Some(audience) if name != "aud" => check_one_audience(policy, audience),
        _ => Ok(()),
    }
}

fn check_one_audience(policy: &IssuerPolicy, audience: Value<'_>) -> Result<(), Refusal> {
    let mut is_ours = false;
    for_each_text(audience, Refusal::AudienceMalformed, |text| {
        is_ours |= policy
            .audiences
            .iter()
            .any(|permitted| **permitted == *text);
        Ok(())
    })?;
    if is_ours {
        Ok(())
    } else {
        Err(Refusal::AudienceMismatch)
    }
}

/// A string, or an array of strings and of nothing else.
fn for_each_text<'a>(
    value: Value<'a>,
    malformed: Refusal,
    mut each: impl FnMut(&'a str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if let Some(text) = value.as_str() {
        return each(text);
    }
    for element in value.as_array().ok_or(malformed)? {
        each(element.as_str().ok_or(malformed)?)?;
    }
    Ok(())
}

fn read_times(policy: &IssuerPolicy, claims: Value<'_>) -> Result<Times, Refusal> {
    let optional = |name, malformed| {
        claims
            .get(name)
            .map(|value| timestamp(value).ok_or(malformed))
            .transpose()
    };
    let expires_at = optional("exp", Refusal::ExpiryMalformed)?.ok_or(Refusal::ExpiryMalformed)?;
    let not_before = optional("nbf", Refusal::NotBeforeMalformed)?;
    let issued_at = optional("iat", Refusal::IssuedAtMalformed)?;
    let authenticated_at = optional("auth_time", Refusal::AuthenticationTimeMalformed)?;
    if let Some(issued_at) = issued_at
        && expires_at.saturating_since(issued_at) > policy.max_lifetime
    {
        return Err(Refusal::LifetimeTooLong);
    }
    Ok(Times {
        expires_at,
        not_before,
        issued_at,
        authenticated_at,
    })
}

/// RFC 7519 §2 permits fractions. No provider sends them, and a verifier that rounds differs
/// from the next one: whole seconds only.
fn timestamp(value: Value<'_>) -> Option<Timestamp> {
    let seconds = value.as_u64().filter(|seconds| *seconds <= LAST_SECOND)?;
    Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
}

pub(crate) fn check_times(
    policy: &IssuerPolicy,
    times: Times,
    now: Timestamp,
) -> Result<(), Refusal> {
    let skew = policy.clock_skew;
    let latest = now.checked_add(skew).ok_or(Refusal::ClockUnavailable)?;
    if times.issued_at.is_some_and(|issued_at| issued_at > latest) {
        return Err(Refusal::IssuedInFuture);
    }
    // A login that is yet to come would stay fresh for as long as its issuer likes.
    if times
        .authenticated_at
        .is_some_and(|authenticated_at| authenticated_at > latest)
    {
        return Err(Refusal::AuthenticatedInFuture);
    }
    if times
        .not_before
        .is_some_and(|not_before| not_before > latest)
    {
        return Err(Refusal::NotYetValid);
    }
    // Without `iat` the life is counted from now; with it, this bounds what a future `iat` within
    // the skew could add.
    let longest = policy
        .max_lifetime
        .checked_add(skew)
        .unwrap_or(Duration::MAX);
    if times.expires_at.saturating_since(now) > longest {
        return Err(Refusal::LifetimeTooLong);
    }
    // RFC 7519 §4.1.4: "on or after which the token must not be accepted".
    let end = times
        .expires_at
        .checked_add(skew)
        .ok_or(Refusal::ExpiryMalformed)?;
    if now >= end {
        Err(Refusal::Expired)
    } else {
        Ok(())
    }
}

fn read_principal(
    policy: &IssuerPolicy,
    claims: Value<'_>,
    times: Times,
) -> Result<Principal, Refusal> {
    let mapping = &policy.mapping;
    let token_id = claims
        .get("jti")
        .map(|value| {
            value
                .as_str()
                .filter(|id| is_token_id(id))
                .ok_or(Refusal::RequiredClaim)
        })
        .transpose()?;
    let authentication = Authentication {
        authenticated_at: times.authenticated_at,
        context_class: read_context_class(&policy.profile, claims)?,
        methods: read_methods(&policy.profile, claims)?,
        expires_at: Some(times.expires_at),
        credential_id: token_id.map(Into::into),
        ..Authentication::new(AuthenticationMethod::Token)
    };
    let subject = read_subject(policy, claims)?;
    let actor = read_actor(policy, claims)?;
    let is_client = is_client(policy.profile.client, claims, subject.as_str());
    let default_kind = match (&actor, is_client) {
        (Some(_), _) => PrincipalKind::Agent,
        (None, true) => PrincipalKind::Service,
        (None, false) => PrincipalKind::User,
    };
    let (subject, on_behalf_of) = match actor {
        Some(actor) => (actor, Some(subject)),
        None => (subject, None),
    };
    let mut principal = Principal::new(
        mapping.kind.unwrap_or(default_kind),
        subject,
        authentication,
    );
    if is_client || principal.kind == PrincipalKind::Service {
        // Nobody logged in. Keycloak and Cognito say `acr` and `auth_time` in a service's own tokens
        // too, and a machine would meet a demand that is made to bring a person back.
        principal.authentication.authenticated_at = None;
        principal.authentication.context_class = None;
        principal.authentication.methods = Vec::new();
    }
    principal.on_behalf_of = on_behalf_of;
    principal.issuer = Some(std::sync::Arc::clone(&policy.issuer));
    principal.tenant = read_tenant(mapping, claims)?;
    for path in &mapping.scopes {
        let Some(value) = path.find(claims) else {
            continue;
        };
        for_each_text(value, Refusal::ScopesMalformed, |text| {
            for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
                push(
                    &mut principal.scopes,
                    Scope::new(scope),
                    Refusal::ScopesMalformed,
                )?;
            }
            Ok(())
        })?;
    }
    for path in &mapping.roles {
        let Some(value) = path.find(claims) else {
            continue;
        };
        for_each_text(value, Refusal::RolesMalformed, |text| {
            push(
                &mut principal.roles,
                Role::new(text),
                Refusal::RolesMalformed,
            )
        })?;
    }
    Ok(principal)
}

/// RFC 9068 §2.2.1: how well the person behind the token was authenticated. A class of another form
/// refuses the token: what is dropped in silence here would be a login that is weaker than it was,
/// and nobody would learn why each step-up fails.
fn read_context_class(
    profile: &TokenProfile,
    claims: Value<'_>,
) -> Result<Option<ContextClass>, Refusal> {
    let Some(value) = claims.get(profile.context_class) else {
        return Ok(None);
    };
    let text = value.as_str().ok_or(Refusal::ContextClassMalformed)?;
    ContextClass::new(text)
        .map(Some)
        .map_err(|_| Refusal::ContextClassMalformed)
}

/// OpenID Connect Core §2: `amr` is an array of strings, never a string alone.
fn read_methods(
    profile: &TokenProfile,
    claims: Value<'_>,
) -> Result<Vec<MethodReference>, Refusal> {
    let malformed = Refusal::MethodsMalformed;
    let mut methods = Vec::new();
    let Some(value) = claims.get("amr") else {
        return Ok(methods);
    };
    for element in value.as_array().ok_or(malformed)? {
        let name = match profile.methods {
            MethodsForm::Names => Some(element),
            MethodsForm::Entries => element.get("method"),
        };
        let text = name.and_then(Value::as_str).ok_or(malformed)?;
        if methods.len() >= MAX_METHODS {
            return Err(malformed);
        }
        methods.push(MethodReference::new(text).map_err(|_| malformed)?);
    }
    Ok(methods)
}

fn is_client(rule: ClientRule, claims: Value<'_>, subject: &str) -> bool {
    match rule {
        ClientRule::SubjectIs(name) => claims.get(name).and_then(Value::as_str) == Some(subject),
        ClientRule::SubjectEndsWith(suffix) => subject.ends_with(suffix),
        ClientRule::Shown(is_shown_by) => is_shown_by(claims),
    }
}

/// The id goes into audit records and revocation lists, so it has to be one line of bounded
/// length.
fn is_token_id(text: &str) -> bool {
    text.len() <= MAX_TOKEN_ID_BYTES && !text.chars().any(char::is_control)
}

fn push<T, E>(list: &mut Vec<T>, item: Result<T, E>, malformed: Refusal) -> Result<(), Refusal> {
    if list.len() >= MAX_GRANTS {
        return Err(malformed);
    }
    list.push(item.map_err(|_| malformed)?);
    Ok(())
}

fn read_subject(policy: &IssuerPolicy, claims: Value<'_>) -> Result<Subject, Refusal> {
    let text = policy
        .mapping
        .subject
        .find(claims)
        .and_then(Value::as_str)
        .ok_or(Refusal::SubjectMalformed)?;
    Subject::new(text).map_err(|_| Refusal::SubjectMalformed)
}

/// RFC 8693 §4.1: the outermost `act` is the party that acts now; nested ones are history and
/// must not be considered.
///
/// An actor whom another issuer names is refused: a subject is unique within its issuer only.
fn read_actor(policy: &IssuerPolicy, claims: Value<'_>) -> Result<Option<Subject>, Refusal> {
    let Some(actor) = claims.get("act") else {
        return Ok(None);
    };
    if !policy.mapping.accepts_actor {
        return Err(Refusal::Delegation);
    }
    if actor
        .get("iss")
        .is_some_and(|issuer| issuer.as_str() != Some(&*policy.issuer))
    {
        return Err(Refusal::Delegation);
    }
    let text = actor
        .get("sub")
        .and_then(Value::as_str)
        .ok_or(Refusal::Delegation)?;
    Subject::new(text)
        .map(Some)
        .map_err(|_| Refusal::Delegation)
}

fn read_tenant(mapping: &PrincipalMapping, claims: Value<'_>) -> Result<Option<Tenant>, Refusal> {
    let text = |path: &Option<crate::claim_path::ClaimPath>| match path
        .as_ref()
        .and_then(|path| path.find(claims))
    {
        Some(value) => value.as_str().map(Some).ok_or(Refusal::TenantMalformed),
        None => Ok(None),
    };
    let claimed = text(&mapping.org)?
        .map(|org| OrgId::new(org).map_err(|_| Refusal::TenantMalformed))
        .transpose()?;
    let project = text(&mapping.project)?
        .map(|project| ProjectId::new(project).map_err(|_| Refusal::TenantMalformed))
        .transpose()?;
    let org = match (&mapping.fixed_org, claimed) {
        (Some(fixed), Some(claimed)) if *fixed != claimed => return Err(Refusal::TenantMalformed),
        (Some(fixed), _) => Some(fixed.clone()),
        (None, claimed) => claimed,
    };
    match (org, project) {
        (Some(org), project) => Ok(Some(Tenant { org, project })),
        // A project means something within its organisation only.
        (None, Some(_)) => Err(Refusal::TenantMalformed),
        (None, None) => Ok(None),
    }
}
