//! An issuer whose every key and clock is in the hands of the test.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Arc, PoisonError, RwLock};

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ringwall_authn::{
    IssuerPolicy, IssuerPolicyBuilder, MemoryRevocations, PrincipalMapping, Revocations,
    RevocationsUnavailable, SigningKey, TokenFacts, TokenIssuer, TokenVerifier,
};
use ringwall_core::clock::{ManualClock, Timestamp, WallClock as _};
use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretBytes;
use ringwall_core::step::Step;
use ringwall_jose::{Algorithm, Health, KeySetRef, KeySource, KeysUnavailable, StaticKeys};

use crate::failure::{fail, must};
use crate::token::{Token, TokenDraft};

/// When a caller may come back while the test keeps something down.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(7);

/// The cache of a verifier: a test has few callers, and a cache nevertheless, because cached tokens
/// take another way.
const CACHE_BYTES: usize = 256 * 1024;

/// The most revocations. A sweep over all routes revokes one token for each.
const REVOCATIONS: usize = 65_536;

/// The longest life of a token that any policy permits.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// An issuer of real tokens: signed with a key of its own (Ed25519, made when the issuer is), and
/// verified by the same code as in production.
///
/// Its time is the clock it is given. Its keys can be rotated, forgotten and taken down, its tokens
/// revoked. Cloning shares it. [`Kit`](crate::Kit) has one; make more for tests with several issuers.
///
/// ```
/// use std::sync::Arc;
/// use ringwall_core::clock::{ManualClock, Timestamp};
/// use ringwall_testkit::FakeIssuer;
///
/// let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000).unwrap()));
/// let issuer = FakeIssuer::new("https://issuer.example", "https://api.example", clock);
/// let token = issuer.token("alice").scope("cases:read").issue();
/// let verified = issuer.verifier().verify(token.as_str(), issuer.now()).unwrap();
/// assert!(verified.principal().has_scope("cases:read"));
/// ```
#[derive(Clone)]
pub struct FakeIssuer(Arc<Inner>);

struct Inner {
    tokens: TokenIssuer,
    audience: Box<str>,
    clock: Arc<ManualClock>,
    signer: RwLock<Arc<Signer>>,
    /// The ids of the keys that were active before.
    old: RwLock<Vec<String>>,
    keys: Arc<SwitchedKeys>,
    revocations: Arc<SwitchedRevocations>,
}

/// The private key, a second time: the issuer itself would not sign what a bad token says.
pub(crate) struct Signer {
    pub(crate) id: String,
    pair: Ed25519KeyPair,
}

impl FakeIssuer {
    /// An issuer of this name, whose tokens are for `audience` unless they say otherwise.
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes, and when a name cannot be one in production either.
    #[track_caller]
    #[must_use]
    pub fn new(issuer: &str, audience: &str, clock: Arc<ManualClock>) -> Self {
        let (key, signer) = key_pair();
        let tokens = TokenIssuer::new(issuer, key);
        let keys = StaticKeys::new(must(tokens.key_set(), "the keys of the issuer"));
        let made = Self(Arc::new(Inner {
            tokens,
            audience: audience.into(),
            clock,
            signer: RwLock::new(Arc::new(signer)),
            old: RwLock::default(),
            keys: Arc::new(SwitchedKeys {
                keys,
                is_down: AtomicBool::new(false),
            }),
            revocations: Arc::new(SwitchedRevocations {
                revoked: MemoryRevocations::new(REVOCATIONS),
                is_down: AtomicBool::new(false),
            }),
        }));
        must(made.policy().build(), "the issuer or its audience");
        made
    }

    /// Begins a token for `subject`: without scopes, roles and tenant, for ten minutes.
    #[track_caller]
    pub fn token(&self, subject: &str) -> TokenDraft {
        TokenDraft::new(self.clone(), subject)
    }

    /// The name, as tokens say it (`iss`).
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.tokens.issuer()
    }

    /// For whom its tokens are (`aud`).
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// The time of its clock.
    ///
    /// # Panics
    ///
    /// While the clock is down: issue the token before.
    #[track_caller]
    #[must_use]
    pub fn now(&self) -> Timestamp {
        must(
            self.0.clock.now(),
            "the issuer needs the time (issue tokens before the clock is taken down)",
        )
    }

    /// The keys, for a policy of your own.
    #[must_use]
    pub fn keys(&self) -> Arc<dyn KeySource> {
        Arc::clone(&self.0.keys) as Arc<dyn KeySource>
    }

    /// The JWK Set document of its keys, for code that reads them from a file or a URL.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.0.tokens.jwks()
    }

    /// The policy by which its tokens are verified: RFC 9068 access tokens, with actors. Change it to
    /// have it as in production.
    #[must_use]
    pub fn policy(&self) -> IssuerPolicyBuilder {
        IssuerPolicy::builder(self.name(), self.audience(), self.keys())
            .map_principal(PrincipalMapping::accept_actor)
    }

    /// What it has revoked, for a verifier of your own.
    #[must_use]
    pub fn revocations(&self) -> Arc<dyn Revocations> {
        Arc::clone(&self.0.revocations) as Arc<dyn Revocations>
    }

    /// A verifier of its tokens and no others. It is of the development profile, so that a gate of the
    /// production profile refuses to be built with it.
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes.
    #[track_caller]
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        let policy = must(self.policy().build(), "the policy of the issuer");
        let verifier = TokenVerifier::builder()
            .profile(Profile::Development)
            .cache_bytes(CACHE_BYTES)
            .revocations(self.revocations())
            .issuer(policy)
            .build();
        must(verifier, "the verifier of the issuer")
    }

    /// Signs with a new key from now on. Tokens of the old ones stay good until
    /// [`forget_old_keys`](Self::forget_old_keys).
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes.
    #[track_caller]
    pub fn rotate(&self) {
        let inner = &*self.0;
        let (key, signer) = key_pair();
        let old = inner.tokens.active_key_id();
        must(inner.tokens.announce(key), "the new key");
        must(inner.tokens.activate(&signer.id), "the new key");
        *write(&inner.signer) = Arc::new(signer);
        write(&inner.old).push(old);
        self.publish();
    }

    /// Publishes the key that signs now and no other: tokens of older ones are refused.
    #[track_caller]
    pub fn forget_old_keys(&self) {
        for id in write(&self.0.old).drain(..) {
            must(self.0.tokens.retire(&id), "the old key");
        }
        self.publish();
    }

    /// Makes the keys unavailable (`true`) or available again (`false`).
    pub fn keys_down(&self, is_down: bool) {
        self.0.keys.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Makes the list of revocations unavailable (`true`) or available again (`false`).
    pub fn revocations_down(&self, is_down: bool) {
        self.0.revocations.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Revokes one token.
    #[track_caller]
    pub fn revoke(&self, token: &Token) {
        let revoked = self.0.revocations.revoked.revoke_token(
            self.name(),
            token.id(),
            token.expires_at(),
            self.now(),
        );
        must(revoked, "the token cannot be revoked");
    }

    /// Revokes all that was issued to `subject` so far, and to others on its behalf. Tokens tell
    /// whole seconds, so let one pass before you issue a good one again.
    #[track_caller]
    pub fn revoke_all_of(&self, subject: &str) {
        let now = self.now();
        let last = now.checked_add(LONGEST_LIFE).unwrap_or(now);
        let revoked =
            self.0
                .revocations
                .revoked
                .revoke_subject(self.name(), subject, now, last, now);
        must(revoked, "the subject cannot be revoked");
    }

    #[track_caller]
    fn publish(&self) {
        let keys = must(self.0.tokens.key_set(), "the keys of the issuer");
        self.0.keys.keys.replace(keys);
    }

    pub(crate) fn tokens(&self) -> &TokenIssuer {
        &self.0.tokens
    }

    pub(crate) fn signer(&self) -> Arc<Signer> {
        // A plain value: after a panic elsewhere it is still whole.
        Arc::clone(&self.0.signer.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for FakeIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeIssuer")
            .field("tokens", &self.0.tokens)
            .field("audience", &self.0.audience)
            .finish_non_exhaustive()
    }
}

impl Signer {
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    // Plain values: after a panic elsewhere they are still whole.
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// A new key, as issuers and as forgers use it. It is never a fixed one: whatever this crate knew,
/// everybody would.
#[track_caller]
fn key_pair() -> (SigningKey, Signer) {
    let pkcs8: SecretBytes = must(
        SigningKey::generate_pkcs8(Algorithm::EdDsa),
        "no key can be made",
    );
    let key = must(
        SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8),
        "the key just made cannot be read",
    );
    let id = key.id().as_str().to_owned();
    match Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose()) {
        Ok(pair) => (key, Signer { id, pair }),
        Err(_) => fail("the key just made cannot be read"),
    }
}

/// The key of somebody who is no issuer.
#[track_caller]
pub(crate) fn stranger() -> Signer {
    key_pair().1
}

#[derive(Debug)]
struct SwitchedKeys {
    keys: StaticKeys,
    is_down: AtomicBool,
}

impl SwitchedKeys {
    fn up(&self) -> Result<&StaticKeys, KeysUnavailable> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(KeysUnavailable {
                retry_after: RETRY_AFTER,
            });
        }
        Ok(&self.keys)
    }
}

impl KeySource for SwitchedKeys {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        self.up()?.keys()
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        self.up()?.generation()
    }

    fn refresh(&self, missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        match self.up() {
            Ok(keys) => keys.refresh(missing),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn health(&self) -> Health {
        match self.up() {
            Ok(keys) => keys.health(),
            Err(_) => Health::Unavailable,
        }
    }
}

#[derive(Debug)]
struct SwitchedRevocations {
    revoked: MemoryRevocations,
    is_down: AtomicBool,
}

impl Revocations for SwitchedRevocations {
    fn is_revoked(&self, token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(RevocationsUnavailable {
                retry_after: RETRY_AFTER,
            });
        }
        self.revoked.is_revoked(token)
    }
}
