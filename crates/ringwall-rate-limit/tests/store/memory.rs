//! The suite against the limiter of one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringwall_core::step::{BoxFuture, Step};
use ringwall_rate_limit::conformance::{self, Answer, Setting};
use ringwall_rate_limit::{Decision, Dimension, LimitError, LimitStore, MemoryLimiter, Policies};

use crate::at_once::{at_once, done};

/// A clock that is moved by hand.
#[derive(Default)]
struct World {
    nanos: Arc<AtomicU64>,
    fault: Option<Fault>,
}

/// What is wrong with a store, to show that the suite notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// One check in eight charges nothing.
    Leaks,
    /// Only the first limit is looked at.
    FirstOnly,
    /// The cost is one.
    CostsOne,
    /// A peek charges.
    PeekTakes,
    /// Nothing is given back.
    KeepsAll,
    /// Time does not count.
    NeverFills,
}

#[derive(Debug)]
struct Faulty {
    store: MemoryLimiter,
    fault: Fault,
    turn: AtomicU64,
}

impl LimitStore for Faulty {
    fn policies(&self) -> &Policies {
        LimitStore::policies(&self.store)
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: core::num::NonZeroU32,
    ) -> Step<Answer> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut asked = dimensions;
        let (mut at, mut tokens) = (now, cost);
        match self.fault {
            Fault::Leaks if turn % 8 == 7 => {
                let decision = self.store.check(now, dimensions, cost);
                if let Ok(decision) = decision {
                    self.store.refund(now, decision);
                }
                return Step::Done(self.store.peek(now, dimensions, cost));
            }
            Fault::FirstOnly => asked = dimensions.get(..1).unwrap_or(dimensions),
            Fault::CostsOne => tokens = core::num::NonZeroU32::MIN,
            Fault::NeverFills => at = Duration::ZERO,
            Fault::Leaks | Fault::PeekTakes | Fault::KeepsAll => {}
        }
        Step::Done(self.store.check(at, asked, tokens))
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: core::num::NonZeroU32,
    ) -> Step<Answer> {
        Step::Done(if self.fault == Fault::PeekTakes {
            self.store.check(now, dimensions, cost)
        } else {
            self.store.peek(now, dimensions, cost)
        })
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        if self.fault == Fault::KeepsAll {
            return Step::Done(Ok(()));
        }
        LimitStore::refund(&self.store, now, decision)
    }
}

impl Setting for World {
    fn store(&self, policies: Policies) -> Arc<dyn LimitStore> {
        let store = MemoryLimiter::new(policies, 1000);
        match self.fault {
            None => Arc::new(store),
            Some(fault) => Arc::new(Faulty {
                store,
                fault,
                turn: AtomicU64::new(0),
            }),
        }
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    fn pass(&self, time: Duration) -> BoxFuture<()> {
        let nanos = u64::try_from(time.as_nanos()).unwrap();
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
        Box::pin(async {})
    }

    fn together(&self, checks: Vec<BoxFuture<Answer>>) -> BoxFuture<Vec<Answer>> {
        let threads: Vec<_> = checks
            .into_iter()
            .map(|check| std::thread::spawn(move || at_once(Step::Wait(check))))
            .collect();
        Box::pin(async {
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        })
    }
}

fn run(fault: Option<Fault>) -> Result<(), conformance::Violation> {
    let world = World {
        fault,
        ..World::default()
    };
    done(conformance::all(&world))
}

#[test]
fn the_limiter_of_one_process_keeps_the_contract() {
    run(None).unwrap();
}

#[test]
fn the_suite_notices_each_way_of_breaking_the_contract() {
    for fault in [
        Fault::Leaks,
        Fault::FirstOnly,
        Fault::CostsOne,
        Fault::PeekTakes,
        Fault::KeepsAll,
        Fault::NeverFills,
    ] {
        assert!(run(Some(fault)).is_err(), "{fault:?}");
    }
}
