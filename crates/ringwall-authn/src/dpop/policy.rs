//! What is demanded of proofs.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_jose::{Algorithm, RingProvider, SignatureProvider};
use ringwall_replay::ReplayStore;

use super::target::{Origin, Origins};
use super::{DpopError, DpopNonces, DpopPolicyError, Proof, ProofFault, ProvenKey};
use crate::digest::sha256;

/// How old a proof may be, unless set.
pub const DEFAULT_PROOF_AGE: Duration = Duration::from_secs(60);

/// How far ahead the clock of a proof's maker may be, unless set.
pub const DEFAULT_PROOF_LEAD: Duration = Duration::from_secs(5);

/// The oldest proof that can be permitted. Each proof is remembered for as long as it could be
/// repeated, and one that was made in advance works for as long (RFC 9449 §11.1, §11.2).
pub const MAX_PROOF_AGE: Duration = Duration::from_secs(300);

/// The greatest lead that can be permitted.
pub const MAX_PROOF_LEAD: Duration = Duration::from_secs(60);

/// The most public origins.
const MAX_ORIGINS: usize = 64;

/// The algorithms of proofs unless set: one for each kind of key, and both for RSA.
const DEFAULT_ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Es384,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

/// What is demanded of DPoP proofs (RFC 9449 §4.3), and where those that were used are remembered.
///
/// A token that is bound to a key (`cnf.jkt`) is good together with a proof alone: a signature of that
/// very key, made moments ago, for the method and the URI of this request and for this token. A stolen
/// token is worth nothing then, and a recorded request is worth nothing a second time.
///
/// # Order
///
/// All that is cheap comes first, then the comparison of the keys, then the signature, and the claim in
/// the [`ReplayStore`] last: only whoever holds a token and its key can put something into the store.
///
/// # The host
///
/// The `Host` of a request is what its sender writes. Whoever recorded a proof for one service could
/// send it to another one under the first one's name, and if both take the same tokens, it is accepted
/// there. So name the [`public_origin`](DpopPolicyBuilder::public_origin) under which clients know this
/// service; [`origin_from_request`](DpopPolicyBuilder::origin_from_request) is for services of which a proxy
/// in front, or a route for each host, already checked the host. Paths are compared as this service sees them:
/// a proxy that cuts a prefix off breaks every proof.
///
/// Cloning shares it.
#[derive(Clone)]
pub struct DpopPolicy(Arc<Inner>);

struct Inner {
    store: Arc<dyn ReplayStore>,
    provider: Arc<dyn SignatureProvider>,
    origins: Origins,
    algorithms: Vec<Algorithm>,
    /// As challenges name them.
    algorithm_names: Box<str>,
    age: Duration,
    lead: Duration,
    nonces: Option<DpopNonces>,
    required: bool,
}

/// Collects the options of a [`DpopPolicy`].
#[must_use = "nothing is demanded until it is built"]
#[derive(Clone)]
pub struct DpopPolicyBuilder {
    store: Arc<dyn ReplayStore>,
    provider: Arc<dyn SignatureProvider>,
    public: Vec<Box<str>>,
    of_request: bool,
    algorithms: Vec<Algorithm>,
    age: Duration,
    lead: Duration,
    nonces: Option<DpopNonces>,
    required: bool,
}

impl DpopPolicyBuilder {
    /// An origin (`https://api.example.com`) under which clients know this service: proofs have to be
    /// for it, or for one of several. Then the request's own scheme and host are not looked at.
    pub fn public_origin(mut self, origin: &str) -> Self {
        self.public.push(origin.into());
        self
    }

    /// Compares with the scheme and the host of the request, which trusted proxies corrected. See
    /// [`DpopPolicy`] for when that is too little. A request whose scheme is not known is refused.
    pub const fn origin_from_request(mut self) -> Self {
        self.of_request = true;
        self
    }

    /// The algorithms of proofs; ES256, EdDSA, ES384, PS256 and RS256 unless set. Challenges name them.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How old a proof may be: 60 s unless set, 1 to 300 s. It covers the way here and clocks that are
    /// behind.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// How far ahead the clock of the proof's maker may be: 5 s unless set, at most 60 s. Servers that share
    /// [nonces](Self::nonces) or a store may be as far apart.
    pub const fn max_lead(mut self, lead: Duration) -> Self {
        self.lead = lead;
        self
    }

    /// Demands a nonce of this service in each proof (RFC 9449 §9); none unless set. A client learns
    /// it from a refusal, and tries again.
    pub fn nonces(mut self, nonces: DpopNonces) -> Self {
        self.nonces = Some(nonces);
        self
    }

    /// Refuses every token that is not bound to a key. Unless set, tokens without `cnf` are bearer
    /// tokens.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Who verifies signatures; *ring* unless set.
    pub fn provider(mut self, provider: Arc<dyn SignatureProvider>) -> Self {
        self.provider = provider;
        self
    }

    /// The policy.
    ///
    /// # Errors
    ///
    /// [`DpopPolicyError`] for options that could accept nothing, or more than they say.
    pub fn build(self) -> Result<DpopPolicy, DpopPolicyError> {
        let origins = match (self.public.is_empty(), self.of_request) {
            (true, false) => return Err(DpopPolicyError::NoOrigin),
            (false, true) => return Err(DpopPolicyError::ContradictoryOrigins),
            (true, true) => Origins::OfRequest,
            (false, false) if self.public.len() > MAX_ORIGINS => {
                return Err(DpopPolicyError::TooManyOrigins);
            }
            (false, false) => {
                let origins = self.public.iter().map(|text| Origin::parse(text));
                let origins: Result<_, _> = origins.collect();
                Origins::Public(origins.map_err(DpopPolicyError::Origin)?)
            }
        };
        if self.algorithms.is_empty() || self.algorithms.iter().any(|one| one.is_symmetric()) {
            return Err(DpopPolicyError::Algorithms);
        }
        if self.age < Duration::from_secs(1) || self.age > MAX_PROOF_AGE {
            return Err(DpopPolicyError::Age);
        }
        if self.lead > MAX_PROOF_LEAD {
            return Err(DpopPolicyError::Lead);
        }
        let names: Vec<&str> = self.algorithms.iter().map(|one| one.name()).collect();
        Ok(DpopPolicy(Arc::new(Inner {
            store: self.store,
            provider: self.provider,
            origins,
            algorithm_names: names.join(" ").into(),
            algorithms: self.algorithms,
            age: self.age,
            lead: self.lead,
            nonces: self.nonces,
            required: self.required,
        })))
    }
}

impl DpopPolicy {
    /// Remembers proofs that were used in `store`, which all servers of the service share: in a store
    /// of this process a proof is good once for each process. Say next what proofs are made for.
    pub fn builder(store: Arc<dyn ReplayStore>) -> DpopPolicyBuilder {
        DpopPolicyBuilder {
            store,
            provider: Arc::new(RingProvider),
            public: Vec::new(),
            of_request: false,
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            age: DEFAULT_PROOF_AGE,
            lead: DEFAULT_PROOF_LEAD,
            nonces: None,
            required: false,
        }
    }

    /// Verifies the proof of a request for `access_token`, which is bound to the key of this thumbprint
    /// (RFC 9449 §4.3, §7.1). For tokens that are judged elsewhere, such as by introspection (§6.2);
    /// a [`TokenAuthenticator`](crate::TokenAuthenticator) does it by itself. Verify the token first: with
    /// a thumbprint that nobody vouched for, anybody can fill the store.
    ///
    /// The proof is used up by this, whatever becomes of the request.
    pub fn verify(
        &self,
        view: &RequestView<'_>,
        access_token: &str,
        thumbprint: &[u8; 32],
        now: Timestamp,
    ) -> Step<Result<ProvenKey, DpopError>> {
        match self.read(view, access_token, now) {
            Ok(proof) => proof.prove(self, thumbprint, now),
            Err(fault) => Step::Done(Err(fault.into())),
        }
    }

    /// Reads the proof and checks all that is cheap.
    pub(crate) fn read<'a>(
        &self,
        view: &RequestView<'a>,
        access_token: &str,
        now: Timestamp,
    ) -> Result<Proof<'a>, ProofFault> {
        Proof::read(self, view, &sha256(access_token.as_bytes()), now)
    }

    /// The nonce that the next proof has to contain; `None` when none is demanded. Sent with a good
    /// answer (`DPoP-Nonce`, RFC 9449 §8.2), it saves clients a refusal when the nonces change.
    #[must_use]
    pub fn nonce(&self, now: Timestamp) -> Option<String> {
        self.0.nonces.as_ref().map(|nonces| nonces.issue(now))
    }

    pub(crate) fn is_required(&self) -> bool {
        self.0.required
    }

    pub(crate) fn algorithm_names(&self) -> &str {
        &self.0.algorithm_names
    }

    pub(super) fn accepts(&self, algorithm: Algorithm) -> bool {
        self.0.algorithms.contains(&algorithm)
    }

    pub(super) fn origins(&self) -> &Origins {
        &self.0.origins
    }

    pub(super) fn age(&self) -> Duration {
        self.0.age
    }

    pub(super) fn lead(&self) -> Duration {
        self.0.lead
    }

    pub(super) fn nonces(&self) -> Option<&DpopNonces> {
        self.0.nonces.as_ref()
    }

    pub(super) fn provider(&self) -> &dyn SignatureProvider {
        &*self.0.provider
    }

    pub(super) fn store(&self) -> &dyn ReplayStore {
        &*self.0.store
    }
}

impl fmt::Debug for DpopPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopPolicy")
            .field("origins", &self.0.origins)
            .field("algorithms", &self.0.algorithms)
            .field("age", &self.0.age)
            .field("lead", &self.0.lead)
            .field("nonces", &self.0.nonces)
            .field("required", &self.0.required)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DpopPolicyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopPolicyBuilder")
            .field("public", &self.public)
            .field("of_request", &self.of_request)
            .field("algorithms", &self.algorithms)
            .field("nonces", &self.nonces)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}
