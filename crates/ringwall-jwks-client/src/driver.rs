//! The task of one client: the only one that fetches.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use ringwall_core::event::EventKind;
use ringwall_jose::{KeyError, KeySet, KeySetBuilder, KeySetError, KeySetRef, RefusedKey};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::endpoint::Endpoint;
use crate::error::RefreshError;
use crate::fetch::{EntityTag, FetchError, FetchErrorKind, FetchRequest, Fetched, JwksFetcher};
use crate::machine::{Jitter, Next};
use crate::metadata::{IssuerUrl, ProviderMetadata};
use crate::shared::Shared;

pub(crate) type BuildKeySet = Arc<dyn Fn() -> KeySetBuilder + Send + Sync>;

pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) fetcher: Arc<dyn JwksFetcher>,
    pub(crate) origin: Origin,
    pub(crate) key_set: BuildKeySet,
    /// One permit: code that never ends holds one thread, and not one more with each attempt.
    pub(crate) builders: Arc<Semaphore>,
    /// The number of the last attempt that ended.
    pub(crate) done: watch::Sender<u64>,
    /// The version of the set in use, and where it came from.
    pub(crate) version: Option<(Endpoint, EntityTag)>,
    /// What was reported of the keys that were left out.
    pub(crate) reported: Vec<RefusedKey>,
    /// The set that was in use before. Kept until the next one is checked, so that no verification
    /// is the last to hold a set and has to free a thousand keys.
    pub(crate) retired: Option<Arc<KeySet>>,
}

/// Where the URL of the keys comes from.
pub(crate) enum Origin {
    Fixed(Endpoint),
    Discovered(Box<Discovered>),
}

pub(crate) struct Discovered {
    pub(crate) issuer: IssuerUrl,
    pub(crate) locations: [Endpoint; 2],
    pub(crate) known: Option<Known>,
}

/// What the metadata said.
pub(crate) struct Known {
    url: Endpoint,
    read_at: Duration,
    /// The keys were not there: the issuer may have moved them.
    suspect: bool,
}

struct Brought {
    /// `None` when the set in use is the current one.
    set: Option<KeySet>,
    max_age: Option<Duration>,
    version: Option<(Endpoint, EntityTag)>,
}

enum Answer {
    Set {
        /// `None` when it has the same keys as the one in use.
        set: Option<KeySet>,
        max_age: Option<Duration>,
        entity_tag: Option<EntityTag>,
    },
    /// The version that was named is the current one.
    Same { max_age: Option<Duration> },
}

impl Driver {
    /// Refreshes until the task is aborted.
    pub(crate) async fn run(mut self) {
        loop {
            let now = self.shared.now();
            let next = self.shared.machine().next(now);
            match next {
                Next::Sleep(pause) => {
                    // Woken or not, the state is looked at again.
                    tokio::time::timeout(pause, self.shared.wake.notified())
                        .await
                        .ok();
                }
                Next::Attempt => {
                    self.shared.machine().begin();
                    let outcome = self.attempt().await;
                    self.settle(outcome);
                    let attempts = self.shared.machine().attempts();
                    self.done.send_replace(attempts);
                }
            }
        }
    }

    fn settle(&mut self, outcome: Result<Brought, RefreshError>) {
        let shared = Arc::clone(&self.shared);
        match outcome {
            Ok(brought) => {
                if brought.version.is_some() || brought.set.is_some() {
                    self.version = brought.version;
                }
                let is_new = brought.set.is_some();
                if let Some(set) = brought.set {
                    self.report_refused(&set);
                    self.retired = shared.latest().map(KeySetRef::into_shared);
                    shared.replace(set);
                }
                let now = shared.now();
                let failures = {
                    let mut machine = shared.machine();
                    let failures = machine.failures();
                    machine.succeed(now, brought.max_age, jitter());
                    // Before anybody can learn that the attempt ended: "it is not there" is said of
                    // the keys that it brought.
                    shared.publish(&machine);
                    failures
                };
                shared.set_last_error(None);
                if is_new {
                    shared.emit(EventKind::KeysReloaded, "the key set was replaced");
                } else if failures > 0 {
                    shared.emit(EventKind::KeysReloaded, "the key set is fresh again");
                }
            }
            Err(error) => {
                let now = shared.now();
                let is_lost = {
                    let mut machine = shared.machine();
                    machine.fail(now, error.pause(), jitter());
                    shared.publish(&machine);
                    now >= machine.expires_at()
                };
                shared.emit(error.event(), error.as_str());
                if is_lost {
                    shared.emit(
                        EventKind::KeysUnavailable,
                        "there are no keys that may still be used",
                    );
                }
                shared.set_last_error(Some(error));
            }
        }
    }

    /// Once for each change of what is wrong with a set, not once per refresh.
    fn report_refused(&mut self, set: &KeySet) {
        let mut refused = set.refused().to_vec();
        // Keys for encryption are in many sets, and nothing is wrong with them.
        refused.retain(|key| key.reason != KeyError::WrongUse);
        if !are_same(&refused, &self.reported) {
            self.reported = refused;
            if !self.reported.is_empty() {
                self.shared.emit(
                    EventKind::KeysRefused,
                    "some keys of the set cannot be used",
                );
            }
        }
    }

    async fn attempt(&mut self) -> Result<Brought, RefreshError> {
        let url = self.locate().await?;
        let brought = self.bring(url).await;
        if let Origin::Discovered(discovered) = &mut self.origin
            && let Some(known) = &mut discovered.known
            && brought.is_err()
        {
            known.suspect = true;
        }
        brought
    }

    async fn bring(&mut self, url: Endpoint) -> Result<Brought, RefreshError> {
        let mut request = FetchRequest::new(url.clone(), self.shared.policy.max_bytes);
        if let Some((from, tag)) = &self.version
            && *from == url
        {
            request.entity_tag = Some(tag.clone());
        }
        // One time-out for both, so that an attempt has an end whatever the fetcher and the threads
        // of the runtime are busy with.
        let mut has_come = false;
        let timeout = self.shared.policy.timeout;
        let answer = self.answer(request, &mut has_come);
        let answer = match tokio::time::timeout(timeout, answer).await {
            Ok(answer) => answer?,
            Err(_) if has_come => return Err(RefreshError::Builder),
            Err(_) => {
                let error = FetchError::new(FetchErrorKind::TimedOut);
                return Err(RefreshError::Fetch(error));
            }
        };
        let (set, max_age, entity_tag) = match answer {
            Answer::Set {
                set,
                max_age,
                entity_tag,
            } => (set, max_age, entity_tag),
            Answer::Same { max_age } => {
                return Ok(Brought {
                    set: None,
                    max_age,
                    version: None,
                });
            }
        };
        Ok(Brought {
            set,
            max_age,
            version: entity_tag.map(|tag| (url, tag)),
        })
    }

    async fn answer(
        &mut self,
        request: FetchRequest,
        has_come: &mut bool,
    ) -> Result<Answer, RefreshError> {
        let is_conditional = request.entity_tag.is_some();
        let fetched = self.fetch(request).await.map_err(RefreshError::Fetch)?;
        *has_come = true;
        match fetched {
            Fetched::Document {
                body,
                max_age,
                entity_tag,
            } => Ok(Answer::Set {
                set: self.parse(body).await?,
                max_age,
                entity_tag,
            }),
            Fetched::NotModified { max_age } if is_conditional => Ok(Answer::Same { max_age }),
            Fetched::NotModified { .. } => {
                let error = FetchError::new(FetchErrorKind::Status(304));
                Err(RefreshError::Fetch(error))
            }
        }
    }

    /// The set, or `None` when it is the one in use: the same keys keep their generation, and with
    /// it all cached tokens.
    ///
    /// A thousand keys take longer to check, to compare and to free than a request should wait for
    /// its turn, so all of that is done beside the runtime.
    async fn parse(&mut self, body: Vec<u8>) -> Result<Option<KeySet>, RefreshError> {
        let Ok(permit) = Arc::clone(&self.builders).acquire_owned().await else {
            return Err(RefreshError::Builder);
        };
        let key_set = Arc::clone(&self.key_set);
        let latest = self.shared.latest().map(KeySetRef::into_shared);
        let retired = self.retired.take();
        let parsed = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            drop(retired);
            let set = key_set().document(&body)?.build()?;
            let is_same = latest.is_some_and(|latest| {
                latest.has_same_keys(&set) && are_same(latest.refused(), set.refused())
            });
            Ok((!is_same).then_some(set))
        });
        match Scoped(parsed).await {
            Ok(parsed) => {
                parsed.map_err(|error: KeySetError| RefreshError::KeySet(Arc::new(error)))
            }
            Err(_) => Err(RefreshError::Builder),
        }
    }

    /// The URL of the keys. Metadata that cannot be had is no reason not to fetch keys from where
    /// they were.
    async fn locate(&mut self) -> Result<Endpoint, RefreshError> {
        let now = self.shared.now();
        let metadata_ttl = self.shared.policy.metadata_ttl;
        let discovered = match &self.origin {
            Origin::Fixed(url) => return Ok(url.clone()),
            Origin::Discovered(discovered) => discovered,
        };
        if let Some(known) = &discovered.known
            && !known.suspect
            && now < known.read_at.saturating_add(metadata_ttl)
        {
            return Ok(known.url.clone());
        }
        let found = self.discover(discovered).await;
        let Origin::Discovered(discovered) = &mut self.origin else {
            return found;
        };
        match (found, &discovered.known) {
            (Ok(url), _) => {
                discovered.known = Some(Known {
                    url: url.clone(),
                    read_at: now,
                    suspect: false,
                });
                Ok(url)
            }
            (Err(error), Some(known)) => {
                self.shared.emit(error.event(), error.as_str());
                Ok(known.url.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn discover(&self, discovered: &Discovered) -> Result<Endpoint, RefreshError> {
        let mut first_error = None;
        for location in &discovered.locations {
            let request = FetchRequest::new(location.clone(), self.shared.policy.max_bytes);
            match self.fetch(request).await {
                Ok(Fetched::Document { body, .. }) => {
                    return ProviderMetadata::parse(body, &discovered.issuer)
                        .map(|metadata| metadata.jwks_uri().clone())
                        .map_err(RefreshError::Metadata);
                }
                Ok(Fetched::NotModified { .. }) => {
                    let error = FetchError::new(FetchErrorKind::Status(304));
                    return Err(RefreshError::MetadataFetch(error));
                }
                // Not there: it may be where the other standard has it. Whoever is asked for fewer
                // requests (RFC 6585 §4) does not make another one.
                Err(error)
                    if matches!(error.kind(), FetchErrorKind::Status(400..=428 | 430..=499)) =>
                {
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(RefreshError::MetadataFetch(error)),
            }
        }
        let error = first_error.unwrap_or_else(|| FetchError::new(FetchErrorKind::Other));
        Err(RefreshError::MetadataFetch(error))
    }

    /// One request, under a time-out and on a task of its own, so that a panic of the fetcher is
    /// its own affair.
    async fn fetch(&self, request: FetchRequest) -> Result<Fetched, FetchError> {
        let max_bytes = request.max_bytes;
        let fetcher = Arc::clone(&self.fetcher);
        let task = Scoped(tokio::spawn(async move { fetcher.fetch(request).await }));
        let fetched = match tokio::time::timeout(self.shared.policy.timeout, task).await {
            Ok(Ok(fetched)) => fetched?,
            Ok(Err(error)) if error.is_panic() => {
                return Err(FetchError::new(FetchErrorKind::Panicked));
            }
            Ok(Err(_)) => return Err(FetchError::new(FetchErrorKind::Other)),
            Err(_) => return Err(FetchError::new(FetchErrorKind::TimedOut)),
        };
        match &fetched {
            // The bound is a fetcher's to keep, and ours to rely on.
            Fetched::Document { body, .. } if body.len() > max_bytes => {
                Err(FetchError::new(FetchErrorKind::TooLarge))
            }
            Fetched::Document { .. } | Fetched::NotModified { .. } => Ok(fetched),
        }
    }
}

/// Whether the same was left out for the same reasons, in whatever order.
fn are_same(one: &[RefusedKey], other: &[RefusedKey]) -> bool {
    let count = |keys: &[RefusedKey], key: &RefusedKey| {
        keys.iter()
            .filter(|other| other.id == key.id && other.reason == key.reason)
            .count()
    };
    one.len() == other.len() && one.iter().all(|key| count(one, key) == count(other, key))
}

/// A task that ends with whoever waits for it.
struct Scoped<T>(JoinHandle<T>);

impl<T> Future for Scoped<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Scoped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A system that has no random bytes refreshes without jitter.
fn jitter() -> Jitter {
    let mut bytes = [0; 2];
    SystemRandom::new().fill(&mut bytes).ok();
    Jitter(u16::from_le_bytes(bytes))
}
