//! The client: what services hold.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::{CoarseClock, MonotonicClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use ringwall_core::profile::Profile;
use ringwall_core::step::Step;
use ringwall_jose::{
    Health, KeySet, KeySetBuilder, KeySetRef, KeySource, KeysUnavailable, VerificationKey,
};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use crate::driver::{BuildKeySet, Discovered, Driver, Origin};
use crate::endpoint::Endpoint;
use crate::error::{PrefetchError, RefreshError, StartError};
use crate::fetch::JwksFetcher;
use crate::machine::Missing;
use crate::metadata::IssuerUrl;
use crate::policy::RefreshPolicy;
use crate::shared::{Shared, unavailable_for};

/// The keys of one remote issuer, fetched and kept fresh by a task of its own.
///
/// Looking a key up takes no lock and never waits for the network. Cloning shares everything; the
/// task ends with the last clone, with [`JwksClient::shutdown`], or with the runtime it was started
/// in. Each client stands alone: what happens to one issuer touches no other.
#[derive(Clone)]
pub struct JwksClient(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    done: watch::Receiver<u64>,
    task: AbortHandle,
    runtime: Handle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Collects the options of a [`JwksClient`].
pub struct JwksClientBuilder {
    origin: Address,
    fetcher: Arc<dyn JwksFetcher>,
    profile: Profile,
    policy: RefreshPolicy,
    key_set: BuildKeySet,
    clock: Arc<dyn MonotonicClock>,
    events: Arc<dyn EventSink>,
}

enum Address {
    KeySet(Box<str>),
    Issuer(Box<str>),
}

impl fmt::Debug for JwksClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClientBuilder")
            .field("fetcher", &self.fetcher)
            .field("profile", &self.profile)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl JwksClientBuilder {
    /// Production unless set. In development, `http` to this machine is accepted.
    #[must_use]
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// When keys are fetched and how long they are used.
    #[must_use]
    pub const fn policy(mut self, policy: RefreshPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How each set is built: provider, RSA algorithm, number of keys. [`KeySet::builder`] unless
    /// set.
    #[must_use]
    pub fn key_set(mut self, builder: impl Fn() -> KeySetBuilder + Send + Sync + 'static) -> Self {
        self.key_set = Arc::new(builder);
        self
    }

    /// The clock by which keys age; a [`CoarseClock`] unless set, since it is read for every token. Pauses between fetches are tokio's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where new keys, failed refreshes and refused keys are reported; nowhere unless set, which
    /// makes an outage silent until the keys expire. `ringwall_gate::TracingEvents` writes them as
    /// log lines.
    #[must_use]
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// Starts the task on the tokio runtime of the caller, which has its timer enabled, and for
    /// [`HttpFetcher`](crate::HttpFetcher) its I/O. It begins to fetch at once; a service
    /// calls [`JwksClient::prefetch`] before it takes requests.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start(self) -> Result<JwksClient, StartError> {
        self.policy.check()?;
        let (about, origin): (Arc<str>, _) = match self.origin {
            Address::KeySet(url) => {
                let url = Endpoint::new(&url, self.profile)?;
                (shown(&url), Origin::Fixed(url))
            }
            Address::Issuer(issuer) => {
                let issuer = IssuerUrl::new(&issuer, self.profile)?;
                let locations = issuer.metadata_locations()?;
                let about = Arc::clone(issuer.as_str());
                let discovered = Discovered {
                    issuer,
                    locations,
                    known: None,
                };
                (about, Origin::Discovered(Box::new(discovered)))
            }
        };
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let shared = Shared::new(about, self.policy, self.clock, self.events);
        let shared = Arc::new(shared);
        let (sender, done) = watch::channel(0);
        let driver = Driver {
            shared: Arc::clone(&shared),
            fetcher: self.fetcher,
            origin,
            key_set: self.key_set,
            builders: Arc::new(Semaphore::new(1)),
            done: sender,
            version: None,
            reported: Vec::new(),
            retired: None,
        };
        let task = runtime.spawn(driver.run()).abort_handle();
        Ok(JwksClient(Arc::new(Owner {
            shared,
            done,
            task,
            runtime,
        })))
    }
}

/// For events: without the query, which some providers fill with identifiers.
fn shown(url: &Endpoint) -> Arc<str> {
    let text = url.as_str();
    text.split_once('?').map_or(text, |(text, _)| text).into()
}

impl JwksClient {
    /// The keys at `jwks_url`.
    #[must_use]
    pub fn builder(jwks_url: &str, fetcher: Arc<dyn JwksFetcher>) -> JwksClientBuilder {
        Self::from_address(Address::KeySet(jwks_url.into()), fetcher)
    }

    /// The keys of `issuer`, whose metadata says where they are: OpenID Connect Discovery 1.0, or
    /// RFC 8414 where the first is not there. The metadata's `issuer` must be `issuer`, byte for
    /// byte.
    #[must_use]
    pub fn discover(issuer: &str, fetcher: Arc<dyn JwksFetcher>) -> JwksClientBuilder {
        Self::from_address(Address::Issuer(issuer.into()), fetcher)
    }

    fn from_address(origin: Address, fetcher: Arc<dyn JwksFetcher>) -> JwksClientBuilder {
        JwksClientBuilder {
            origin,
            fetcher,
            profile: Profile::default(),
            policy: RefreshPolicy::default(),
            key_set: Arc::new(KeySet::builder),
            clock: Arc::new(CoarseClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// Waits until the first keys are there, so that a service does not take requests that it
    /// would have to refuse.
    ///
    /// # Errors
    ///
    /// [`PrefetchError`]. The client goes on trying: a service may start all the same and answer
    /// 503 until keys are there.
    pub async fn prefetch(&self) -> Result<(), PrefetchError> {
        let shared = &self.0.shared;
        let mut done = self.0.done.clone();
        loop {
            done.mark_unchanged();
            if shared.keys().is_ok() {
                return Ok(());
            }
            let failures = shared.machine().failures();
            if failures >= shared.policy.attempts
                && let Some(error) = shared.last_error()
            {
                return Err(PrefetchError::Failed(error));
            }
            if done.changed().await.is_err() {
                return Err(PrefetchError::Stopped);
            }
        }
    }

    /// The key that a token means, fetched when it is not there: with an id, the key of that id;
    /// without one, the only key of the set. `None` when the issuer has no such key.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] when nobody can tell: answer 503, never 401.
    pub async fn key(&self, id: Option<&str>) -> Result<Option<VerificationKey>, KeysUnavailable> {
        if let Some(key) = self.keys()?.find(id) {
            return Ok(Some(key.clone()));
        }
        match id {
            Some(missing) if self.look_for(missing).await? => Ok(self.keys()?.find(id).cloned()),
            Some(_) | None => Ok(None),
        }
    }

    /// Looks for the key of a token that names one which is not there. Answers whether it is there
    /// now.
    ///
    /// The first to ask causes a fetch, those who ask during it wait for the same, and whoever asks
    /// within [`RefreshPolicy::missing_key_cool_down`] after it is answered at once. Nobody waits
    /// longer than [`RefreshPolicy::timeout`].
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] when the issuer could not be asked, so that nobody can tell.
    pub fn look_for(&self, missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        let shared = &self.0.shared;
        if shared.has(missing) {
            return Step::Done(Ok(true));
        }
        if !self.is_running() {
            return Step::Done(Err(shared.unavailable()));
        }
        let first = match Waiting::begin(shared, &self.0.done, missing) {
            Asked::Waiting(waiting) => waiting,
            Asked::Answered(answer) => return Step::Done(answer),
        };
        let missing: Box<str> = missing.into();
        let runtime = self.0.runtime.clone();
        Step::wait(async move {
            let shared = Arc::clone(&first.shared);
            let found = first.found(&missing);
            let found = {
                // Whoever waits on another executor has no timer there.
                let is_outside = Handle::try_current().is_err();
                let _entered = is_outside.then(|| runtime.enter());
                tokio::time::timeout(shared.policy.timeout, found)
            };
            found.await.unwrap_or_else(|_| Err(shared.unavailable()))
        })
    }

    /// What the client holds and how it fares, for a status page and for metrics.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.0.shared;
        let now = shared.now();
        let machine = shared.machine();
        let (stale_at, expires_at) = (machine.stale_at(), machine.expires_at());
        let (attempts, failures) = (machine.attempts(), machine.failures());
        let waiting = machine.waiting();
        drop(machine);
        let latest = shared.latest();
        Status {
            health: health(now, stale_at, expires_at),
            keys: latest.as_ref().map_or(0, |keys| keys.len()),
            refused_keys: latest.as_ref().map_or(0, |keys| keys.refused().len()),
            expires_in: expires_at.saturating_sub(now),
            attempts,
            failures,
            waiting,
            is_running: self.is_running(),
            last_error: shared.last_error(),
        }
    }

    /// What the client is about, as its events name it: the issuer, or the URL of its keys.
    #[must_use]
    pub fn about(&self) -> &Arc<str> {
        &self.0.shared.about
    }

    /// Stops the task and with it any fetch. The keys stay in use until they expire.
    pub async fn shutdown(&self) {
        self.0.task.abort();
        let mut done = self.0.done.clone();
        while done.changed().await.is_ok() {}
    }

    fn is_running(&self) -> bool {
        self.0.done.has_changed().is_ok()
    }
}

/// What a [`JwksClient`] holds and how it fares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// How well it can serve.
    pub health: Health,
    /// The number of keys in the set.
    pub keys: usize,
    /// The number of keys that were left out of the set because they cannot be used.
    pub refused_keys: usize,
    /// How long the keys may still be used if no refresh succeeds; zero when there are none.
    pub expires_in: Duration,
    /// The number of attempts that were begun.
    pub attempts: u64,
    /// The number of attempts in a row that failed.
    pub failures: u32,
    /// The number of callers that wait for a key.
    pub waiting: usize,
    /// Whether the task runs.
    pub is_running: bool,
    /// Why the last attempt failed; `None` when it succeeded.
    pub last_error: Option<RefreshError>,
}

fn health(now: Duration, stale_at: Option<Duration>, expires_at: Duration) -> Health {
    match stale_at {
        Some(stale_at) if now < stale_at => Health::Fresh,
        Some(_) if now < expires_at => Health::Stale,
        Some(_) | None => Health::Unavailable,
    }
}

enum Asked {
    Waiting(Waiting),
    Answered(Result<bool, KeysUnavailable>),
}

/// A caller that waits for an attempt. Dropping it, at any time, is all it takes to leave.
struct Waiting {
    shared: Arc<Shared>,
    done: watch::Receiver<u64>,
    attempt: u64,
}

impl Waiting {
    fn begin(shared: &Arc<Shared>, done: &watch::Receiver<u64>, missing: &str) -> Asked {
        let now = shared.now();
        let asked = shared.machine().missing(now);
        match asked {
            Missing::Wait { attempt, wake } => {
                if wake {
                    shared.wake.notify_one();
                }
                Asked::Waiting(Self {
                    shared: Arc::clone(shared),
                    done: done.clone(),
                    attempt,
                })
            }
            // An attempt may have ended since the caller looked. What it brought was there before
            // it was known to have ended.
            Missing::Absent => Asked::Answered(shared.look(missing)),
            Missing::Unknown { retry_after } => Asked::Answered(Err(unavailable_for(retry_after))),
        }
    }

    async fn ended(&mut self) -> Result<(), KeysUnavailable> {
        let attempt = self.attempt;
        let ended = self.done.wait_for(|done| *done >= attempt).await.is_ok();
        if ended {
            Ok(())
        } else {
            Err(self.shared.unavailable())
        }
    }

    async fn found(mut self, missing: &str) -> Result<bool, KeysUnavailable> {
        self.ended().await?;
        let shared = Arc::clone(&self.shared);
        if shared.has(missing) {
            return Ok(true);
        }
        // The attempt may have been under way before the key was published. One that begins now
        // is not; if none may begin, the state says what is known.
        let done = self.done.clone();
        drop(self);
        match Self::begin(&shared, &done, missing) {
            Asked::Answered(answer) => answer,
            Asked::Waiting(mut second) => {
                second.ended().await?;
                // In this order, for the same reason.
                let has_looked = shared.machine().has_looked();
                match shared.look(missing)? {
                    true => Ok(true),
                    false if has_looked => Ok(false),
                    false => Err(shared.unavailable()),
                }
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.machine().waited();
    }
}

impl KeySource for JwksClient {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        self.0.shared.keys()
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        self.0.shared.keys().map(|keys| keys.generation())
    }

    fn refresh(&self, missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        self.look_for(missing)
    }

    fn health(&self) -> Health {
        let shared = &self.0.shared;
        let now = shared.now();
        let machine = shared.machine();
        health(now, machine.stale_at(), machine.expires_at())
    }
}

impl fmt::Debug for JwksClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksClient")
            .field("about", &self.0.shared.about)
            .field("health", &KeySource::health(self))
            .finish_non_exhaustive()
    }
}
