//! The verification of tokens.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::{ClockUnavailable, Timestamp, WallClock};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::profile::Profile;
use ringwall_core::step::Step;
use ringwall_jose::json::{Document, Limits};
use ringwall_jose::{CompactLimits, CompactParser, Health, KeyId, KeySource, KeysUnavailable};

use crate::cache::{CacheUsage, TokenCache};
use crate::confirmation::BoundToken;
use crate::error::{PolicyError, Refusal, TokenError};
use crate::evaluate::{Accepted, BoundTokens, check_times, evaluate};
use crate::issuer_table::{IssuerState, IssuerTable};
use crate::policy::IssuerPolicy;
use crate::revocation::{NoRevocations, Revocations, TokenFacts};
use crate::token::{Claims, VerifiedToken};

/// The bytes of the verified-token cache unless set: about ten thousand tokens of usual size.
pub const DEFAULT_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// How long to wait when the clock or the revocations cannot be had.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Verifies tokens of any number of issuers.
///
/// Verification is synchronous, does no I/O and takes the time as a value. Issuers can be added
/// and removed while requests run; a removed issuer's tokens are refused at once, cached ones
/// too. Cloning shares everything.
///
/// ```
/// # use std::sync::Arc;
/// # use ringwall_authn::{IssuerPolicy, TokenVerifier, jose::KeySource};
/// # fn example(keys: Arc<dyn KeySource>, token: &str, now: ringwall_core::clock::Timestamp)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = TokenVerifier::builder()
///     .issuer(IssuerPolicy::builder("https://issuer.example", "https://api.example", keys).build()?)
///     .build()?;
/// let verified = verifier.verify(token, now)?;
/// assert!(verified.principal().has_scope("cases:read"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenVerifier(Arc<Inner>);

struct Inner {
    profile: Profile,
    parser: CompactParser,
    issuers: IssuerTable,
    cache: Option<TokenCache>,
    revocations: Arc<dyn Revocations>,
}

/// Collects the options of a [`TokenVerifier`].
#[derive(Debug)]
pub struct TokenVerifierBuilder {
    profile: Profile,
    limits: CompactLimits,
    issuers: Vec<IssuerPolicy>,
    cache_bytes: usize,
    revocations: Arc<dyn Revocations>,
}

impl TokenVerifierBuilder {
    /// Production unless set. In development, symmetric keys are accepted.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Accepts the tokens of an issuer. More can be added at run time.
    #[must_use]
    pub fn issuer(mut self, policy: IssuerPolicy) -> Self {
        self.issuers.push(policy);
        self
    }

    /// The bytes of the verified-token cache; zero for none. 16 MiB unless set.
    #[must_use]
    pub const fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Asked for every token, cached ones too. Nothing is revoked unless set.
    #[must_use]
    pub fn revocations(mut self, revocations: Arc<dyn Revocations>) -> Self {
        self.revocations = revocations;
        self
    }

    /// The longest token and header.
    #[must_use]
    pub const fn limits(mut self, limits: CompactLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when an issuer is there twice or the system gives no random bytes.
    pub fn build(self) -> Result<TokenVerifier, PolicyError> {
        let inner = Inner {
            profile: self.profile,
            parser: CompactParser::new(self.limits),
            issuers: IssuerTable::default(),
            cache: TokenCache::new(self.cache_bytes)?,
            revocations: self.revocations,
        };
        let verifier = TokenVerifier(Arc::new(inner));
        verifier.add_issuers(self.issuers)?;
        Ok(verifier)
    }
}

/// What came of a look at one token.
enum Failure {
    Refused(TokenError),
    /// The issuer's keys do not have the one the token names: they may be out of date.
    MissingKey {
        keys: Arc<dyn KeySource>,
        id: Box<str>,
    },
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::Refused(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<ClockUnavailable> for TokenError {
    fn from(_: ClockUnavailable) -> Self {
        Self::unavailable(Refusal::ClockUnavailable, RETRY_AFTER)
    }
}

impl Failure {
    fn into_error(self) -> TokenError {
        match self {
            Self::Refused(error) => error,
            Self::MissingKey { .. } => Refusal::KeyUnknown.into(),
        }
    }
}

impl TokenVerifier {
    /// A builder without issuers: a verifier of it refuses every token until one is added.
    #[must_use]
    pub fn builder() -> TokenVerifierBuilder {
        TokenVerifierBuilder {
            profile: Profile::default(),
            limits: CompactLimits::default(),
            issuers: Vec::new(),
            cache_bytes: DEFAULT_CACHE_BYTES,
            revocations: Arc::new(NoRevocations),
        }
    }

    /// Verifies `token` at the time `now`, with the keys that are there. A token that is bound to a key
    /// or a certificate is refused: nobody asked for possession.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>, TokenError> {
        let verified = self.0.look(token, now, BoundTokens::Refused);
        verified.map_err(Failure::into_error)
    }

    /// As [`TokenVerifier::verify`], also for tokens that are bound to a key or a certificate: what
    /// comes of it is a [`VerifiedToken`] only against what the token demands.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn verify_bound(&self, token: &str, now: Timestamp) -> Result<BoundToken, TokenError> {
        let verified = self.0.look(token, now, BoundTokens::Unconfirmed);
        verified.map(BoundToken::new).map_err(Failure::into_error)
    }

    /// As [`TokenVerifier::verify`]; when the token names a key that its issuer's source does not
    /// have, the source is asked once to look for it. With a cached token, or any other key that
    /// is there, the answer is there at once.
    ///
    /// Looking for a key takes as long as the network does, and a token can expire meanwhile: what
    /// is judged after it is judged by the time after it. A `clock` that cannot tell that time is no
    /// decision ([`TokenErrorKind::Unavailable`]).
    ///
    /// [`TokenErrorKind::Unavailable`]: crate::TokenErrorKind::Unavailable
    pub fn verify_refreshing(
        &self,
        token: &str,
        clock: &Arc<dyn WallClock>,
    ) -> Step<Result<Arc<VerifiedToken>, TokenError>> {
        match clock.now() {
            Ok(now) => self.verify_refreshing_from(token, now, clock, BoundTokens::Refused),
            Err(error) => Step::Done(Err(error.into())),
        }
    }

    /// As [`TokenVerifier::verify_bound`], and looks for keys as
    /// [`TokenVerifier::verify_refreshing`] does.
    pub fn verify_bound_refreshing(
        &self,
        token: &str,
        clock: &Arc<dyn WallClock>,
    ) -> Step<Result<BoundToken, TokenError>> {
        match clock.now() {
            Ok(now) => {
                self.verify_bound_refreshing_from(token, now, clock, BoundTokens::Unconfirmed)
            }
            Err(error) => Step::Done(Err(error.into())),
        }
    }

    /// As [`Self::verify_bound_refreshing`], for whoever has just read the clock, and may want no
    /// bound tokens.
    pub(crate) fn verify_bound_refreshing_from(
        &self,
        token: &str,
        now: Timestamp,
        clock: &Arc<dyn WallClock>,
        bound: BoundTokens,
    ) -> Step<Result<BoundToken, TokenError>> {
        self.verify_refreshing_from(token, now, clock, bound)
            .map(|answer| answer.map(BoundToken::new))
    }

    /// The token as it is: whoever asks for [`BoundTokens::Unconfirmed`] wraps it.
    fn verify_refreshing_from(
        &self,
        token: &str,
        now: Timestamp,
        clock: &Arc<dyn WallClock>,
        bound: BoundTokens,
    ) -> Step<Result<Arc<VerifiedToken>, TokenError>> {
        let (keys, id) = match self.0.look(token, now, bound) {
            Ok(verified) => return Step::Done(Ok(verified)),
            Err(Failure::Refused(error)) => return Step::Done(Err(error)),
            Err(Failure::MissingKey { keys, id }) => (keys, id),
        };
        match keys.refresh(&id) {
            Step::Done(found) => Step::Done(self.verify_refreshed(token, found, &**clock, bound)),
            Step::Wait(refreshed) => {
                let (verifier, token) = (self.clone(), zeroize::Zeroizing::new(token.to_owned()));
                let clock = Arc::clone(clock);
                Step::wait(async move {
                    let found = refreshed.await;
                    verifier.verify_refreshed(&token, found, &*clock, bound)
                })
            }
        }
    }

    fn verify_refreshed(
        &self,
        token: &str,
        found: Result<bool, KeysUnavailable>,
        clock: &dyn WallClock,
        bound: BoundTokens,
    ) -> Result<Arc<VerifiedToken>, TokenError> {
        match found {
            Ok(true) => {
                let verified = self.0.look(token, clock.now()?, bound);
                verified.map_err(Failure::into_error)
            }
            Ok(false) => Err(Refusal::KeyUnknown.into()),
            Err(error) => Err(TokenError::unavailable(
                Refusal::KeysUnavailable,
                error.retry_after,
            )),
        }
    }

    /// Accepts the tokens of another issuer from now on.
    ///
    /// With several issuers, each has to be bound to an organisation
    /// ([`PrincipalMapping::only_org`]), name none ([`PrincipalMapping::without_tenant`]) or be
    /// trusted with all ([`PrincipalMapping::any_org`]): a tenant's issuer must not speak for
    /// another tenant.
    ///
    /// [`PrincipalMapping::only_org`]: crate::PrincipalMapping::only_org
    /// [`PrincipalMapping::without_tenant`]: crate::PrincipalMapping::without_tenant
    /// [`PrincipalMapping::any_org`]: crate::PrincipalMapping::any_org
    ///
    /// # Errors
    ///
    /// [`PolicyError::DuplicateIssuer`] when there is one of this name, [`PolicyError::AnyOrg`] as
    /// said above, [`PolicyError::TooManyIssuers`] at the bound of
    /// [`MAX_ISSUERS`](crate::MAX_ISSUERS). Nothing is changed then.
    pub fn add_issuer(&self, policy: IssuerPolicy) -> Result<(), PolicyError> {
        self.add_issuers([policy])
    }

    /// Accepts the tokens of all these issuers from now on, or of none of them. Each change costs
    /// a copy of the table of issuers, so many are better added at once.
    ///
    /// # Errors
    ///
    /// As [`TokenVerifier::add_issuer`].
    pub fn add_issuers(
        &self,
        policies: impl IntoIterator<Item = IssuerPolicy>,
    ) -> Result<(), PolicyError> {
        self.0.issuers.add(policies)
    }

    /// Replaces the policy of an issuer, or adds it. Tokens verified under the old policy are
    /// judged again. Nothing here holds on to the old source of keys: it ends with the last request
    /// that uses it.
    ///
    /// # Errors
    ///
    /// [`PolicyError::AnyOrg`] and [`PolicyError::TooManyIssuers`] as for
    /// [`TokenVerifier::add_issuer`]. Nothing is changed then.
    pub fn replace_issuer(&self, policy: IssuerPolicy) -> Result<(), PolicyError> {
        if let Some(old) = self.0.issuers.replace(policy)? {
            self.0.forget(&old);
        }
        Ok(())
    }

    /// Refuses the tokens of `issuer` from now on, cached ones too. Answers whether it was there.
    /// Nothing here holds on to its source of keys: it ends with the last request that uses it.
    pub fn remove_issuer(&self, issuer: &str) -> bool {
        let old = self.0.issuers.remove(issuer);
        if let Some(old) = &old {
            self.0.forget(old);
        }
        old.is_some()
    }

    /// The issuers and how well each one's keys can be served, for a readiness probe.
    #[must_use]
    pub fn health(&self) -> Vec<(Arc<str>, Health)> {
        self.0.issuers.health()
    }

    /// What the cache holds; `None` without a cache.
    #[must_use]
    pub fn cache_usage(&self) -> Option<CacheUsage> {
        self.0.cache.as_ref().map(TokenCache::usage)
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.0.profile
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("profile", &self.0.profile)
            .field("issuers", &self.0.issuers.len())
            .field("cache", &self.0.cache)
            .finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// Whether a token that was verified would be accepted at `now` too: its issuer is trusted still,
    /// its time has not come, its key is published, and it is not revoked. Streams ask this while
    /// they last.
    ///
    /// The text of the token is gone, so its signature is not verified again: when the keys have
    /// changed, the one with its id has to be among them, and a
    /// token that names no key is refused.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn recheck(&self, verified: &VerifiedToken, now: Timestamp) -> Result<(), TokenError> {
        let policy = &verified.issuer.policy;
        if verified.issuer.is_retired() {
            return Err(Refusal::IssuerUnknown.into());
        }
        check_times(policy, verified.times, now)?;
        let keys = policy.keys.keys().map_err(|error| {
            TokenError::unavailable(Refusal::KeysUnavailable, error.retry_after)
        })?;
        let is_published = |id| keys.find(Some(id)).is_some();
        let named = verified.key_id().filter(|_| verified.names_key);
        if keys.generation() != verified.generation && !named.is_some_and(is_published) {
            return Err(Refusal::KeyUnknown.into());
        }
        self.0.check_revocation(&TokenFacts::of(verified))
    }
}

impl Inner {
    fn look(
        &self,
        token: &str,
        now: Timestamp,
        bound: BoundTokens,
    ) -> Result<Arc<VerifiedToken>, Failure> {
        // Before anything reads the text, the hash of the cache included.
        if token.len() > self.parser.limits().token_bytes {
            return Err(Refusal::Form(ringwall_jose::CompactError::TooLong).into());
        }
        let Some(cache) = &self.cache else {
            return self.verify(token, now, bound).map(|(verified, _)| verified);
        };
        if let Some(verified) = cache.get(token) {
            // Whoever asked for it before asked for possession then, and not now.
            if bound == BoundTokens::Refused && verified.confirmation().is_some() {
                return Err(Refusal::SenderConstrained.into());
            }
            if self.still_holds(&verified, now)? {
                return Ok(verified);
            }
            cache.remove(token);
        }
        let (verified, is_fresh) = self.verify(token, now, bound)?;
        if is_fresh {
            cache.insert(token, Arc::clone(&verified));
        }
        Ok(verified)
    }

    /// Lets go of what the cache holds of an issuer that was retired, its source of keys with it: a
    /// remote source owns a task and connections, which end with its last handle.
    fn forget(&self, retired: &Arc<IssuerState>) {
        if let Some(cache) = &self.cache {
            cache.purge(retired);
        }
    }

    /// What can change while a token is cached: time, keys, policy, revocation. `false` means
    /// that the token has to be judged anew.
    fn still_holds(&self, verified: &VerifiedToken, now: Timestamp) -> Result<bool, TokenError> {
        let policy = &verified.issuer.policy;
        if verified.issuer.is_retired() || now >= verified.times.expires_at {
            return Ok(false);
        }
        if check_times(policy, verified.times, now).is_err() {
            return Ok(false); // the clock went back behind `nbf` or `iat`
        }
        let generation = policy.keys.generation().map_err(|error| {
            TokenError::unavailable(Refusal::KeysUnavailable, error.retry_after)
        })?;
        if generation != verified.generation {
            return Ok(false);
        }
        self.check_revocation(&TokenFacts::of(verified))?;
        Ok(true)
    }

    fn check_revocation(&self, facts: &TokenFacts<'_>) -> Result<(), TokenError> {
        match self.revocations.is_revoked(facts) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Refusal::Revoked.into()),
            Err(error) => Err(TokenError::unavailable(
                Refusal::RevocationsUnavailable,
                error.retry_after,
            )),
        }
    }

    /// Verifies from scratch. Also answers whether the token is within its life, without the
    /// skew: only then may it be cached.
    fn verify(
        &self,
        token: &str,
        now: Timestamp,
        bound: BoundTokens,
    ) -> Result<(Arc<VerifiedToken>, bool), Failure> {
        let jws = self.parser.parse(token).map_err(Refusal::from)?;
        let payload = jws.unverified_payload().map_err(Refusal::from)?;
        let limits = Limits {
            bytes: self.parser.limits().token_bytes,
            ..Limits::TOKEN
        };
        let mut document = Document::parse(payload, limits).map_err(Refusal::from)?;
        let claims = document.root();
        claims.as_object().ok_or(Refusal::NotClaims)?;

        // The only claim that is used before the signature is verified, and only to find the
        // keys under which it has to be.
        let issuer = claims
            .get("iss")
            .and_then(ringwall_jose::json::Value::as_str)
            .ok_or(Refusal::IssuerMalformed)?;
        let state = self.issuers.find(issuer).ok_or(Refusal::IssuerUnknown)?;
        let policy = &state.policy;
        let keys = policy.keys.keys().map_err(|error| {
            TokenError::unavailable(Refusal::KeysUnavailable, error.retry_after)
        })?;
        let Some(key) = keys.find(jws.key_id()) else {
            return Err(match jws.key_id() {
                Some(id) => Failure::MissingKey {
                    keys: Arc::clone(&policy.keys),
                    id: id.into(),
                },
                None => Refusal::KeyUnnamed.into(),
            });
        };
        if key.algorithm() != jws.algorithm() {
            return Err(Refusal::AlgorithmMismatch.into());
        }
        if key.algorithm().is_symmetric() && !self.profile.is_development() {
            return Err(Refusal::SymmetricKey.into());
        }
        let signature = jws.verify(key).map_err(|_| Refusal::Signature)?;
        self.parser.remember(&jws, &signature);

        let accepted = evaluate(policy, &jws, claims, now, bound, &signature);
        let Accepted {
            principal,
            times,
            confirmation,
            is_narrowed,
        } = match accepted {
            Ok(accepted) => accepted,
            Err(Refusal::ClockUnavailable) => {
                return Err(TokenError::unavailable(Refusal::ClockUnavailable, RETRY_AFTER).into());
            }
            Err(refusal) => return Err(refusal.into()),
        };
        // Of the key that verified it, and not of the one that it names: whoever stole the only key of an
        // issuer would leave its name out.
        let key_id = key.id().map(KeyId::as_str);
        let facts = TokenFacts::new(policy.issuer(), &principal, key_id, times.issued_at);
        self.check_revocation(&facts)?;
        if self.cache.is_some() {
            document.shrink();
        }
        let key_id = key_id.map(Into::into);
        let generation = keys.generation();
        let verified = VerifiedToken {
            principal: VerifiedPrincipal::attest(principal, Attest::i_have_verified_this()),
            claims: Claims::new(document),
            times,
            key_id,
            names_key: jws.key_id().is_some(),
            confirmation,
            is_narrowed,
            issuer: Arc::clone(&state),
            generation,
        };
        Ok((Arc::new(verified), now < times.expires_at))
    }
}
