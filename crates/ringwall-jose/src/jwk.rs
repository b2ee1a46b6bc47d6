//! One JSON Web Key (RFC 7517 §4), strictly.

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::KeyError;
use crate::json::Value;
use crate::key::{KeyId, VerificationKey};
use crate::provider::SignatureProvider;
use crate::public_key::{Curve, PublicKey};

/// Reads one key of a set.
///
/// `rsa_algorithm` is the algorithm of RSA keys that name none: some providers leave `alg` out,
/// and a key must still be pinned to one.
pub(crate) fn parse(
    jwk: Value<'_>,
    rsa_algorithm: Algorithm,
    provider: &dyn SignatureProvider,
) -> Result<VerificationKey, KeyError> {
    jwk.as_object().ok_or(KeyError::Malformed)?;
    let id = key_id(jwk)?;
    let public = public_key(jwk)?;
    check_use(jwk)?;
    let algorithm = match text(jwk, "alg")? {
        Some(name) => Algorithm::from_name(name).ok_or(KeyError::Unsupported)?,
        None => public.sole_algorithm().unwrap_or(rsa_algorithm),
    };
    VerificationKey::public(id, algorithm, &public, provider)
}

/// Reads the key of a proof, which names one algorithm and belongs to nobody's set: the algorithm of
/// the proof is the one it is used for.
pub(crate) fn parse_own(jwk: Value<'_>, algorithm: Algorithm) -> Result<PublicKey, KeyError> {
    jwk.as_object().ok_or(KeyError::Malformed)?;
    let public = public_key(jwk)?;
    check_use(jwk)?;
    let named =
        text(jwk, "alg")?.map(|name| Algorithm::from_name(name).ok_or(KeyError::Unsupported));
    if !public.fits(algorithm) || named.transpose()?.is_some_and(|named| named != algorithm) {
        return Err(KeyError::AlgorithmMismatch);
    }
    Ok(public)
}

/// The key id, if there is one and it is acceptable.
pub(crate) fn key_id(jwk: Value<'_>) -> Result<Option<KeyId>, KeyError> {
    text(jwk, "kid")
        .map_err(|_| KeyError::InvalidKeyId)?
        .map(KeyId::new)
        .transpose()
}

pub(crate) fn public_key(jwk: Value<'_>) -> Result<PublicKey, KeyError> {
    if text(jwk, "kty")? == Some("oct") || jwk.get("k").is_some() {
        return Err(KeyError::Symmetric);
    }
    // RFC 7518 §6.2.2, §6.3.2: whoever can read the set has the private key.
    if ["d", "p", "q", "dp", "dq", "qi", "oth"]
        .into_iter()
        .any(|name| jwk.get(name).is_some())
    {
        return Err(KeyError::PrivatePart);
    }
    match text(jwk, "kty")?.ok_or(KeyError::Malformed)? {
        "RSA" => PublicKey::rsa(bytes(jwk, "n")?, bytes(jwk, "e")?),
        "EC" => {
            let curve = match text(jwk, "crv")?.ok_or(KeyError::Malformed)? {
                "P-256" => Curve::P256,
                "P-384" => Curve::P384,
                _ => return Err(KeyError::Unsupported),
            };
            PublicKey::ec(curve, &bytes(jwk, "x")?, &bytes(jwk, "y")?)
        }
        "OKP" => match text(jwk, "crv")?.ok_or(KeyError::Malformed)? {
            "Ed25519" => PublicKey::ed25519(&bytes(jwk, "x")?),
            _ => Err(KeyError::Unsupported),
        },
        _ => Err(KeyError::Unsupported),
    }
}

/// RFC 7517 §4.2 and §4.3: what is there must permit verification; nothing has to be there.
fn check_use(jwk: Value<'_>) -> Result<(), KeyError> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::WrongUse);
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let mut permits = false;
    for operation in operations.as_array().ok_or(KeyError::Malformed)? {
        permits |= operation.as_str().ok_or(KeyError::Malformed)? == "verify";
    }
    if permits {
        Ok(())
    } else {
        Err(KeyError::WrongUse)
    }
}

fn text<'a>(jwk: Value<'a>, name: &str) -> Result<Option<&'a str>, KeyError> {
    jwk.get(name)
        .map(|value| value.as_str().ok_or(KeyError::Malformed))
        .transpose()
}

fn bytes(jwk: Value<'_>, name: &str) -> Result<Vec<u8>, KeyError> {
    text(jwk, name)?
        .and_then(base64url::decode)
        .ok_or(KeyError::Malformed)
}
