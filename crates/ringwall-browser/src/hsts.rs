//! How long a browser comes back over TLS alone.

use core::fmt;

/// How long a browser that was here comes back over TLS alone (`Strict-Transport-Security`, RFC 6797).
///
/// Browsers heed it over TLS alone, and so it is sent there alone. It holds for the whole host: every
/// port, every other service on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hsts {
    seconds: u32,
    sub_domains: bool,
    preload: bool,
}

/// A year: what scanners ask for, and the least that preload lists take.
const YEAR: u32 = 31_536_000;

impl Hsts {
    /// A year, for this host alone. The default.
    #[must_use]
    pub const fn one_year() -> Self {
        Self::seconds(YEAR)
    }

    /// For this long: to try it out. [`loosened`](crate::SecurityHeaders::loosened) reports less than a
    /// year. 0 makes browsers forget it.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self {
            seconds,
            sub_domains: false,
            preload: false,
        }
    }

    /// Two years, for all names below this host too, and with the owner's consent to be built into
    /// browsers.
    ///
    /// Submit the domain at <https://hstspreload.org> only when *every* name below it is served over
    /// TLS: to leave the list again takes months, and until then whatever has no TLS is out of reach.
    /// [`loosened`](crate::SecurityHeaders::loosened) reports it, because it is not easily undone.
    #[must_use]
    pub const fn preload() -> Self {
        Self {
            seconds: YEAR.saturating_mul(2),
            sub_domains: true,
            preload: true,
        }
    }

    /// For all names below this host too. Whatever below it has no TLS is then out of reach.
    #[must_use]
    pub const fn include_sub_domains(mut self) -> Self {
        self.sub_domains = true;
        self
    }

    pub(crate) const fn is_short(self) -> bool {
        self.seconds < YEAR
    }

    pub(crate) const fn is_preload(self) -> bool {
        self.preload
    }
}

impl Default for Hsts {
    fn default() -> Self {
        Self::one_year()
    }
}

impl fmt::Display for Hsts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max-age={}", self.seconds)?;
        if self.sub_domains {
            f.write_str("; includeSubDomains")?;
        }
        if self.preload {
            f.write_str("; preload")?;
        }
        Ok(())
    }
}
