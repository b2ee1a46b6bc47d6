//! What is demanded of answers.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::{MonotonicClock, SystemClock, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use ringwall_core::principal::{OrgId, Scope};

use super::IntrospectionTransport;
use super::authenticator::{Inner, IntrospectionAuthenticator};
use super::cache::AnswerCache;
use crate::allowed_grants::AllowedGrants;
use crate::bearer::BearerSource;
use crate::revocation::{NoRevocations, Revocations};

/// For how long an answer is believed unless set.
pub const DEFAULT_ANSWER_LIFETIME: Duration = Duration::from_secs(60);

/// The longest time for which an answer can be believed: a revocation that takes longer is none.
pub const MAX_ANSWER_LIFETIME: Duration = Duration::from_secs(600);

/// How many answers are kept unless set.
const DEFAULT_CACHED: usize = 10_000;

/// How many questions are asked at once unless set.
const DEFAULT_QUESTIONS: usize = 64;

/// Options that cannot be sound. Told to operators at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionPolicyError {
    /// The issuer or an audience is empty, longer than 512 bytes, or holds control characters.
    #[error("the issuer and the audiences are 1 to 512 printable characters")]
    Name,
    /// An answer is believed for longer than [`MAX_ANSWER_LIFETIME`].
    #[error("an answer is believed for 600 seconds at most")]
    Lifetime,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// Collects the options of an [`IntrospectionAuthenticator`].
#[must_use = "nothing is authenticated until it is built"]
pub struct IntrospectionAuthenticatorBuilder {
    transport: Arc<dyn IntrospectionTransport>,
    issuer: Box<str>,
    audiences: Vec<Box<str>>,
    org: Option<OrgId>,
    org_member: Option<Box<str>>,
    allowed: AllowedGrants,
    source: BearerSource,
    lifetime: Duration,
    cached: usize,
    questions: usize,
    revocations: Arc<dyn Revocations>,
    realm: Box<str>,
    clock: Arc<dyn WallClock>,
    monotonic: Arc<dyn MonotonicClock>,
    events: Arc<dyn EventSink>,
}

impl IntrospectionAuthenticatorBuilder {
    pub(super) fn new(
        transport: Arc<dyn IntrospectionTransport>,
        issuer: &str,
        audience: &str,
    ) -> Self {
        Self {
            transport,
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            org: None,
            org_member: None,
            allowed: AllowedGrants::default(),
            source: BearerSource::default(),
            lifetime: DEFAULT_ANSWER_LIFETIME,
            cached: DEFAULT_CACHED,
            questions: DEFAULT_QUESTIONS,
            revocations: Arc::new(NoRevocations),
            realm: "api".into(),
            clock: Arc::new(SystemClock::new()),
            monotonic: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// Accepts tokens for this audience too.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// All tokens belong to this organisation.
    pub fn only_org(mut self, org: OrgId) -> Self {
        self.org = Some(org);
        self
    }

    /// The member of the answer that names the organisation. A server of several organisations has to be
    /// trusted with all that it names.
    pub fn org_member(mut self, member: &str) -> Self {
        self.org_member = Some(member.into());
        self
    }

    /// The scopes that this issuer may grant; any unless set. What an answer says beyond them is left out and
    /// reported, as with
    /// [`IssuerPolicyBuilder::allowed_scopes`](crate::IssuerPolicyBuilder::allowed_scopes).
    pub fn allowed_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.allowed.scopes = Some(scopes.into_iter().collect());
        self
    }

    /// Where requests carry the token; `Authorization: Bearer` unless set. Two authenticators that read
    /// the same field make every request ambiguous.
    pub fn source(mut self, source: BearerSource) -> Self {
        self.source = source;
        self
    }

    /// For how long an answer is believed; [`DEFAULT_ANSWER_LIFETIME`] unless set, never past the token's
    /// own end. A token that its issuer takes back is accepted for so long, and a running stream lasts so
    /// long: then its caller comes back, and the issuer is asked again.
    pub const fn answer_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How many answers are kept; 10,000 unless set. Only good ones are.
    pub const fn cached(mut self, answers: usize) -> Self {
        self.cached = answers;
        self
    }

    /// How many questions are asked at once; 64 unless set. One more is answered 503.
    pub const fn questions(mut self, questions: usize) -> Self {
        self.questions = questions;
        self
    }

    /// Asked for every token, those whose answer is kept too.
    pub fn revocations(mut self, revocations: Arc<dyn Revocations>) -> Self {
        self.revocations = revocations;
        self
    }

    /// The realm of the challenges; `api` unless set.
    pub fn realm(mut self, realm: &str) -> Self {
        self.realm = realm.into();
        self
    }

    /// The wall clock; the machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The clock that the age of answers is measured by; the machine's unless set.
    pub fn monotonic_clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.monotonic = clock;
        self
    }

    /// Where every success and failure is reported; nowhere unless set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// The authenticator.
    ///
    /// # Errors
    ///
    /// [`IntrospectionPolicyError`].
    pub fn build(self) -> Result<IntrospectionAuthenticator, IntrospectionPolicyError> {
        let is_name =
            |name: &str| (1..=512).contains(&name.len()) && !name.contains(char::is_control);
        if !is_name(&self.issuer) || !self.audiences.iter().all(|name| is_name(name)) {
            return Err(IntrospectionPolicyError::Name);
        }
        if self.lifetime > MAX_ANSWER_LIFETIME {
            return Err(IntrospectionPolicyError::Lifetime);
        }
        let cache = AnswerCache::new(self.cached);
        let cache = cache.map_err(|_| IntrospectionPolicyError::Random)?;
        Ok(IntrospectionAuthenticator(Arc::new(Inner {
            transport: self.transport,
            issuer: self.issuer.as_ref().into(),
            audiences: self.audiences,
            org: self.org,
            org_member: self.org_member,
            allowed: self.allowed,
            source: self.source,
            lifetime: self.lifetime,
            cache,
            asking: Arc::default(),
            questions: self.questions,
            revocations: self.revocations,
            realm: self.realm,
            clock: self.clock,
            monotonic: self.monotonic,
            events: self.events,
        })))
    }
}

impl fmt::Debug for IntrospectionAuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionAuthenticatorBuilder")
            .field("transport", &self.transport)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
