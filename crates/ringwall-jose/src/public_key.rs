//! Public keys, checked before any provider sees them.

use core::fmt;

use ring::digest;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::KeyError;

/// An elliptic curve for ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

impl Curve {
    /// The name in `crv` (RFC 7518 §6.2.1.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// The length of one coordinate in bytes.
    #[must_use]
    pub const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// A public key whose form was checked: lengths, ranges, encodings.
///
/// Whether an elliptic-curve point lies on its curve is proved by the
/// [`SignatureProvider`](crate::SignatureProvider) that takes the key over.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Parts);

#[derive(Clone, PartialEq, Eq)]
enum Parts {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ec { curve: Curve, point: Vec<u8> },
    Ed25519 { point: [u8; 32] },
}

/// The parts of a [`PublicKey`], for a provider.
#[derive(Clone, Copy)]
pub enum PublicKeyParts<'a> {
    /// An RSA key of 2048 to 8192 bits.
    Rsa {
        /// Big-endian, without leading zeros.
        modulus: &'a [u8],
        /// Big-endian, without leading zeros: odd, 65537 … 2^33 - 1.
        exponent: &'a [u8],
    },
    /// A point that may not yet be known to lie on its curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// Uncompressed (SEC 1 §2.3.3): `04 || x || y`.
        point: &'a [u8],
    },
    /// An Ed25519 point, canonically encoded and not of small order.
    Ed25519 {
        /// The compressed point (RFC 8032 §5.1.2).
        point: &'a [u8; 32],
    },
}

impl fmt::Debug for PublicKeyParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa { .. } => "PublicKeyParts::Rsa",
            Self::Ec { .. } => "PublicKeyParts::Ec",
            Self::Ed25519 { .. } => "PublicKeyParts::Ed25519",
        })
    }
}

impl PublicKey {
    /// An RSA key from its big-endian modulus and exponent.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] for leading zeros (RFC 7518 §6.3.1 asks for the fewest bytes) and
    /// an even modulus; [`KeyError::Strength`] outside 2048 … 8192 bits or for an exponent that
    /// is even, below 65537 or above 2^33 - 1.
    pub fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Result<Self, KeyError> {
        let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
            return Err(KeyError::Malformed);
        };
        if *first == 0 || last & 1 == 0 || exponent.first().is_none_or(|first| *first == 0) {
            return Err(KeyError::Malformed);
        }
        let bits = modulus
            .len()
            .saturating_mul(8)
            .saturating_sub(first.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) || exponent.len() > 5 {
            return Err(KeyError::Strength);
        }
        let value = exponent.iter().fold(0_u64, |value, byte| {
            value.wrapping_shl(8) | u64::from(*byte)
        });
        if value < 65_537 || value & 1 == 0 || value >> 33 != 0 {
            return Err(KeyError::Strength);
        }
        Ok(Self(Parts::Rsa { modulus, exponent }))
    }

    /// An elliptic-curve key from its big-endian coordinates.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] when a coordinate does not have the full length of the curve
    /// (RFC 7518 §6.2.1.2).
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        if x.len() != curve.coordinate_bytes() || y.len() != curve.coordinate_bytes() {
            return Err(KeyError::Malformed);
        }
        let mut point = Vec::with_capacity(x.len().saturating_mul(2).saturating_add(1));
        point.push(4);
        point.extend_from_slice(x);
        point.extend_from_slice(y);
        Ok(Self(Parts::Ec { curve, point }))
    }

    /// An Ed25519 key from its 32 bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] for another length; [`KeyError::InvalidPoint`] for a point of
    /// small order or a `y` that is not below the field's prime. Under a key of small order, a
    /// signature that fits any message can be made without any private key, and ring accepts such
    /// keys.
    pub fn ed25519(point: &[u8]) -> Result<Self, KeyError> {
        let point: [u8; 32] = point.try_into().map_err(|_| KeyError::Malformed)?;
        let mut y = point;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f; // the sign of x
        }
        let is_canonical = y.iter().rev().lt(FIELD_PRIME.iter().rev());
        if !is_canonical || SMALL_ORDER_Y.contains(&y) {
            return Err(KeyError::InvalidPoint);
        }
        Ok(Self(Parts::Ed25519 { point }))
    }

    /// The parts, for a provider.
    #[must_use]
    pub fn parts(&self) -> PublicKeyParts<'_> {
        match &self.0 {
            Parts::Rsa { modulus, exponent } => PublicKeyParts::Rsa { modulus, exponent },
            Parts::Ec { curve, point } => PublicKeyParts::Ec {
                curve: *curve,
                point,
            },
            Parts::Ed25519 { point } => PublicKeyParts::Ed25519 { point },
        }
    }

    /// Whether `algorithm` is one for keys of this type and curve.
    #[must_use]
    pub const fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match &self.0 {
            Parts::Rsa { .. } => {
                matches!(
                    algorithm,
                    A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512
                )
            }
            Parts::Ec {
                curve: Curve::P256, ..
            } => matches!(algorithm, A::Es256),
            Parts::Ec {
                curve: Curve::P384, ..
            } => matches!(algorithm, A::Es384),
            Parts::Ed25519 { .. } => matches!(algorithm, A::EdDsa),
        }
    }

    /// The only algorithm there is for this key; `None` for RSA, which has six.
    #[must_use]
    pub const fn sole_algorithm(&self) -> Option<Algorithm> {
        match &self.0 {
            Parts::Rsa { .. } => None,
            Parts::Ec {
                curve: Curve::P256, ..
            } => Some(Algorithm::Es256),
            Parts::Ec {
                curve: Curve::P384, ..
            } => Some(Algorithm::Es384),
            Parts::Ed25519 { .. } => Some(Algorithm::EdDsa),
        }
    }

    /// The required members of the key in lexicographic order, without white space (RFC 7638
    /// §3.2). It is also a JSON Web Key.
    #[must_use]
    pub fn required_members(&self) -> String {
        match &self.0 {
            Parts::Rsa { modulus, exponent } => {
                format!(
                    r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                    base64url::encode(exponent),
                    base64url::encode(modulus)
                )
            }
            Parts::Ec { curve, point } => {
                let (x, y) = point
                    .get(1..)
                    .unwrap_or_default()
                    .split_at(curve.coordinate_bytes());
                let (x, y) = (base64url::encode(x), base64url::encode(y));
                format!(
                    r#"{{"crv":"{}","kty":"EC","x":"{x}","y":"{y}"}}"#,
                    curve.name()
                )
            }
            Parts::Ed25519 { point } => {
                format!(
                    r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
                    base64url::encode(point)
                )
            }
        }
    }

    /// The SHA-256 thumbprint (RFC 7638, RFC 8037 §2).
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, self.required_members().as_bytes());
        let mut thumbprint = [0; 32];
        thumbprint
            .iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        thumbprint
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.required_members())
    }
}

/// 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

/// The `y` of all points whose order divides 8, little-endian, sign bit cleared. Other encodings
/// of the same points are not canonical and refused before.
const SMALL_ORDER_Y: [[u8; 32]; 5] = {
    let zero = [0; 32]; // order 4
    let mut one = [0; 32]; // order 1
    one[0] = 1;
    let mut minus_one = FIELD_PRIME; // order 2
    minus_one[0] = 0xec;
    [
        zero,
        one,
        minus_one,
        // order 8
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_weak_and_oversized_rsa_keys() {
        let modulus = |bits: usize| {
            let mut modulus = vec![0xff; bits.div_ceil(8)];
            if !bits.is_multiple_of(8) {
                modulus[0] = (1 << (bits % 8)) - 1;
            }
            modulus
        };
        let f4 = vec![1, 0, 1];
        for bits in [512, 1024, 2047, 8193, 16_384] {
            assert_eq!(
                PublicKey::rsa(modulus(bits), f4.clone()).unwrap_err(),
                KeyError::Strength,
                "{bits}"
            );
        }
        for bits in [2048, 2049, 3072, 4096, 8192] {
            assert!(PublicKey::rsa(modulus(bits), f4.clone()).is_ok(), "{bits}");
        }
        for exponent in [
            vec![1],
            vec![3],
            vec![2],
            vec![1, 0, 0],
            vec![2, 0, 0, 0, 1],
            vec![1; 6],
            vec![0xff; 300],
        ] {
            assert_eq!(
                PublicKey::rsa(modulus(2048), exponent.clone()).unwrap_err(),
                KeyError::Strength,
                "{exponent:?}"
            );
        }
        assert!(PublicKey::rsa(modulus(2048), vec![1, 0xff, 0xff, 0xff, 0xff]).is_ok());
        for (modulus, exponent) in [
            (vec![], f4.clone()),
            (modulus(2048), vec![]),
            (modulus(2048), vec![0, 1, 0, 1]),
            ([vec![0], modulus(2048)].concat(), f4.clone()),
        ] {
            assert_eq!(
                PublicKey::rsa(modulus, exponent).unwrap_err(),
                KeyError::Malformed
            );
        }
        let mut even = modulus(2048);
        *even.last_mut().unwrap() = 0xfe;
        assert_eq!(PublicKey::rsa(even, f4).unwrap_err(), KeyError::Malformed);
    }

    #[test]
    fn refuses_ed25519_points_of_small_order_in_all_their_encodings() {
        let mut cases: Vec<[u8; 32]> = SMALL_ORDER_Y.to_vec();
        for low in 0xed..=0xff {
            // p, p + 1, …, 2^255 - 1: not canonical.
            let mut encoding = FIELD_PRIME;
            encoding[0] = low;
            cases.push(encoding);
        }
        for mut encoding in cases {
            for sign in [0, 0x80] {
                encoding[31] = (encoding[31] & 0x7f) | sign;
                assert_eq!(
                    PublicKey::ed25519(&encoding).unwrap_err(),
                    KeyError::InvalidPoint,
                    "{encoding:02x?}"
                );
            }
        }
        for length in [0, 31, 33, 64] {
            assert_eq!(
                PublicKey::ed25519(&vec![9; length]).unwrap_err(),
                KeyError::Malformed
            );
        }
    }

    #[test]
    fn refuses_coordinates_of_the_wrong_length() {
        for (curve, x, y) in [
            (Curve::P256, 31, 32),
            (Curve::P256, 32, 33),
            (Curve::P384, 32, 32),
            (Curve::P256, 48, 48),
            (Curve::P256, 0, 0),
        ] {
            assert_eq!(
                PublicKey::ec(curve, &vec![1; x], &vec![1; y]).unwrap_err(),
                KeyError::Malformed
            );
        }
    }
}
