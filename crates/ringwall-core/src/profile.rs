//! Whether a process guards something real.

use core::fmt;
use core::str::FromStr;

/// Production or development.
///
/// The default is [`Profile::Production`], so that a forgotten setting denies. Conveniences that
/// would be holes in production (symmetric token secrets, static keys, plain HTTP) exist in
/// [`Profile::Development`] only, and each is reported when a process starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Guards real data. No development convenience is accepted.
    #[default]
    Production,
    /// A developer's machine or a test.
    Development,
}

impl Profile {
    /// Whether development conveniences are permitted.
    #[must_use]
    pub const fn is_development(self) -> bool {
        matches!(self, Self::Development)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Development => "development",
        })
    }
}

/// The text names neither `production` nor `development`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profile is neither \"production\" nor \"development\"")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "production" => Ok(Self::Production),
            "development" => Ok(Self::Development),
            _ => Err(UnknownProfile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_production_unless_set() {
        assert_eq!(Profile::default(), Profile::Production);
        assert!(!Profile::default().is_development());
    }

    #[test]
    fn refuses_a_name_it_does_not_know_rather_than_guessing() {
        for text in ["", "dev", "Production", "production ", "test"] {
            assert_eq!(text.parse::<Profile>(), Err(UnknownProfile), "{text:?}");
        }
        assert_eq!("development".parse(), Ok(Profile::Development));
    }
}
