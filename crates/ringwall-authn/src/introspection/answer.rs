//! What an answer says (RFC 7662 §2.2).

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Scope, Subject, Tenant,
};
use serde::Deserialize;
use serde_json::Value;

/// The longest answer in bytes.
pub(super) const MAX_ANSWER: usize = 64 * 1024;

/// The most scopes of one token.
const MAX_SCOPES: usize = 256;

/// The members that are read. A member that is there twice makes the answer none; others are passed over.
#[derive(Deserialize)]
struct Answer {
    active: bool,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    cnf: Option<Value>,
    #[serde(default)]
    act: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What is demanded.
pub(super) struct Demands<'a> {
    pub(super) issuer: &'a Arc<str>,
    pub(super) audiences: &'a [Box<str>],
    pub(super) org: Option<&'a OrgId>,
    pub(super) org_member: Option<&'a str>,
    /// The end of what this answer is believed for.
    pub(super) believed_until: Timestamp,
    pub(super) now: Timestamp,
}

/// What revocations are asked about.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) issued_at: Option<Timestamp>,
    /// When the token itself ends.
    pub(super) expires_at: Timestamp,
    /// Whether the answer said more than its issuer may grant.
    pub(super) is_narrowed: bool,
}

/// Why a token is refused, in fixed texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The issuer says that the token is no good.
    Inactive,
    /// The token is good, and not for us, or says too little.
    Token(&'static str),
    /// The answer is none: no decision was reached.
    Answer,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause())
    }
}

impl Refused {
    pub(super) const fn cause(self) -> &'static str {
        match self {
            Self::Inactive => "the issuer says that the token is not active",
            Self::Token(cause) => cause,
            Self::Answer => "the answer of the introspection endpoint cannot be read",
        }
    }
}

/// The clocks of two machines may differ by so much.
const SKEW: Duration = crate::policy::DEFAULT_CLOCK_SKEW;

/// Reads an answer, and holds it against what is demanded.
pub(super) fn read(body: &[u8], demands: &Demands<'_>) -> Result<(Principal, Good), Refused> {
    if body.len() > MAX_ANSWER {
        return Err(Refused::Answer);
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Refused::Answer)?;
    if !answer.active {
        return Err(Refused::Inactive);
    }
    check_target(&answer, demands)?;
    if answer.cnf.is_some() {
        return Err(Refused::Token(
            "the token is bound to a key whose possession was not shown",
        ));
    }
    if answer.act.is_some() {
        return Err(Refused::Token(
            "the delegation is malformed or not accepted",
        ));
    }
    let is_bearer = |kind: &String| kind.eq_ignore_ascii_case("bearer");
    if !answer.token_type.as_ref().is_none_or(is_bearer) {
        return Err(Refused::Token("the token is no bearer token"));
    }
    let good = times(&answer, demands.now)?;
    let subject = answer.sub.as_deref().or(answer.client_id.as_deref());
    let subject = subject.and_then(|text| Subject::new(text).ok());
    let subject = subject.ok_or(Refused::Token("the subject is missing or malformed"))?;
    // RFC 9068 §2.2 and RFC 7662 leave it open; a client that is its own subject is no person.
    let is_client = answer.client_id.is_some() && answer.sub == answer.client_id;
    let kind = if is_client || answer.sub.is_none() {
        PrincipalKind::Service
    } else {
        PrincipalKind::User
    };
    let mut authentication = Authentication::new(AuthenticationMethod::Token);
    authentication.expires_at = Some(good.expires_at.min(demands.believed_until));
    let id = answer.jti.as_deref();
    if id.is_some_and(|id| id.is_empty() || id.len() > 255 || id.contains(char::is_control)) {
        return Err(Refused::Token("the id of the token is malformed"));
    }
    authentication.credential_id = id.map(Into::into);
    let mut principal = Principal::new(kind, subject, authentication);
    principal.issuer = Some(Arc::clone(demands.issuer));
    principal.scopes = scopes(answer.scope.as_deref())?;
    principal.tenant = tenant(body, demands)?;
    Ok((principal, good))
}

fn check_target(answer: &Answer, demands: &Demands<'_>) -> Result<(), Refused> {
    // The endpoint is that of one issuer; one that says another is not believed.
    if answer
        .iss
        .as_deref()
        .is_some_and(|iss| *iss != **demands.issuer)
    {
        return Err(Refused::Token("the token is of another issuer"));
    }
    let ours = |name: &str| demands.audiences.iter().any(|ours| **ours == *name);
    let is_ours = match &answer.aud {
        Some(Audience::One(name)) => ours(name),
        Some(Audience::Several(names)) => names.iter().any(|name| ours(name)),
        None => false,
    };
    if is_ours {
        Ok(())
    } else {
        Err(Refused::Token("the token is for another audience"))
    }
}

fn times(answer: &Answer, now: Timestamp) -> Result<Good, Refused> {
    let at = |seconds: i64| Timestamp::from_unix_seconds(seconds).filter(|_| seconds >= 0);
    let malformed = Refused::Token("a time of the token is missing or malformed");
    let expires_at = answer.exp.and_then(at).ok_or(malformed)?;
    if now >= expires_at {
        return Err(Refused::Token("the token has expired"));
    }
    let ahead = now.checked_add(SKEW).ok_or(malformed)?;
    let past = |seconds: Option<i64>| match seconds {
        None => Ok(None),
        Some(seconds) => match at(seconds) {
            Some(at) if at <= ahead => Ok(Some(at)),
            Some(_) => Err(Refused::Token("the token is not yet valid")),
            None => Err(malformed),
        },
    };
    past(answer.nbf)?;
    Ok(Good {
        issued_at: past(answer.iat)?,
        expires_at,
        is_narrowed: false,
    })
}

fn scopes(text: Option<&str>) -> Result<Vec<Scope>, Refused> {
    let malformed = Refused::Token("the scopes are malformed");
    let texts = text
        .unwrap_or_default()
        .split(' ')
        .filter(|text| !text.is_empty());
    let scopes: Result<Vec<_>, _> = texts.map(Scope::new).collect();
    scopes
        .ok()
        .filter(|scopes| scopes.len() <= MAX_SCOPES)
        .ok_or(malformed)
}

fn tenant(body: &[u8], demands: &Demands<'_>) -> Result<Option<Tenant>, Refused> {
    let malformed = Refused::Token("the tenant is malformed");
    let named = match demands.org_member {
        None => None,
        Some(member) => {
            let answer: serde_json::Map<String, Value> =
                serde_json::from_slice(body).map_err(|_| Refused::Answer)?;
            match answer.get(member) {
                None => None,
                Some(Value::String(org)) => Some(OrgId::new(org.as_str()).map_err(|_| malformed)?),
                Some(_) => return Err(malformed),
            }
        }
    };
    let org = match (demands.org, named) {
        (Some(own), Some(named)) if *own != named => {
            return Err(Refused::Token("the token is of another organisation"));
        }
        (Some(own), _) => Some(own.clone()),
        (None, named) => named,
    };
    Ok(org.map(|org| Tenant { org, project: None }))
}
