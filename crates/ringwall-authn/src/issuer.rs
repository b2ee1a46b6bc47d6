//! The other side: a service that issues tokens.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, PoisonError, RwLock};

use ring::rand::{SecureRandom as _, SystemRandom};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Role, Scope, Subject, Tenant};
use ringwall_core::secret::SecretString;
use ringwall_jose::{KeySet, KeySetError, base64url};
use serde_json::{Map, Value};

use crate::signing_key::SigningKey;

/// Issues RFC 9068 access tokens and publishes the keys that verify them.
///
/// Keys are rotated in three steps, so that no good token is ever refused: [`announce`] the next
/// key, wait until every verifier has fetched it, [`activate`] it, and [`retire`] the old one when
/// the last token it signed has expired.
///
/// [`announce`]: TokenIssuer::announce
/// [`activate`]: TokenIssuer::activate
/// [`retire`]: TokenIssuer::retire
///
/// ```
/// use std::time::Duration;
/// use ringwall_authn::{SigningKey, TokenIssuer, TokenRequest, jose::Algorithm};
/// use ringwall_core::clock::{SystemClock, WallClock};
/// use ringwall_core::principal::Subject;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &SigningKey::generate_pkcs8(Algorithm::EdDsa)?)?;
/// let issuer = TokenIssuer::new("https://issuer.example", key);
/// let request = TokenRequest::new(Subject::new("user-1")?, "https://api.example")
///     .lifetime(Duration::from_secs(600));
/// let issued = issuer.issue(&request, SystemClock::new().now()?)?;
/// println!("{} expires at {}", issued.token_id, issued.expires_at);
/// # Ok(())
/// # }
/// ```
pub struct TokenIssuer {
    issuer: Box<str>,
    keys: RwLock<Keys>,
}

struct Keys {
    active: Arc<SigningKey>,
    /// Published, and not signing: the next ones and the old ones.
    others: Vec<Arc<SigningKey>>,
}

/// Why no token was issued, or a key not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// An additional claim has the name of one that the issuer sets.
    #[error("an additional claim has the name of a registered one")]
    ReservedClaim,
    /// The life of the token is zero, or its end is out of range.
    #[error("the lifetime is zero or out of range")]
    Lifetime,
    /// The token would be longer than verifiers accept.
    #[error("the token would be longer than verifiers accept")]
    TooLong,
    /// The key could not sign, or the system gave no random bytes.
    #[error("the token could not be signed")]
    Signing,
    /// There is no key of this id, or it is the one that signs.
    #[error("there is no such key, or it is the one that signs")]
    NoSuchKey,
    /// There is a key of this id already.
    #[error("there is a key of this id already")]
    DuplicateKeyId,
}

/// What a token is to say.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    subject: Subject,
    audiences: Vec<Box<str>>,
    client_id: Option<Box<str>>,
    lifetime: Duration,
    scopes: Vec<Scope>,
    roles: Vec<Role>,
    tenant: Option<Tenant>,
    actor: Option<Subject>,
    /// The members of `cnf`.
    confirmation: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenRequest {
    /// A token for `subject`, for one audience, for ten minutes, without any grant.
    #[must_use]
    pub fn new(subject: Subject, audience: &str) -> Self {
        Self {
            subject,
            audiences: vec![audience.into()],
            client_id: None,
            lifetime: Duration::from_secs(600),
            scopes: Vec::new(),
            roles: Vec::new(),
            tenant: None,
            actor: None,
            confirmation: Map::new(),
            claims: Map::new(),
        }
    }

    /// Another audience.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The client that asked for the token (`client_id`). When it equals the subject, the token
    /// is a service's own. The issuer itself unless set.
    #[must_use]
    pub fn client_id(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// How long the token lives, in whole seconds.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The scopes granted.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes);
        self
    }

    /// The roles held.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.roles.extend(roles);
        self
    }

    /// The tenant (`org_id`, `project_id`).
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The party that acts for the subject (`act`, RFC 8693 §4.1): an agent.
    #[must_use]
    pub fn actor(mut self, actor: Subject) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Binds the token to the public key of this SHA-256 thumbprint (RFC 7638), which has to sign a proof
    /// for each request (`cnf.jkt`, RFC 9449 §6.1). Verify a proof of the key first, or the token
    /// is bound to a key that its receiver does not have.
    #[must_use]
    pub fn bound_to_key(mut self, thumbprint: &[u8; 32]) -> Self {
        let digest = base64url::encode(thumbprint);
        self.confirmation.insert("jkt".to_owned(), digest.into());
        self
    }

    /// Binds the token to the client certificate of this SHA-256 digest of its DER (`cnf.x5t#S256`,
    /// RFC 8705 §3.1).
    #[must_use]
    pub fn bound_to_certificate(mut self, digest: &[u8; 32]) -> Self {
        let digest = base64url::encode(digest);
        self.confirmation
            .insert("x5t#S256".to_owned(), digest.into());
        self
    }

    /// An additional claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }
}

/// A token that was issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token. Whoever holds it is the subject, so it is not shown by `Debug`.
    pub token: SecretString,
    /// Its id (`jti`), by which it can be revoked.
    pub token_id: Box<str>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Claims that only the issuer itself sets.
const RESERVED: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
    "roles",
    "org_id",
    "project_id",
    "act",
    "cnf",
];

impl TokenIssuer {
    /// Issues as `issuer` with `key`.
    #[must_use]
    pub fn new(issuer: &str, key: SigningKey) -> Self {
        Self {
            issuer: issuer.into(),
            keys: RwLock::new(Keys {
                active: Arc::new(key),
                others: Vec::new(),
            }),
        }
    }

    /// The issuer, as verifiers know it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Issues an RFC 9068 access token at the time `now`.
    ///
    /// # Errors
    ///
    /// [`IssueError`].
    pub fn issue(&self, request: &TokenRequest, now: Timestamp) -> Result<IssuedToken, IssueError> {
        let mut claims = request.claims.clone();
        if RESERVED.iter().any(|name| claims.contains_key(*name)) {
            return Err(IssueError::ReservedClaim);
        }
        let issued_at = now.unix_seconds();
        let lifetime =
            i64::try_from(request.lifetime.as_secs()).map_err(|_| IssueError::Lifetime)?;
        let expires_at = issued_at
            .checked_add(lifetime)
            .filter(|_| lifetime > 0)
            .ok_or(IssueError::Lifetime)?;
        let expiry = Timestamp::from_unix_seconds(expires_at).ok_or(IssueError::Lifetime)?;
        let mut token_id = [0; 16];
        SystemRandom::new()
            .fill(&mut token_id)
            .map_err(|_| IssueError::Signing)?;
        let token_id = base64url::encode(token_id);

        let audience = match request.audiences.as_slice() {
            [one] => Value::from(&**one),
            several => several
                .iter()
                .map(|audience| Value::from(&**audience))
                .collect(),
        };
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", (&*self.issuer).into());
        set("sub", request.subject.as_str().into());
        set("aud", audience);
        set("exp", expires_at.into());
        set("iat", issued_at.into());
        set("jti", token_id.as_str().into());
        set(
            "client_id",
            request.client_id.as_deref().unwrap_or(&self.issuer).into(),
        );
        if !request.scopes.is_empty() {
            set(
                "scope",
                request
                    .scopes
                    .iter()
                    .map(Scope::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
                    .into(),
            );
        }
        if !request.roles.is_empty() {
            set(
                "roles",
                request
                    .roles
                    .iter()
                    .map(|role| Value::from(role.as_str()))
                    .collect(),
            );
        }
        if let Some(tenant) = &request.tenant {
            set("org_id", tenant.org.as_str().into());
            if let Some(project) = &tenant.project {
                set("project_id", project.as_str().into());
            }
        }
        if let Some(actor) = &request.actor {
            set("act", serde_json::json!({ "sub": actor.as_str() }));
        }
        if !request.confirmation.is_empty() {
            set("cnf", Value::Object(request.confirmation.clone()));
        }
        let token = self.sign(&Value::Object(claims).to_string())?;
        Ok(IssuedToken {
            token,
            token_id: token_id.into(),
            expires_at: expiry,
        })
    }

    fn sign(&self, claims: &str) -> Result<SecretString, IssueError> {
        let key = Arc::clone(
            &self
                .keys
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .active,
        );
        let header = serde_json::json!({ "alg": key.algorithm().name(), "kid": key.id().as_str(), "typ": "at+jwt" });
        let mut token = base64url::encode(header.to_string());
        token.push('.');
        token.push_str(&base64url::encode(claims));
        let signature = key
            .sign(token.as_bytes())
            .map_err(|_| IssueError::Signing)?;
        token.push('.');
        token.push_str(&base64url::encode(signature));
        if token.len() > ringwall_jose::CompactLimits::default().token_bytes {
            return Err(IssueError::TooLong);
        }
        Ok(SecretString::new(token))
    }

    /// Publishes a key that does not sign yet.
    ///
    /// # Errors
    ///
    /// [`IssueError::DuplicateKeyId`].
    pub fn announce(&self, key: SigningKey) -> Result<(), IssueError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.active.id() == key.id() || keys.others.iter().any(|other| other.id() == key.id()) {
            return Err(IssueError::DuplicateKeyId);
        }
        keys.others.push(Arc::new(key));
        Ok(())
    }

    /// Signs with an announced key from now on. The one that signed before stays published.
    ///
    /// # Errors
    ///
    /// [`IssueError::NoSuchKey`].
    pub fn activate(&self, id: &str) -> Result<(), IssueError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let index = keys
            .others
            .iter()
            .position(|key| key.id().as_str() == id)
            .ok_or(IssueError::NoSuchKey)?;
        let next = keys.others.swap_remove(index);
        let old = core::mem::replace(&mut keys.active, next);
        keys.others.push(old);
        Ok(())
    }

    /// Publishes a key no longer: tokens that it signed are refused once verifiers know. At once
    /// after a theft, otherwise when the last of them has expired.
    ///
    /// # Errors
    ///
    /// [`IssueError::NoSuchKey`], also for the key that signs: activate another one first.
    pub fn retire(&self, id: &str) -> Result<(), IssueError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let index = keys
            .others
            .iter()
            .position(|key| key.id().as_str() == id)
            .ok_or(IssueError::NoSuchKey)?;
        keys.others.swap_remove(index);
        Ok(())
    }

    /// The id of the key that signs.
    #[must_use]
    pub fn active_key_id(&self) -> String {
        self.keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .active
            .id()
            .as_str()
            .to_owned()
    }

    /// The JWK Set document (RFC 7517 §5) of all published keys. Shared secrets are never in it.
    #[must_use]
    pub fn jwks(&self) -> String {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let published: Vec<_> = core::iter::once(&keys.active)
            .chain(&keys.others)
            .filter_map(|key| key.jwk())
            .collect();
        format!(r#"{{"keys":[{}]}}"#, published.join(","))
    }

    /// The keys as a set, for a verifier in the same process. Shared secrets are in it.
    ///
    /// # Errors
    ///
    /// None in practice: every key here was accepted when it was made.
    pub fn key_set(&self) -> Result<KeySet, KeySetError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        core::iter::once(&keys.active)
            .chain(&keys.others)
            .fold(KeySet::builder(), |builder, key| {
                builder.key(key.verification_key().clone())
            })
            .build()
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("issuer", &self.issuer)
            .field("active", &self.active_key_id())
            .finish_non_exhaustive()
    }
}
