//! What can be wrong with certificates, keys and roots.

use core::fmt;
use std::sync::Arc;

/// Why certificates, keys or roots are refused: everything that is wrong, not the first thing alone.
///
/// It is told to operators, about files that they named. No text of a file is in it, and nothing of a
/// private key.
#[derive(Clone, Debug)]
pub struct TlsError {
    problems: Vec<TlsProblem>,
}

impl TlsError {
    pub(crate) const fn new(problems: Vec<TlsProblem>) -> Self {
        Self { problems }
    }

    /// What is wrong, one by one. Never empty.
    #[must_use]
    pub fn problems(&self) -> &[TlsProblem] {
        &self.problems
    }

    /// Whether `fault` is among the problems.
    #[must_use]
    pub fn has(&self, fault: TlsFault) -> bool {
        self.problems.iter().any(|problem| problem.fault == fault)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for TlsError {}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct TlsProblem {
    about: Arc<str>,
    fault: TlsFault,
    source: Option<Arc<std::io::Error>>,
}

impl TlsProblem {
    pub(crate) fn new(about: impl Into<Arc<str>>, fault: TlsFault) -> Self {
        Self {
            about: about.into(),
            fault,
            source: None,
        }
    }

    pub(crate) fn unreadable(about: impl Into<Arc<str>>, source: std::io::Error) -> Self {
        Self {
            about: about.into(),
            fault: TlsFault::Unreadable,
            source: Some(Arc::new(source)),
        }
    }

    /// The file it is about, or what else names it.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn fault(&self) -> TlsFault {
        self.fault
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.fault)
    }
}

impl std::error::Error for TlsProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// What is wrong with a certificate, a key or a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFault {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Unreadable,
    /// A pipe, a folder or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Whoever can write roots can sign in as anybody, and whoever can write keys can be the server.
    #[error("everybody may write it")]
    WritableByAll,
    /// Longer than any sensible content.
    #[error("it is too long")]
    TooLong,
    /// Not PEM, or cut off in the middle.
    #[error("it is not whole PEM text")]
    NotPem,
    /// No certificate in the text.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// More certificates or lists than are permitted.
    #[error("there are too many certificates or lists in it")]
    TooMany,
    /// A certificate that cannot be parsed.
    #[error("a certificate in it is malformed")]
    MalformedCertificate,
    /// No private key in the text. An encrypted one cannot be used.
    #[error("there is no private key in it that can be used; an encrypted one cannot")]
    NoKey,
    /// Which of them counts is not for us to guess.
    #[error("there are several private keys in it")]
    SeveralKeys,
    /// A key that cannot be parsed, or of a kind or size that is not supported.
    #[error("the private key is malformed or of a kind that is not supported")]
    UnusableKey,
    /// The key does not belong to the first certificate.
    #[error("the private key does not belong to the first certificate")]
    KeyMismatch,
    /// The certificate has expired, and so would each handshake with it.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Whoever holds the key of such a root could issue certificates that nobody meant it to issue.
    #[error("a root certificate is not that of a certificate authority")]
    NotAnAuthority,
    /// Client certificates are asked for, or a server is to be checked, and no root was named.
    #[error("no root certificate was named")]
    NoRoots,
    /// A revocation list that cannot be parsed or is of a kind that is not supported.
    #[error("a revocation list in it is malformed or not supported")]
    MalformedRevocationList,
    /// A file of revocation lists without one.
    #[error("there is no revocation list in it")]
    NoRevocationList,
    /// An ALPN protocol is empty or longer than 255 bytes (RFC 7301 §3.1).
    #[error("an application protocol is empty or longer than 255 bytes")]
    BadProtocol,
    /// The wall clock cannot tell the time.
    #[error("the wall clock is not available")]
    ClockUnavailable,
    /// Rustls does not take the configuration.
    #[error("the configuration is not accepted")]
    Configuration,
    /// Something panicked during a look, an event sink perhaps.
    #[error("the look at the files was broken off")]
    BrokenOff,
}
