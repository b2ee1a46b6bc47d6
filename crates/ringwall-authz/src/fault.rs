//! What is wrong with a policy.

use core::fmt;

/// The most faults that are told at once.
pub(crate) const MAX_FAULTS: usize = 50;

/// One thing that is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFault {
    /// Where in the document, such as `rules[3].when.all[0]`. Empty when it is the document as a whole.
    pub path: String,
    /// The line of the file, counted from 1. `None` when the policy came from no file.
    pub line: Option<u32>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong with a policy, 50 things at most. Nothing of such a policy is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFaults {
    pub(crate) faults: Vec<PolicyFault>,
}

impl PolicyFaults {
    /// What is wrong, in the order of the document.
    #[must_use]
    pub fn faults(&self) -> &[PolicyFault] {
        &self.faults
    }

    pub(crate) fn one(line: Option<u32>, message: impl Into<String>) -> Self {
        Self {
            faults: vec![PolicyFault {
                path: String::new(),
                line,
                message: message.into(),
            }],
        }
    }
}

impl fmt::Display for PolicyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy is refused")?;
        for fault in &self.faults {
            write!(f, "\n{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyFaults {}

/// The longest text of a fault: names in a hostile document can be as long as it.
const MAX_TEXT_CHARACTERS: usize = 1024;

fn cut(text: String) -> String {
    if text.len() <= MAX_TEXT_CHARACTERS {
        return text;
    }
    let mut cut: String = text.chars().take(MAX_TEXT_CHARACTERS).collect();
    cut.push('…');
    cut
}

/// Collects what is wrong, so that whoever writes a policy learns of all of it at once.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<PolicyFault>,
    more: usize,
}

impl Faults {
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.faults.len() >= MAX_FAULTS {
            self.more = self.more.saturating_add(1);
            return;
        }
        self.faults.push(PolicyFault {
            path: cut(path.into()),
            line: None,
            message: cut(message.into()),
        });
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn into_result(mut self) -> Result<(), PolicyFaults> {
        if self.faults.is_empty() {
            return Ok(());
        }
        if self.more > 0 {
            self.faults.push(PolicyFault {
                path: String::new(),
                line: None,
                message: format!("and {} more", self.more),
            });
        }
        Err(PolicyFaults {
            faults: self.faults,
        })
    }
}
