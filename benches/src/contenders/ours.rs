//! Ours, with either provider.

use std::sync::Arc;

use ringwall_authn::{
    IssuerPolicy, TokenVerifier, VerifiedToken,
    jose::{
        Algorithm, AwsLcProvider, Curve, HmacSecret, KeyId, KeySet, KeySource, PublicKey,
        RingProvider, SignatureProvider, StaticKeys, VerificationKey,
    },
};
use ringwall_core::{
    clock::{SystemClock, WallClock as _},
    profile::Profile,
};

use crate::materials::{AUDIENCE, ISSUER, KEY_ID, Materials, Public};

/// Whose arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Ring,
    AwsLc,
}

impl Provider {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ring, Self::AwsLc];

    /// The name in cases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::AwsLc => "aws-lc",
        }
    }

    fn provider(self) -> Arc<dyn SignatureProvider> {
        match self {
            Self::Ring => Arc::new(RingProvider),
            Self::AwsLc => Arc::new(AwsLcProvider),
        }
    }
}

/// A verifier and the clock that a service would read for each request: the peers read theirs
/// within the measured time too.
#[derive(Debug)]
pub struct Ours {
    verifier: TokenVerifier,
    clock: SystemClock,
}

impl Ours {
    /// Accepts RFC 9068 access tokens, the default profile, of the one issuer.
    ///
    /// # Panics
    ///
    /// When ours refuses its own materials.
    #[must_use]
    pub fn new(materials: &Materials, provider: Provider, cache_bytes: usize) -> Self {
        let provider = provider.provider();
        // Shared secrets are for development only.
        let profile = match &materials.public {
            Public::Secret(_) => Profile::Development,
            Public::Rsa { .. } | Public::Point(_) => Profile::Production,
        };
        let id = KeyId::new(KEY_ID).expect("a key id");
        let key = match &materials.public {
            Public::Secret(secret) => {
                let secret =
                    HmacSecret::new(secret.clone(), Profile::Development).expect("32 random bytes");
                VerificationKey::symmetric(Some(id), materials.algorithm, &secret, &*provider)
            }
            public => VerificationKey::public(
                Some(id),
                materials.algorithm,
                &public_key(materials.algorithm, public),
                &*provider,
            ),
        };
        let keys = KeySet::builder()
            .key(key.expect("an acceptable key"))
            .build()
            .expect("a set");
        Self::with_keys(Arc::new(StaticKeys::new(keys)), profile, cache_bytes)
    }

    /// The same with keys from elsewhere.
    ///
    /// # Panics
    ///
    /// When ours refuses its own materials.
    #[must_use]
    pub fn with_keys(keys: Arc<dyn KeySource>, profile: Profile, cache_bytes: usize) -> Self {
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys)
            .build()
            .expect("a policy");
        let verifier = TokenVerifier::builder()
            .profile(profile)
            .issuer(policy)
            .cache_bytes(cache_bytes)
            .build()
            .expect("a verifier");
        Self {
            verifier,
            clock: SystemClock::new(),
        }
    }

    /// Reads the clock and verifies.
    ///
    /// # Panics
    ///
    /// When the token is refused.
    #[must_use]
    pub fn verify(&self, token: &str) -> Arc<VerifiedToken> {
        let now = self.clock.now().expect("a clock");
        self.verifier.verify(token, now).expect("a valid token")
    }

    /// The verifier.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.verifier
    }
}

fn public_key(algorithm: Algorithm, public: &Public) -> PublicKey {
    match public {
        Public::Rsa { modulus, exponent } => PublicKey::rsa(modulus.clone(), exponent.clone()),
        Public::Point(point) if algorithm == Algorithm::Es256 => {
            let (x, y) = point[1..].split_at(32);
            PublicKey::ec(Curve::P256, x, y)
        }
        Public::Point(point) => PublicKey::ed25519(point),
        Public::Secret(_) => unreachable!("secrets are no public keys"),
    }
    .expect("an acceptable key")
}
