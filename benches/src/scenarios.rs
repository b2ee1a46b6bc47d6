//! What clients of key servers make of a server that rotates, stalls, lies or vanishes.
//!
//! One second of a scenario stands for five minutes of a service: each client has the times that it
//! would have there, divided by 300, as far as its library has them as options. Time-outs are longer
//! than that, since the machine is as slow as ever.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    contenders::key_clients::{KeyClient, Library, Pace},
    key_documents::{Jwk, document},
    server::{Answer, Behaviour, Length, Server},
};

/// How long keys are fresh, by the options and by the server's `Cache-Control`.
const TTL: Duration = Duration::from_secs(1);

/// What the clients are set to.
pub const PACE: Pace = Pace {
    ttl: TTL,
    ahead: Duration::from_millis(100),
    timeout: Duration::from_millis(100),
    backoff: Duration::from_millis(10),
    max_backoff: Duration::from_millis(100),
    cool_down: Duration::from_millis(100),
    max_stale: Duration::from_secs(12),
};

/// The time between two look-ups of the good key.
const TICK: Duration = Duration::from_millis(10);

/// How long a caller waits for an answer before it counts as refused.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Tokens with key ids that do not exist.
const FLOOD: usize = 10_000;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    RotationWithOverlap,
    AbruptRotation,
    RemovedKey,
    Stall,
    SlowDrip,
    Huge,
    Redirect,
    Html,
    EmptySet,
    UnknownKind,
    WrongContentType,
    Refused,
    Flapping,
    LongOutage,
    Flood,
}

impl Scenario {
    /// All.
    pub const ALL: [Self; 15] = [
        Self::RotationWithOverlap,
        Self::AbruptRotation,
        Self::RemovedKey,
        Self::Stall,
        Self::SlowDrip,
        Self::Huge,
        Self::Redirect,
        Self::Html,
        Self::EmptySet,
        Self::UnknownKind,
        Self::WrongContentType,
        Self::Refused,
        Self::Flapping,
        Self::LongOutage,
        Self::Flood,
    ];

    /// Some that are over soon.
    pub const FAST: [Self; 3] = [Self::AbruptRotation, Self::Html, Self::Flood];

    /// The word in cases.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RotationWithOverlap => "rotation-with-overlap",
            Self::AbruptRotation => "abrupt-rotation",
            Self::RemovedKey => "removed-key",
            Self::Stall => "stall",
            Self::SlowDrip => "slow-drip",
            Self::Huge => "huge-body",
            Self::Redirect => "redirect",
            Self::Html => "html-200",
            Self::EmptySet => "empty-set",
            Self::UnknownKind => "one-bad-key",
            Self::WrongContentType => "wrong-content-type",
            Self::Refused => "connection-refused",
            Self::Flapping => "flapping",
            Self::LongOutage => "outage-within-max-stale",
            Self::Flood => "flood-of-unknown-kids",
        }
    }

    /// What it is, for the table.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::RotationWithOverlap => "a new key, which signs one freshness later",
            Self::AbruptRotation => "another key instead, which signs at once",
            Self::RemovedKey => "a key is withdrawn",
            Self::Stall => "requests are read and never answered",
            Self::SlowDrip => "a byte of the answer every 20 ms",
            Self::Huge => "10 MB of spaces",
            Self::Redirect => "302 to somebody else's keys",
            Self::Html => "a page with status 200",
            Self::EmptySet => "`{\"keys\":[]}`",
            Self::UnknownKind => "a key of an unknown kind before the good one",
            Self::WrongContentType => "somebody else's keys, as text/plain",
            Self::Refused => "connections are refused",
            Self::Flapping => "150 ms of keys, 150 ms of status 503, in turns",
            Self::LongOutage => "dead for 5 s, then alive",
            Self::Flood => "10,000 unknown key ids in 3 s",
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Requests that the server saw, the first one included.
    pub fetches: usize,
    /// Look-ups of a key that signs.
    pub looked_up: usize,
    /// Those of them that did not get it, or not in time.
    pub refused: usize,
    /// The slowest of them.
    pub slowest: Duration,
    /// Whether a key that must not verify, or not any more, was there at the end.
    pub bad_key: Option<bool>,
}

/// The server and the callers of one client.
struct Stage {
    server: Server,
    foreign: Server,
    client: KeyClient,
    keys: Keys,
    signer: Arc<Mutex<&'static str>>,
}

struct Keys {
    first: Jwk,
    second: Jwk,
    foreign: Jwk,
}

const FIRST: &str = "first";
const SECOND: &str = "second";
const FOREIGN: &str = "foreign";

fn serving<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> Behaviour {
    Behaviour::Serve(fresh(document(keys)))
}

fn fresh(document: String) -> Answer {
    Answer::json(document).header("cache-control", "max-age=1")
}

/// Plays one scenario for one client, within a tokio runtime.
///
/// # Panics
///
/// When the client does not even get its first keys.
pub async fn play(scenario: Scenario, library: Library) -> Outcome {
    let keys = Keys {
        first: Jwk::fresh(FIRST),
        second: Jwk::fresh(SECOND),
        foreign: Jwk::fresh(FOREIGN),
    };
    let initial = match scenario {
        Scenario::RemovedKey => serving([&keys.first, &keys.second]),
        _ => serving([&keys.first]),
    };
    let server = Server::start(initial).await;
    let foreign = Server::start(serving([&keys.foreign])).await;
    let client = KeyClient::start(library, &server.url("/jwks"), PACE);
    let is_ready = client.prefetch(FIRST).await;
    assert!(is_ready, "{} has no keys", library.name());
    let mut stage = Stage {
        server,
        foreign,
        client,
        keys,
        signer: Arc::new(Mutex::new(FIRST)),
    };
    let over = Arc::new(AtomicBool::new(false));
    let callers = tokio::spawn(call(
        stage.client.clone(),
        Arc::clone(&stage.signer),
        Arc::clone(&over),
    ));
    sleep(TTL / 2).await;
    let bad = stage.act(scenario).await;
    over.store(true, Ordering::SeqCst);
    let mut outcome = callers.await.expect("callers do not panic");
    outcome.fetches = stage.server.request_count();
    if let Some(bad) = bad {
        let answer = timeout(PATIENCE, stage.client.has(bad)).await;
        outcome.bad_key = Some(answer.unwrap_or(false));
    }
    outcome
}

impl Stage {
    /// Answers the id of a key that should not be there in the end.
    async fn act(&mut self, scenario: Scenario) -> Option<&'static str> {
        let Keys {
            first,
            second,
            foreign,
        } = &self.keys;
        let server = &self.server;
        let mut bad = None;
        match scenario {
            Scenario::RotationWithOverlap => {
                server.set(serving([first, second]));
                sleep(TTL + TTL / 10).await;
                self.signs(SECOND);
                sleep(TTL / 2).await;
                server.set(serving([second]));
                sleep(TTL * 3 / 2).await;
                bad = Some(FIRST);
            }
            Scenario::AbruptRotation => {
                server.set(serving([second]));
                self.signs(SECOND);
                sleep(TTL * 2).await;
                bad = Some(FIRST);
            }
            Scenario::RemovedKey => {
                server.set(serving([first]));
                sleep(TTL * 5 / 2).await;
                bad = Some(SECOND);
            }
            Scenario::Stall => self.for_three(Behaviour::Stall).await,
            Scenario::SlowDrip => {
                let answer = fresh(document([first]));
                let tick = Duration::from_millis(20);
                let behaviour = Behaviour::SlowDrip {
                    answer,
                    bytes: 1,
                    tick,
                };
                self.for_three(behaviour).await;
            }
            Scenario::Huge => {
                let (bytes, length) = (10_000_000, Length::Chunked);
                self.for_three(Behaviour::Huge { bytes, length }).await;
            }
            Scenario::Redirect => {
                let to = self.foreign.url("/jwks");
                self.for_three(Behaviour::Redirect { status: 302, to })
                    .await;
                bad = Some(FOREIGN);
            }
            Scenario::Html => self.for_three(Behaviour::Html200).await,
            Scenario::EmptySet => self.for_three(serving([])).await,
            Scenario::UnknownKind => {
                let id = "post-quantum";
                let json =
                    format!(r#"{{"kty":"AKP","alg":"ML-DSA-65","kid":"{id}","pub":"AQIDBA"}}"#);
                let unknown = Jwk {
                    id: id.to_owned(),
                    json,
                };
                // The good key is a new one: whoever refuses the whole set does not get it.
                server.set(serving([&unknown, first, second]));
                sleep(TTL + TTL / 10).await;
                self.signs(SECOND);
                sleep(TTL * 3 / 2).await;
            }
            Scenario::WrongContentType => {
                let answer = fresh(document([foreign])).content_type(Some("text/plain"));
                self.for_three(Behaviour::Serve(answer)).await;
                bad = Some(FOREIGN);
            }
            Scenario::Refused => {
                self.server.stop_listening().await;
                sleep(TTL * 3).await;
            }
            Scenario::Flapping => {
                for round in 0..20 {
                    let down = Behaviour::Serve(Answer::json("").status(503));
                    server.set(if round % 2 == 0 {
                        down
                    } else {
                        serving([first])
                    });
                    sleep(Duration::from_millis(150)).await;
                }
            }
            Scenario::LongOutage => {
                self.server.stop_listening().await;
                sleep(TTL * 5).await;
                self.server.listen_again();
                sleep(TTL).await;
            }
            Scenario::Flood => self.flood().await,
        }
        bad
    }

    fn signs(&self, id: &'static str) {
        *self.signer.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }

    async fn for_three(&self, behaviour: Behaviour) {
        self.server.set(behaviour);
        sleep(TTL * 3).await;
    }

    async fn flood(&self) {
        let mut strangers = JoinSet::new();
        let mut ticks = interval(Duration::from_millis(3));
        for number in 0..FLOOD {
            if number % 10 == 0 {
                ticks.tick().await;
            }
            let client = self.client.clone();
            strangers.spawn(async move {
                timeout(PATIENCE, client.has(&format!("unknown-{number}")))
                    .await
                    .unwrap_or(false)
            });
        }
        let found = strangers.join_all().await;
        assert!(!found.contains(&true), "an unknown key was found");
    }
}

/// Looks up the key that signs, at a steady pace, whether the callers before have been answered or
/// not.
async fn call(
    client: KeyClient,
    signer: Arc<Mutex<&'static str>>,
    over: Arc<AtomicBool>,
) -> Outcome {
    let clock = SystemClock::new();
    let mut callers = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !over.load(Ordering::SeqCst) {
        ticks.tick().await;
        let client = client.clone();
        let id = *signer.lock().unwrap_or_else(PoisonError::into_inner);
        callers.spawn(async move {
            let start = clock.elapsed();
            let has = timeout(PATIENCE, client.has(id)).await.unwrap_or(false);
            (has, clock.elapsed() - start)
        });
    }
    let mut outcome = Outcome::default();
    for (has, time) in callers.join_all().await {
        outcome.looked_up += 1;
        outcome.refused += usize::from(!has);
        outcome.slowest = outcome.slowest.max(time);
    }
    outcome
}
