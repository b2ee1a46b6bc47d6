//! Keys that sign.

use core::fmt;

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
    RsaKeyPair,
};
use ringwall_core::secret::SecretBytes;
use ringwall_jose::{
    Algorithm, Curve, HmacSecret, KeyError, KeyId, PublicKey, RingProvider, VerificationKey,
    base64url,
};

/// Why a signing key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The text is not a PKCS#8 private key of the algorithm.
    #[error("the text is not a private key for this algorithm")]
    Malformed,
    /// The public part does not pass the checks that verifiers make.
    #[error("the public part of the key is not acceptable")]
    Public(#[source] KeyError),
    /// Keys for this algorithm cannot be generated here: make RSA keys elsewhere, and HMAC secrets
    /// from random bytes.
    #[error("keys for this algorithm cannot be generated here")]
    NotGenerated,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// A private key, pinned to one algorithm, with the id under which verifiers know it.
pub struct SigningKey {
    id: KeyId,
    algorithm: Algorithm,
    public: Option<PublicKey>,
    signer: Signer,
    verification: VerificationKey,
}

enum Signer {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(hmac::Key),
}

impl SigningKey {
    /// A new private key as PKCS#8, for EdDSA, ES256 and ES384. Keep it where only the issuer can
    /// read it, and load it with [`SigningKey::from_pkcs8`].
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::NotGenerated`] for other algorithms.
    pub fn generate_pkcs8(algorithm: Algorithm) -> Result<SecretBytes, SigningKeyError> {
        let random = SystemRandom::new();
        let document = if algorithm == Algorithm::EdDsa {
            Ed25519KeyPair::generate_pkcs8(&random)
        } else {
            EcdsaKeyPair::generate_pkcs8(
                ecdsa(algorithm).ok_or(SigningKeyError::NotGenerated)?,
                &random,
            )
        };
        document
            .map(|document| SecretBytes::new(document.as_ref().to_vec()))
            .map_err(|_| SigningKeyError::Random)
    }

    /// Loads a PKCS#8 private key (DER). Its id is its RFC 7638 thumbprint, so that two keys
    /// never share one by accident.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`].
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &SecretBytes) -> Result<Self, SigningKeyError> {
        use Algorithm as A;
        let random = SystemRandom::new();
        let (signer, public) = match algorithm {
            A::EdDsa => {
                // RFC 8410 keys without the public part are what other tools write.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose())
                    .map_err(|_| SigningKeyError::Malformed)?;
                let public = PublicKey::ed25519(pair.public_key().as_ref());
                (Signer::Ed25519(pair), public)
            }
            A::Es256 | A::Es384 => {
                let parameters = ecdsa(algorithm).ok_or(SigningKeyError::Malformed)?;
                let pair = EcdsaKeyPair::from_pkcs8(parameters, pkcs8.expose(), &random)
                    .map_err(|_| SigningKeyError::Malformed)?;
                let curve = if algorithm == A::Es256 {
                    Curve::P256
                } else {
                    Curve::P384
                };
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point
                    .split_at_checked(curve.coordinate_bytes())
                    .ok_or(SigningKeyError::Malformed)?;
                let public = PublicKey::ec(curve, x, y);
                (Signer::Ecdsa(pair), public)
            }
            A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512 => {
                let encoding = rsa_encoding(algorithm).ok_or(SigningKeyError::Malformed)?;
                let pair = RsaKeyPair::from_pkcs8(pkcs8.expose())
                    .map_err(|_| SigningKeyError::Malformed)?;
                let parts: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                let public = PublicKey::rsa(parts.n, parts.e);
                (Signer::Rsa(Box::new(pair), encoding), public)
            }
            A::Hs256 | A::Hs384 | A::Hs512 => return Err(SigningKeyError::Malformed),
        };
        let public = public.map_err(SigningKeyError::Public)?;
        let id =
            KeyId::new(&base64url::encode(public.thumbprint())).map_err(SigningKeyError::Public)?;
        let verification =
            VerificationKey::public(Some(id.clone()), algorithm, &public, &RingProvider)
                .map_err(SigningKeyError::Public)?;
        Ok(Self {
            id,
            algorithm,
            public: Some(public),
            signer,
            verification,
        })
    }

    /// A shared secret, for development: see [`HmacSecret`].
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Public`] when `algorithm` is not an HMAC.
    pub fn hmac(
        id: KeyId,
        algorithm: Algorithm,
        secret: &HmacSecret,
    ) -> Result<Self, SigningKeyError> {
        let parameters = if algorithm == Algorithm::Hs512 {
            hmac::HMAC_SHA512
        } else if algorithm == Algorithm::Hs384 {
            hmac::HMAC_SHA384
        } else {
            hmac::HMAC_SHA256
        };
        let verification =
            VerificationKey::symmetric(Some(id.clone()), algorithm, secret, &RingProvider)
                .map_err(SigningKeyError::Public)?;
        let signer = Signer::Hmac(hmac::Key::new(parameters, secret.expose()));
        Ok(Self {
            id,
            algorithm,
            public: None,
            signer,
            verification,
        })
    }

    /// Another id than the thumbprint.
    #[must_use]
    pub fn with_id(mut self, id: KeyId) -> Self {
        self.verification = self.verification.with_id(id.clone());
        self.id = id;
        self
    }

    /// The id that tokens carry.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub const fn verification_key(&self) -> &VerificationKey {
        &self.verification
    }

    /// The public key as a JSON Web Key; `None` for a shared secret, which is never published.
    #[must_use]
    pub fn jwk(&self) -> Option<String> {
        let members = self.public.as_ref()?.required_members();
        let members = members.strip_suffix('}')?;
        // A key id is visible ASCII and may hold a quote.
        let id = serde_json::Value::from(self.id.as_str());
        Some(format!(
            r#"{members},"use":"sig","alg":"{}","kid":{id}}}"#,
            self.algorithm
        ))
    }

    /// The signature of `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .map_err(|_| SigningKeyError::Random)?;
                Ok(signature)
            }
            Signer::Ecdsa(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SigningKeyError::Random),
            Signer::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Signer::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

fn ecdsa(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    if algorithm == Algorithm::Es256 {
        Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)
    } else if algorithm == Algorithm::Es384 {
        Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)
    } else {
        None
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    use Algorithm as A;
    match algorithm {
        A::Rs256 => Some(&signature::RSA_PKCS1_SHA256),
        A::Rs384 => Some(&signature::RSA_PKCS1_SHA384),
        A::Rs512 => Some(&signature::RSA_PKCS1_SHA512),
        A::Ps256 => Some(&signature::RSA_PSS_SHA256),
        A::Ps384 => Some(&signature::RSA_PSS_SHA384),
        A::Ps512 => Some(&signature::RSA_PSS_SHA512),
        A::Hs256 | A::Hs384 | A::Hs512 | A::Es256 | A::Es384 | A::EdDsa => None,
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
