//! How sensitive a datum is, and what must be done about it.

use core::fmt;
use core::str::FromStr;

/// How sensitive a datum is. The order is meaningful: `Public < Internal < Confidential <
/// Restricted`, so a clearance suffices when it is `>=` the sensitivity of the datum.
///
/// There is no default: a datum whose sensitivity nobody stated is not `Public`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sensitivity {
    /// May be published.
    Public,
    /// For the organisation's own people and services.
    Internal,
    /// For those with a need to know.
    Confidential,
    /// The narrowest circle: regulated or harmful when it leaks.
    Restricted,
}

impl Sensitivity {
    /// All levels, from the least to the most sensitive.
    pub const ALL: [Self; 4] = [
        Self::Public,
        Self::Internal,
        Self::Confidential,
        Self::Restricted,
    ];

    /// The stable lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a [`Sensitivity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sensitivity is none of public, internal, confidential, restricted")]
pub struct UnknownSensitivity;

impl FromStr for Sensitivity {
    type Err = UnknownSensitivity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or(UnknownSensitivity)
    }
}

/// What a permitted action still owes (XACML: obligations).
///
/// A decision that carries an obligation which the enforcing code does not know must be treated
/// as a denial: an ignored obligation is a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obligation {
    /// Mask everything above this level in the response.
    MaskAbove(Sensitivity),
    /// Remove these fields (JSON Pointer, RFC 6901) from the response.
    Redact(Vec<String>),
    /// The caller must state a reason, and it must be audited.
    ReasonRequired,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_from_public_to_restricted() {
        assert!(Sensitivity::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn reads_exactly_its_own_names() {
        for level in Sensitivity::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
        }
        for text in ["", "PUBLIC", "public ", "secret"] {
            assert_eq!(
                text.parse::<Sensitivity>(),
                Err(UnknownSensitivity),
                "{text:?}"
            );
        }
    }
}
