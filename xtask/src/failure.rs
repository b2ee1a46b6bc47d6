//! The one error of this program: a sentence for the person at the terminal.
//!
//! Nothing here is recovered from, so an error needs no variants. It needs to say what was being
//! done, to what, and, where that is known, what to do next.

use std::{fmt, io, path::Path};

/// Why a command stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(String);

/// What every fallible function of this program returns.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// An input or output error together with the deed and the path, which the operating system's
    /// own message lacks.
    pub(crate) fn io(deed: &str, path: &Path, error: &io::Error) -> Self {
        Self(format!("could not {deed} {}: {error}", path.display()))
    }

    /// Several findings as one failure; `None` when there are none.
    pub(crate) fn of_findings(heading: &str, findings: &[String]) -> Option<Self> {
        if findings.is_empty() {
            return None;
        }
        let list: Vec<String> = findings
            .iter()
            .map(|finding| format!("  - {finding}"))
            .collect();
        Some(Self(format!(
            "{heading} ({}):\n{}",
            findings.len(),
            list.join("\n")
        )))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_findings_are_no_failure() {
        assert_eq!(Failure::of_findings("floors", &[]), None);
    }

    #[test]
    fn findings_are_counted_and_listed() {
        let failure = Failure::of_findings("floors", &["a".to_owned(), "b".to_owned()]);
        let text = failure.map(|failure| failure.to_string());
        assert_eq!(text.as_deref(), Some("floors (2):\n  - a\n  - b"));
    }
}
