//! The number that a script must name to be run.

use core::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::Error;

/// Random bytes in a nonce. CSP3 §7.1 asks for 16 at least; 18 make full base64 groups.
const BYTES: usize = 18;

/// The number that a `<script nonce="…">` must name so that the browser runs it: fresh for each answer,
/// so that whoever slips a script into a page cannot know it (CSP3 §7.1).
///
/// Handlers find it among a request's extensions, where the adapters put it when the policy asks for
/// one. It consists of letters, digits, `-` and `_`, and needs no escaping in an attribute. An answer
/// with a nonce must not be stored by a cache that other users share.
#[derive(Clone, PartialEq, Eq)]
pub struct CspNonce(Arc<str>);

impl CspNonce {
    /// Its length in characters: base64 makes four of three bytes.
    pub(crate) const LEN: usize = BYTES.div_ceil(3).saturating_mul(4);

    /// A fresh one, of 144 random bits from the system.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] when the system gives none. Send the policy without a nonce then: it blocks
    /// the scripts that would have carried it.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; BYTES];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Error::Random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The value of the attribute.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CspNonce {
    /// A log that an attacker reads while the page loads must not give it away.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CspNonce(..)")
    }
}
