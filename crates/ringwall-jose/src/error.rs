//! What can be wrong with keys and signed texts.

use crate::json::JsonError;

/// Why a key is refused.
///
/// These are told to operators, about keys that they configured or that their provider
/// publishes; no variant repeats key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A member is missing, of the wrong type, or not strict base64url.
    #[error("the key is malformed")]
    Malformed,
    /// The key type, curve or algorithm is not supported.
    #[error("the key type, curve or algorithm is not supported")]
    Unsupported,
    /// RSA below 2048 or above 8192 bits or with an exponent outside 65537 … 2^33 - 1 (FIPS 186-5
    /// §5.1), or an HMAC secret below 32 bytes.
    #[error("the key is too weak, or larger than is safe to verify with")]
    Strength,
    /// The point is not on its curve, of small order, or not canonically encoded.
    #[error("the key is not a valid point of its curve")]
    InvalidPoint,
    /// `use` or `key_ops` say that the key is not for verifying signatures.
    #[error("the key is not meant to verify signatures")]
    WrongUse,
    /// The algorithm does not belong to the key's type or curve.
    #[error("the algorithm does not fit the key")]
    AlgorithmMismatch,
    /// The key is of an algorithm that was not named among those that are taken.
    #[error("the algorithm of the key is not among those that are permitted")]
    AlgorithmNotPermitted,
    /// A symmetric key stands in a set of public keys.
    #[error("a symmetric key has no place in a set of public keys")]
    Symmetric,
    /// The key holds private parts, so it is compromised.
    #[error("the key was published with its private part")]
    PrivatePart,
    /// The key id is empty, longer than 256 bytes, or not visible ASCII.
    #[error("the key id is not 1 to 256 visible ASCII characters")]
    InvalidKeyId,
    /// A key without id stands among others: no token can mean it.
    #[error("a key among several needs a key id")]
    MissingKeyId,
    /// Different keys of one set share a key id: none of them is used.
    #[error("different keys share this key id")]
    DuplicateKeyId,
    /// Symmetric secrets are for the development profile.
    #[error("symmetric token secrets are for the development profile only")]
    DevelopmentOnly,
    /// The secret is the text of a public key or of a JSON Web Key.
    #[error("the secret is a published key or a key document, not a secret")]
    NotASecret,
}

/// Why a set of keys is refused as a whole. The set in use stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not a JSON document within bounds.
    #[error("the key set is not acceptable JSON")]
    Json(#[from] JsonError),
    /// Not an object with an array `keys` of objects.
    #[error("the document is not a key set")]
    Shape,
    /// More keys than permitted.
    #[error("the set has more keys than are permitted")]
    TooManyKeys,
    /// No key of the set can be used, so taking it over would refuse every token.
    #[error("no key of the set can be used")]
    NoUsableKey,
    /// The file cannot be read, is too long, or may be written by everybody.
    #[error("the key file cannot be used: {reason}")]
    File {
        /// What is wrong, without the path.
        reason: &'static str,
        /// The cause in the system.
        source: Option<Box<std::io::Error>>,
    },
}

/// Why a text is not a compact JWS (RFC 7515 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// Longer than permitted.
    #[error("the token is too long")]
    TooLong,
    /// Not exactly three segments, or an empty one.
    #[error("the token does not have three segments")]
    Segments,
    /// A segment is not strict base64url.
    #[error("a segment is not strict base64url")]
    Encoding,
    /// The header is not an acceptable JSON object.
    #[error("the header is not an acceptable JSON object")]
    Header,
    /// `alg` is missing, not a string, or not accepted.
    #[error("the algorithm is not accepted")]
    Algorithm,
    /// `kid` is not a string of 1 to 256 visible ASCII characters.
    #[error("the key id is not acceptable")]
    KeyId,
    /// `crit`, `b64` or `zip`: an extension that changes the meaning of the token.
    #[error("the header asks for an extension that is not supported")]
    Extension,
    /// `jwk`, `jku`, `x5u` or `x5c`: the token brings or names its own key.
    #[error("the header brings or names its own key")]
    OwnKey,
    /// `typ` or `cty` is not a string, or `cty` says that the token is nested.
    #[error("the type of the token is not acceptable")]
    Type,
}
