//! Common names.

use core::fmt;

use ringwall_core::principal::Subject;

use super::IdentityError;

/// The common name of a subject (X.520 §6.2.2).
///
/// 1 to 64 characters (RFC 5280 appendix A, `ub-common-name`) and at most 255 bytes; no control, line-separating or
/// direction-turning character, and no white space at either end, where nobody sees it. Compared byte
/// for byte: no case is folded and nothing is normalised, so a look-alike is somebody else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommonName(Box<str>);

impl CommonName {
    /// The most characters that are permitted.
    pub const MAX_CHARS: usize = 64;

    /// Checks `text` once; from here on the type vouches for it.
    ///
    /// # Errors
    ///
    /// [`IdentityError::CommonName`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        // The bound first: what is longer is not copied.
        if text.chars().nth(Self::MAX_CHARS).is_some() || text.trim() != text {
            return Err(IdentityError::CommonName);
        }
        // What may be the subject of a principal is decided in one place.
        Subject::new(text).map_err(|_| IdentityError::CommonName)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
