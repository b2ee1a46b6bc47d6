//! Verifications one after the other on a tokio runtime, each with the time that passed since the
//! one before it: what a refresh of the keys adds to a request, wherever it adds it.
//!
//! A machine that other programs use makes every now and then one of them slow, refresh or not. So
//! each has two times: that of the wall, and that for which its thread had a processor. Work of
//! ours that a verification waits for on its thread is in both; the waiting for a processor is in
//! the first alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use ringwall_core::{
    clock::{MonotonicClock as _, SystemClock},
    profile::Profile,
};
use ringwall_jwks_client::JwksClient;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinSet, yield_now},
    time::sleep,
};

use crate::{
    contenders::{
        key_lookups::{Alternating, Clock, refresh, start_ours},
        ours::Ours,
    },
    key_documents::{Jwk, Rotation},
    materials::{KEY_ID, Materials, Public},
};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Threads of the runtime that verify; one is tokio's current-thread runtime.
    pub workers: usize,
    /// The number of keys in each set.
    pub keys: usize,
    /// How long each phase lasts; phases without and with refreshes alternate.
    pub phase: Duration,
    /// How many phases of each kind.
    pub phases: usize,
    /// The pause between two refreshes.
    pub pause: Duration,
}

/// One verification.
#[derive(Clone, Copy, Debug)]
struct Turn {
    wall: u64,
    /// `None` when the task moved to another thread in between.
    processor: Option<u64>,
    kind: Kind,
}

/// When a verification was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In a phase without refreshes.
    Without,
    /// In a phase with refreshes, and none of them was under way.
    Between,
    /// A refresh was under way for a part of it, or for all of it.
    During,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Without, Self::Between, Self::During];

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Without => "no refreshes",
            Self::Between => "between refreshes",
            Self::During => "during a refresh",
        }
    }
}

/// What became of a plan.
#[derive(Debug)]
pub struct Outcome {
    turns: Vec<Turn>,
    /// How many refreshes were made.
    pub refreshes: u64,
}

/// Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Distribution {
    pub count: usize,
    pub median: f64,
    pub p99: f64,
    pub p999: f64,
    pub maximum: f64,
    /// How many took longer than a millisecond.
    pub slow: usize,
}

impl Distribution {
    fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let at = |part: f64| times[(last as f64 * part) as usize] as f64;
        Some(Self {
            count: times.len(),
            median: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            maximum: at(1.0),
            slow: times.iter().filter(|time| **time > 1_000_000).count(),
        })
    }
}

impl Outcome {
    /// By the wall.
    #[must_use]
    pub fn wall(&self, kind: Kind) -> Option<Distribution> {
        Distribution::of(self.of(kind).map(|turn| turn.wall).collect())
    }

    /// By the processor.
    #[must_use]
    pub fn processor(&self, kind: Kind) -> Option<Distribution> {
        Distribution::of(self.of(kind).filter_map(|turn| turn.processor).collect())
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(move |turn| turn.kind == kind)
    }
}

/// What the tasks share.
struct Stage {
    ours: Ours,
    token: String,
    clock: SystemClock,
    /// The phase is one with refreshes.
    with: AtomicBool,
    /// Raised when a refresh begins and when it has ended: odd while one is under way.
    refreshes: AtomicU64,
    over: AtomicBool,
}

/// A moment of a thread.
#[derive(Clone, Copy)]
struct Moment {
    wall: Duration,
    processor: Duration,
    thread: ThreadId,
    refreshes: u64,
}

impl Stage {
    fn now(&self) -> Moment {
        Moment {
            wall: self.clock.elapsed(),
            processor: processor_time(),
            thread: thread::current().id(),
            refreshes: self.refreshes.load(Ordering::SeqCst),
        }
    }

    async fn verify(self: Arc<Self>) -> Vec<Turn> {
        let mut turns = Vec::with_capacity(1 << 19);
        let mut last = self.now();
        let mut was_with = self.with.load(Ordering::SeqCst);
        while !self.over.load(Ordering::SeqCst) {
            // Whatever else the runtime has to do is done before the next one.
            yield_now().await;
            drop(self.ours.verify(&self.token));
            let with = self.with.load(Ordering::SeqCst);
            let now = self.now();
            let kind = match now.refreshes {
                after if after % 2 == 1 || after != last.refreshes => Some(Kind::During),
                _ if with && was_with => Some(Kind::Between),
                _ if !with && !was_with => Some(Kind::Without),
                _ => None,
            };
            let is_same_thread = now.thread == last.thread;
            if let Some(kind) = kind {
                turns.push(Turn {
                    wall: nanos(now.wall - last.wall),
                    processor: is_same_thread.then(|| nanos(now.processor - last.processor)),
                    kind,
                });
            }
            (last, was_with) = (now, with);
        }
        turns
    }

    async fn refresh(self: Arc<Self>, client: JwksClient, pause: Duration) {
        while !self.over.load(Ordering::SeqCst) {
            if self.with.load(Ordering::SeqCst) {
                self.refreshes.fetch_add(1, Ordering::SeqCst);
                refresh(&client).await;
                self.refreshes.fetch_add(1, Ordering::SeqCst);
            }
            sleep(pause).await;
        }
    }
}

/// Verifies a token of an EdDSA key, cache off, in phases with and without refreshes.
///
/// # Panics
///
/// When the system gives no runtime, or a good token is refused.
#[must_use]
pub fn run(materials: &Materials, plan: Plan) -> Outcome {
    let Public::Point(point) = &materials.public else {
        panic!("a key of EdDSA is wanted");
    };
    let rotation = Rotation::new(plan.keys, &Jwk::of(KEY_ID, point));
    // Every other refresh finds the same keys: they are compared in full.
    let fetcher = Alternating::new(&rotation, 2);
    let runtime = runtime(plan.workers);
    let client = start_ours(&runtime, &fetcher, Clock::Coarse);
    let before = fetcher.fetches();
    let keys = Arc::new(client.clone());
    let stage = Arc::new(Stage {
        ours: Ours::with_keys(keys, Profile::Production, 0),
        token: materials.token().text,
        clock: SystemClock::new(),
        with: AtomicBool::new(false),
        refreshes: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let turns = runtime.block_on(async {
        let refreshing = tokio::spawn(Arc::clone(&stage).refresh(client, plan.pause));
        let mut verifying = JoinSet::new();
        for _ in 0..plan.workers {
            verifying.spawn(Arc::clone(&stage).verify());
        }
        for phase in 0..plan.phases * 2 {
            stage.with.store(phase % 2 == 1, Ordering::SeqCst);
            sleep(plan.phase).await;
        }
        stage.over.store(true, Ordering::SeqCst);
        let turns = verifying.join_all().await.concat();
        refreshing.await.expect("refreshes succeed");
        turns
    });
    Outcome {
        turns,
        refreshes: fetcher.fetches() - before,
    }
}

fn runtime(workers: usize) -> Runtime {
    let mut builder = if workers == 1 {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// For how long this thread had a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
