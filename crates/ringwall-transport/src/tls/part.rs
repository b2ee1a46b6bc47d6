//! Files that belong together and are taken over together.

use core::time::Duration;
use std::sync::Arc;

use super::error::TlsProblem;
use super::pem::{Content, Pem};

/// Sources that make one thing: a chain and its key, or roots and revocation lists.
pub(crate) struct Part {
    sources: Vec<(Pem, usize)>,
    /// The contents that were looked at last, good or bad; empty when they could not be read.
    seen: Vec<Content>,
    /// Whether they were good.
    good: bool,
}

/// How patient a look is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// What is there now counts.
    AtOnce,
    /// A content that still changes is given time: who copies several files, or a long one, is not
    /// done in one step.
    Settling,
}

/// Between two looks at files that change. As long as a copy of some files takes.
const SETTLING: Duration = Duration::from_millis(50);

/// Looks at files that go on changing; what is there then is judged.
const SETTLING_LOOKS: usize = 10;

impl Part {
    /// These sources, each with the bytes that it may have.
    pub(crate) const fn new(sources: Vec<(Pem, usize)>) -> Self {
        Self {
            sources,
            seen: Vec::new(),
            good: false,
        }
    }

    /// What `parse` makes of the contents, when they are not those that were found good last. What is
    /// wrong goes to `problems`, and the same contents are tried again by the next look: a certificate
    /// that is not valid yet will be.
    pub(crate) fn renewed<T>(
        &mut self,
        pace: Pace,
        problems: &mut Vec<TlsProblem>,
        parse: impl FnOnce(&[Content]) -> Result<T, Vec<TlsProblem>>,
    ) -> Option<T> {
        let contents = match self.look(pace) {
            Ok(contents) => contents,
            Err(unreadable) => {
                problems.extend(unreadable);
                self.seen = Vec::new();
                self.good = false;
                return None;
            }
        };
        if self.good && same(&contents, &self.seen) {
            return None;
        }
        let parsed = parse(&contents);
        self.seen = contents;
        self.good = parsed.is_ok();
        parsed.map_err(|wrong| problems.extend(wrong)).ok()
    }

    /// The contents, given time to settle if they are new.
    fn look(&self, pace: Pace) -> Result<Vec<Content>, Vec<TlsProblem>> {
        let mut contents = self.read();
        if pace == Pace::AtOnce {
            return contents;
        }
        for _ in 0..SETTLING_LOOKS {
            if contents.as_ref().is_ok_and(|read| same(read, &self.seen)) {
                break;
            }
            std::thread::sleep(SETTLING);
            let again = self.read();
            let settled = match (&contents, &again) {
                (Ok(first), Ok(second)) => same(first, second),
                // A file that is away for a moment is one that is being replaced.
                (Err(_), Ok(_)) | (Ok(_), Err(_)) => false,
                (Err(_), Err(_)) => true,
            };
            contents = again;
            if settled {
                break;
            }
        }
        contents
    }

    fn read(&self) -> Result<Vec<Content>, Vec<TlsProblem>> {
        let mut contents = Vec::with_capacity(self.sources.len());
        let mut problems = Vec::new();
        for (source, limit) in &self.sources {
            match source.read(*limit) {
                Ok(content) => contents.push(content),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(contents)
        } else {
            Err(problems)
        }
    }
}

/// A key file's length is no secret. Its content is compared in constant time, as secrets are.
fn same(one: &[Content], other: &[Content]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| Arc::ptr_eq(one, other) || one.matches(other.expose()))
}
