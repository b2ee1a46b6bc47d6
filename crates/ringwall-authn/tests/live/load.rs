//! Thousands of tasks that verify tokens, and what is expected of the answers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringwall_authn::{Refusal, TokenError, TokenErrorKind, VerifiedToken};
use ringwall_core::denial::Denial;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use tokio::task::JoinSet;

use crate::support::{Doors, Tenant, eventually, millis};

/// What a caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    /// 401, with the cause where it is known.
    Refused(Option<Refusal>),
    /// 503.
    Unavailable(Duration),
    /// What no test here expects.
    Other(u16),
}

impl From<Result<Arc<VerifiedToken>, TokenError>> for Answer {
    fn from(result: Result<Arc<VerifiedToken>, TokenError>) -> Self {
        let error = match result {
            Ok(_) => return Self::Good,
            Err(error) => error,
        };
        if let TokenErrorKind::Unavailable { retry_after } = error.kind() {
            Self::Unavailable(retry_after)
        } else {
            Self::Refused(Some(error.refusal()))
        }
    }
}

impl From<Result<Arc<VerifiedToken>, Denial>> for Answer {
    fn from(result: Result<Arc<VerifiedToken>, Denial>) -> Self {
        let denial = match result {
            Ok(_) => return Self::Good,
            Err(denial) => denial,
        };
        if let Denial::Unavailable { retry_after } = denial {
            let mut is_told = false;
            denial.headers(|name, value| {
                is_told |= name == "retry-after" && value.parse::<u64>().is_ok_and(|s| s >= 1);
            });
            if is_told && denial.http_status() == 503 {
                return Self::Unavailable(retry_after);
            }
        }
        match denial.http_status() {
            401 => Self::Refused(None),
            status => Self::Other(status),
        }
    }
}

/// What is right for a token while a part of a scenario lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Expected {
    /// It is good, and nobody waits for that.
    AtOnce,
    /// It is good.
    Good,
    /// It is good until the client's keys are over, and from then on 503.
    WhileKeysLast,
    /// Nobody can tell: 503.
    Unavailable,
    /// It is not good any more.
    Gone,
    /// The scenario is about to change.
    Anything,
}

const EXPECTED: [Expected; 6] = [
    Expected::AtOnce,
    Expected::Good,
    Expected::WhileKeysLast,
    Expected::Unavailable,
    Expected::Gone,
    Expected::Anything,
];

/// Tokens of one key.
pub(crate) struct Batch {
    pub(crate) key_id: String,
    tokens: Vec<String>,
    /// Which [`Expected`], and how often that has changed: an answer is judged when what is
    /// expected was the same before the question and after the answer.
    expected: AtomicUsize,
    /// Since what is expected was changed.
    judged: AtomicUsize,
}

impl Batch {
    pub(crate) fn new(key_id: &str, tokens: Vec<String>, expected: Expected) -> Self {
        Self {
            key_id: key_id.to_owned(),
            tokens,
            expected: AtomicUsize::new(expected as usize),
            judged: AtomicUsize::new(0),
        }
    }

    pub(crate) fn expect(&self, expected: Expected) {
        let changes = self.expected.load(Ordering::SeqCst) / EXPECTED.len() + 1;
        let value = changes * EXPECTED.len() + expected as usize;
        self.expected.store(value, Ordering::SeqCst);
        self.judged.store(0, Ordering::SeqCst);
    }

    /// Waits until so many answers more were judged by what is expected now, from the call on.
    pub(crate) fn judged(self: &Arc<Self>, count: usize) -> impl Future<Output = ()> + use<> {
        let batch = Arc::clone(self);
        let enough = batch.judged.load(Ordering::SeqCst) + count;
        async move {
            let is_enough = || batch.judged.load(Ordering::SeqCst) >= enough;
            eventually("answers to judge", is_enough).await;
        }
    }
}

/// What became of one issuer's tokens.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) good: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    pub(crate) unavailable: AtomicUsize,
    pub(crate) waited: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    /// Counts, and judges where something was expected.
    fn take(&self, answer: Answer, expected: Option<Expected>, facts: Facts) {
        if facts.waited {
            self.waited.fetch_add(1, Ordering::Relaxed);
        }
        let (counter, is_right) = match answer {
            Answer::Good => (&self.good, expected.is_none_or(|e| e.permits_good(facts))),
            Answer::Refused(_) => (
                &self.refused,
                expected.is_none_or(|e| matches!(e, Expected::Gone | Expected::Anything)),
            ),
            Answer::Unavailable(retry_after) => (
                &self.unavailable,
                // Between one second and the longest that a policy of these tests has.
                (1..=30).contains(&retry_after.as_secs())
                    && expected.is_none_or(|e| e.permits_unavailable(facts)),
            ),
            Answer::Other(_) => (&self.refused, false),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !is_right {
            let mut wrong = self.wrong.lock().unwrap();
            if wrong.len() < 10 {
                wrong.push(format!("{answer:?} where {expected:?}, {facts:?}"));
            }
        }
    }

    #[track_caller]
    pub(crate) fn check(&self, label: &str) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{label}: {wrong:#?}");
    }

    pub(crate) fn count(counter: &AtomicUsize) -> usize {
        counter.load(Ordering::SeqCst)
    }
}

/// How an answer came about.
#[derive(Clone, Copy, Debug)]
struct Facts {
    waited: bool,
    /// The keys were over before the question was put.
    over_before: bool,
    /// They were over when the answer was there.
    over_after: bool,
}

impl Expected {
    fn permits_good(self, facts: Facts) -> bool {
        match self {
            Self::AtOnce => !facts.waited,
            Self::Good | Self::Anything => true,
            Self::WhileKeysLast => !facts.over_before,
            Self::Unavailable | Self::Gone => false,
        }
    }

    fn permits_unavailable(self, facts: Facts) -> bool {
        match self {
            Self::AtOnce | Self::Good => false,
            Self::WhileKeysLast => facts.over_after,
            // A key that is not there is looked for, and the issuer may not answer.
            Self::Unavailable | Self::Gone | Self::Anything => true,
        }
    }
}

/// Tasks that present the tokens of tenants, until they are stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
    tenants: Vec<Arc<Tenant>>,
}

impl Load {
    pub(crate) fn start<'a>(
        doors: &Doors,
        tenants: impl IntoIterator<Item = &'a Arc<Tenant>>,
        tasks: usize,
    ) -> Self {
        let tenants: Vec<_> = tenants.into_iter().cloned().collect();
        let mut load = Self {
            stop: Arc::default(),
            tasks: JoinSet::new(),
            tenants,
        };
        for number in 0..tasks {
            let tenant = Arc::clone(&load.tenants[number % load.tenants.len()]);
            let (doors, stop) = (doors.clone(), Arc::clone(&load.stop));
            load.tasks.spawn(async move {
                let mut turn = number;
                while !stop.load(Ordering::Relaxed) {
                    present(&doors, &tenant, turn).await;
                    turn += 1;
                    tokio::time::sleep(pause(number)).await;
                }
            });
        }
        load
    }

    /// Ends the tasks and checks what they were told.
    pub(crate) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        for tenant in &self.tenants {
            tenant.tally.check(&tenant.label);
        }
    }
}

/// As long as the processors are for others too, and not the same for all.
fn pause(number: usize) -> Duration {
    millis(70 + u64::try_from(number % 31).unwrap())
}

async fn present(doors: &Doors, tenant: &Arc<Tenant>, turn: usize) {
    let Some(batch) = tenant.next_batch() else {
        return;
    };
    let token = &batch.tokens[turn % batch.tokens.len()];
    let before = batch.expected.load(Ordering::SeqCst);
    let expected = EXPECTED[before % EXPECTED.len()];
    let over = || expected == Expected::WhileKeysLast && tenant.is_over();
    let over_before = over();
    let step = doors.ask(token, turn);
    let waited = matches!(step, Step::Wait(_));
    let answer = step.await;
    let facts = Facts {
        waited,
        over_before,
        over_after: over(),
    };
    let is_judged = before == batch.expected.load(Ordering::SeqCst);
    tenant
        .tally
        .take(answer, is_judged.then_some(expected), facts);
    // That nobody can tell is permitted for a key that is gone, and shows nothing.
    let shows_nothing = expected == Expected::Gone && matches!(answer, Answer::Unavailable(_));
    if is_judged && !shows_nothing {
        batch.judged.fetch_add(1, Ordering::SeqCst);
    }
}

impl Doors {
    /// Through one of the doors, each in its turn.
    pub(crate) fn ask(&self, token: &str, turn: usize) -> Step<Answer> {
        match turn % 8 {
            0 => self
                .uncached
                .verify_refreshing(token, &self.clock)
                .map(Answer::from),
            1..=4 => self
                .cached
                .verify_refreshing(token, &self.clock)
                .map(Answer::from),
            _ => {
                let headers = [("authorization", format!("Bearer {token}"))];
                let view = RequestView {
                    method: "GET",
                    scheme: Some("https"),
                    authority: Some("api.example"),
                    raw_path: "/v1/cases",
                    raw_query: None,
                    socket_peer: None,
                    client_address: None,
                    tls_peer: None,
                    headers: &headers,
                };
                self.authenticator.authenticate(&view).map(Answer::from)
            }
        }
    }
}
