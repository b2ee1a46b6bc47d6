//! What an answer tells of the limits.

use core::fmt;

use ringwall_core::limits::LimitReport;
use ringwall_core::request::HeaderLookup;
use ringwall_rate_limit::Tally;

use crate::door::Door;

/// Tells a client with its answer what is left of its limits: `RateLimit-Policy`, `RateLimit`, and the older
/// `X-RateLimit-Limit`, `-Remaining` and `-Reset`, of which the last is in seconds from now.
///
/// It is what the limits said when the request came. An answer that tells of limits already, such as a handler's
/// own refusal, stays as it is.
#[derive(Clone)]
pub struct LimitFields {
    door: Door,
    tally: Tally,
}

impl LimitFields {
    pub(crate) fn new(door: &Door, tally: &Tally) -> Option<Self> {
        (!tally.is_empty()).then(|| Self {
            door: door.clone(),
            tally: *tally,
        })
    }

    /// The limits and what is left of them, for a handler that shows them.
    #[must_use]
    pub fn report(&self) -> LimitReport {
        match self.door.gate().rate_limits() {
            Some(limits) => self.tally.report(limits.rules().policies()),
            None => LimitReport::default(),
        }
    }

    /// Calls `field` with the name (lower case) and value of each header field that the answer gets. `answer`
    /// is what the handler said.
    pub fn headers(&self, answer: &dyn HeaderLookup, field: impl FnMut(&'static str, String)) {
        let mut is_told = false;
        for name in LimitReport::FIELDS {
            answer.visit(name, &mut |_| is_told = true);
        }
        if !is_told {
            self.report().headers(field);
        }
    }
}

impl fmt::Debug for LimitFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitFields")
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}
