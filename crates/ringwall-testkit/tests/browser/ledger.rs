//! What the servers saw.

use std::sync::{Arc, Mutex, PoisonError};

/// One request that a handler was run for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Which step of the journey, and what of it.
    pub(crate) step: String,
    pub(crate) referrer: Option<String>,
    pub(crate) has_cookie: bool,
}

/// What the handlers of all servers saw. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Visit>>>);

impl Ledger {
    /// Writes down a request, as any framework shows it.
    pub(crate) fn note<'a>(
        &self,
        method: &str,
        path: &str,
        query: Option<&str>,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Visit {
        let step = query.and_then(|query| query.strip_prefix("step="));
        let visit = Visit {
            method: method.to_owned(),
            path: path.to_owned(),
            step: step.unwrap_or_default().to_owned(),
            referrer: header("referer").map(str::to_owned),
            has_cookie: header("cookie").is_some(),
        };
        let mut visits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        visits.push(visit.clone());
        visit
    }

    /// The requests of one step.
    pub(crate) fn of(&self, step: &str) -> Vec<Visit> {
        let visits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = visits.clone();
        found.retain(|visit| visit.step == step);
        found
    }
}
