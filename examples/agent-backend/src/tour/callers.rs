//! Callers that mean well, while something else happens.

use core::time::Duration;

use ringwall_authn::TokenIssuer;
use ringwall_core::clock::{MonotonicClock as _, SystemClock};

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::forge::{ALPHA, Forge};

/// How long something may take that is bound to happen: twice the time that keys are fresh in the tour.
const PATIENCE: Duration = Duration::from_secs(14);

/// Good tokens that are sent one after the other, and what became of them.
pub(crate) struct Callers {
    tokens: Vec<String>,
    asked: usize,
    refused: Vec<String>,
}

impl Callers {
    pub(crate) fn new(forge: &Forge, issuer: &TokenIssuer, audience: &str) -> Self {
        let issue = |_| forge.issue(issuer, &ALPHA, audience);
        Self {
            tokens: (0..5).map(issue).collect(),
            asked: 0,
            refused: Vec::new(),
        }
    }

    pub(crate) async fn ask(&mut self, client: &Client) {
        let index = self
            .asked
            .checked_rem(self.tokens.len())
            .unwrap_or_default();
        let Some(token) = self.tokens.get(index) else {
            return;
        };
        let answer = client.ask(&Ask::get("/api/whoami").bearer(token)).await;
        self.asked = self.asked.saturating_add(1);
        if answer.status != 200 {
            let why = answer.failure.unwrap_or_else(|| answer.status.to_string());
            self.refused.push(why);
        }
    }

    /// Goes on asking until that is so, or until it is clear that it never will be.
    pub(crate) async fn ask_until(
        &mut self,
        client: &Client,
        mut is_so: impl FnMut() -> bool,
    ) -> bool {
        let clock = SystemClock::new();
        while clock.elapsed() < PATIENCE {
            if is_so() {
                return true;
            }
            self.ask(client).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    pub(crate) fn report(&self, tour: &mut Tour, when: &str) {
        let tried = format!("{} good tokens {when}: refused", self.asked);
        let got = self.refused.first().map_or("none", String::as_str);
        tour.note(&tried, "none", got);
    }
}
