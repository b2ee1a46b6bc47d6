//! A request's way: what is known here is decided here, and the server is asked for the rest.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::{Arc, Weak};

use ringwall_rate_limit::{
    AppliedLimit, Decision, Enforcement, LimitError, LimitKey, LimitState, LimitStatus, Policies,
};

use super::asked::{Asked, Said, status};
use super::entry::{Served, Tokens};
use super::local::{Fetch, Known, Local};
use super::options::RedisLeases;
use super::queue::Queue;
use super::script::{Bucket, Request};

/// How often a request waits for tokens that another one fetches, before it asks for itself.
const WAITS: usize = 3;

/// What a limiter's handles share.
pub(super) struct Inner {
    pub(super) queue: Arc<Queue>,
    pub(super) policies: Policies,
    pub(super) leases: Option<RedisLeases>,
    pub(super) local: Arc<Local>,
}

/// What of a request was taken from leases. It goes back to them when this is dropped, unless it was used.
pub(super) struct Taken {
    local: Arc<Local>,
    cost: NonZeroU32,
    leases: Vec<(LimitKey, u64)>,
}

/// How far a request comes with what is known here.
#[expect(
    clippy::large_enum_variant,
    reason = "a decision by what is known here allocates as little as it can"
)]
pub(super) enum Reached {
    Decided(Decision),
    /// These have to be asked for.
    Missing(Part),
}

pub(super) struct Part {
    taken: Taken,
    /// By the order of the limits: what a lease served; `None` where the server is asked.
    served: Vec<Option<Served>>,
    asked: Vec<Asked>,
}

impl Inner {
    /// Decides by what is known here, or says what is missing.
    pub(super) fn reach(
        &self,
        now: Duration,
        limits: &[AppliedLimit],
        cost: NonZeroU32,
        charge: bool,
    ) -> Reached {
        let mut part = Part {
            taken: Taken {
                local: Arc::clone(&self.local),
                cost,
                leases: Vec::new(),
            },
            served: Vec::with_capacity(limits.len()),
            asked: Vec::new(),
        };
        if !self.local.is_used() {
            part.served.resize(limits.len(), None);
            part.asked.extend(limits.iter().copied().map(Asked::new));
            return Reached::Missing(part);
        }
        for limit in limits {
            let mut asked = Asked::new(*limit);
            match self.local.look(limit, now, cost, charge) {
                Known::Leased(served) => {
                    if charge {
                        let lease = (limit.dimension.key(), served.number);
                        part.taken.leases.push(lease);
                    }
                    part.served.push(Some(served));
                    continue;
                }
                Known::Denied(status) if limit.enforcement == Enforcement::Enforced => {
                    return Reached::Decided(answered(cost, [status], charge).remembered());
                }
                Known::Denied(_) => {}
                Known::Unknown { is_busy } => {
                    if charge && is_busy {
                        asked.advance = self.lease_of(limit);
                    }
                }
            }
            // Before it is asked for: what a lease serves needs no second look.
            asked.refunds = self.local.refunds(limit.dimension.key());
            part.served.push(None);
            part.asked.push(asked);
        }
        if !part.asked.is_empty() {
            return Reached::Missing(part);
        }
        part.taken.are_used();
        let served = limits.iter().zip(part.served.into_iter().flatten());
        let statuses = served.map(|(limit, served)| of_lease(limit, served, true));
        Reached::Decided(answered(cost, statuses, charge).remembered())
    }

    /// How many tokens are taken in advance.
    fn lease_of(&self, limit: &AppliedLimit) -> u32 {
        let share = self.leases.map(|leases| leases.share.get());
        let burst = limit.quota.burst_size();
        share
            .and_then(|share| burst.checked_div(share))
            .unwrap_or(0)
    }

    /// Asks the server for what is missing, one request at a time for the tokens that are taken in advance.
    pub(super) async fn decide(
        self: &Arc<Self>,
        now: Duration,
        limits: &[AppliedLimit],
        cost: NonZeroU32,
        charge: bool,
        mut part: Part,
    ) -> Result<Decision, LimitError> {
        let mut fetching = None;
        for _ in 0..WAITS {
            let wanted = part.asked.iter().filter(|asked| asked.advance > 0);
            let keys = wanted.map(|asked| asked.limit.dimension.key());
            let fetch = self.local.fetch(keys);
            let is_mine = match &fetch {
                Fetch::Mine(mine) if mine.is_empty() => break,
                Fetch::Mine(_) => true,
                Fetch::Others(_) => false,
            };
            // What this one took of leases may serve others meanwhile.
            drop(part);
            match fetch {
                Fetch::Mine(mine) => fetching = Some(mine),
                // It has no permits, and is closed when the tokens are there.
                Fetch::Others(others) => others.acquire().await.map(drop).unwrap_or_default(),
            }
            // Somebody may have fetched since this one looked: two leases at once would be one too many.
            match self.reach(now, limits, cost, charge) {
                Reached::Decided(decision) => return Ok(decision),
                Reached::Missing(again) => part = again,
            }
            if is_mine {
                break;
            }
        }
        for asked in &mut part.asked {
            let key = asked.limit.dimension.key();
            if !fetching.as_ref().is_some_and(|mine| mine.has(key)) {
                asked.advance = 0;
            }
        }
        if charge {
            for asked in &mut part.asked {
                asked.back = self.local.drain(&asked.limit, now, cost).micros();
            }
        }
        let decision = self.ask_server(now, limits, cost, charge, part).await;
        // Only now: whoever waits looks at what was fetched.
        drop(fetching);
        decision
    }

    async fn ask_server(
        self: &Arc<Self>,
        now: Duration,
        limits: &[AppliedLimit],
        cost: NonZeroU32,
        charge: bool,
        part: Part,
    ) -> Result<Decision, LimitError> {
        let Part {
            taken,
            served,
            asked,
        } = part;
        let buckets = asked.iter().map(|asked| asked.bucket(cost)).collect();
        let reply = self.queue.ask(Request { charge, buckets }).await?;
        let is_allowed = reply.passes;
        let found = asked.iter().zip(reply.buckets);
        let said: Vec<Said> = found
            .map(|(asked, found)| asked.said(found, cost))
            .collect();
        // What was taken from a lease goes back when another limit denies.
        let is_charged = is_allowed && charge;
        let mut answers = said.iter().zip(&asked);
        let all = limits
            .iter()
            .zip(served)
            .filter_map(|(limit, served)| match served {
                Some(served) => Some(of_lease(limit, served, is_charged)),
                None => answers
                    .next()
                    .map(|(said, asked)| said.status(asked, is_charged)),
            });
        let decision = answered(cost, all, charge);
        if !charge {
            return Ok(decision);
        }
        if is_allowed {
            taken.are_used();
        }
        self.note(now, cost, is_allowed, &asked, &said);
        Ok(decision)
    }

    /// Remembers what the server said.
    fn note(
        self: &Arc<Self>,
        now: Duration,
        cost: NonZeroU32,
        is_allowed: bool,
        asked: &[Asked],
        said: &[Said],
    ) {
        for (asked, said) in asked.iter().zip(said) {
            let limit = &asked.limit;
            match said.state {
                LimitState::Within if is_allowed => {
                    let after = said.after(&asked.micros);
                    let number = self.local.note_allowed(limit, now, after, said.advance);
                    if let Some(number) = number {
                        self.await_end(limit.dimension.key(), number);
                    }
                }
                LimitState::Exceeded if limit.enforcement == Enforcement::Enforced => {
                    let wait = Duration::from_micros(said.wait);
                    self.local
                        .note_denied(limit, now, cost, wait, asked.refunds);
                }
                LimitState::Within | LimitState::Exceeded | LimitState::BeyondBurst => {}
            }
        }
    }

    /// Gives back what is left of leases at their end: one task for each bucket that has one.
    fn await_end(self: &Arc<Self>, key: LimitKey, number: u64) {
        let Some(lasting) = self.leases.map(|leases| leases.lasting) else {
            return;
        };
        let weak: Weak<Self> = Arc::downgrade(self);
        // In the runtime of the connection: the caller's may end before the lease does.
        let runtime = &self.queue.client().shared().runtime;
        runtime.spawn(async move {
            let mut number = number;
            loop {
                tokio::time::sleep(lasting).await;
                let Some(inner) = weak.upgrade() else { return };
                match inner.local.end(key, number) {
                    Err(next) => number = next,
                    Ok(Tokens { count: 0, .. }) => return,
                    Ok(left) => {
                        // Without an answer they come back at the rate.
                        let left = Bucket::giving_back(key, left.micros());
                        inner.queue.give_back(vec![left]).await.ok();
                        return;
                    }
                }
            }
        });
    }
}

fn answered(
    cost: NonZeroU32,
    statuses: impl IntoIterator<Item = LimitStatus>,
    charge: bool,
) -> Decision {
    let decision = Decision::new(cost, statuses);
    if charge {
        decision
    } else {
        decision.uncharged()
    }
}

/// What a limit says of a request that a lease serves.
fn of_lease(limit: &AppliedLimit, served: Served, is_charged: bool) -> LimitStatus {
    let mut status = status(limit, served.before);
    if is_charged {
        status.charge(served.after);
    }
    status
}

impl Taken {
    /// The request passed.
    fn are_used(mut self) {
        self.leases.clear();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        for (key, number) in self.leases.drain(..) {
            self.local.put_back(key, number, self.cost);
        }
    }
}
