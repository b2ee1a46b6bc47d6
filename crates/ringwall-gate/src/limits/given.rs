//! Limits that handlers check.

use core::num::NonZeroU32;

use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use ringwall_rate_limit::Caller;

use crate::admitted::Admitted;
use crate::gate::RETRY_AFTER;
use crate::limits::refusals::told;

const UNAVAILABLE: Denial = Denial::Unavailable {
    retry_after: RETRY_AFTER,
};

impl Admitted {
    /// Checks one limit more, by what only the handler knows: the account that somebody tries to log into.
    /// `limit` is one that counts by [`Given`](ringwall_rate_limit::KeyPart::Given), and `given` what it counts by,
    /// in the one spelling that means one thing: two spellings of an account are two buckets.
    ///
    /// Call it before the work that it bounds. Whoever asks about another's account uses up that account's limit,
    /// so such a limit locks its owner out for as long: keep it short, and let it stand beside one by address.
    ///
    /// # Errors
    ///
    /// The [`Denial`] to answer with: 429 when the limit is used up, 503 when the store cannot answer, and when there
    /// is no such limit, which is reported as a misconfiguration.
    pub fn check_limit(&self, limit: &str, given: &str) -> Step<Result<(), Denial>> {
        self.check_limit_at_cost(limit, given, NonZeroU32::MIN)
    }

    /// The same for work that costs more than one token.
    ///
    /// # Errors
    ///
    /// As [`check_limit`](Self::check_limit). Work that costs more than the limit ever holds is refused without a
    /// time to come back.
    pub fn check_limit_at_cost(
        &self,
        limit: &str,
        given: &str,
        cost: NonZeroU32,
    ) -> Step<Result<(), Denial>> {
        let Some(limits) = self.door().gate().rate_limits() else {
            self.report(
                EventKind::Misconfigured,
                "a handler checks a limit at a gate without limits",
            );
            return Step::Done(Err(UNAVAILABLE));
        };
        let caller = Caller {
            principal: self.principal().map(|principal| &**principal),
            identity_header: None,
            address: self.client_address(),
        };
        let bucket = match limits.rules().bucket(limit, &caller, Some(given)) {
            Some(Ok(bucket)) => bucket,
            Some(Err(cause)) => {
                self.report(EventKind::RequestRefused, told(cause, self.origin()));
                return Step::Done(Err(Denial::Forbidden { challenge: None }));
            }
            None => {
                self.report(
                    EventKind::Misconfigured,
                    "a handler checks a limit that does not exist",
                );
                return Step::Done(Err(UNAVAILABLE));
            }
        };
        let now = limits.now();
        let admitted = self.clone();
        let conclude = move |answer| admitted.door().conclude(&admitted, now, answer);
        match limits.store().check(now, &[bucket], cost) {
            Step::Done(answer) => Step::Done(conclude(answer)),
            Step::Wait(future) => Step::wait(async move { conclude(future.await) }),
        }
    }
}
