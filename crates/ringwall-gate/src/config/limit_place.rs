//! Where rate limits are counted, and what holds while that does not answer.

use core::num::NonZeroU32;
use std::sync::Arc;

use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::secret::SecretString;
use ringwall_rate_limit::{FallbackEvent, FallbackObserver, KeyHasher, OnFailure, Quota};
use sha2::{Digest as _, Sha256};

use super::section::Section;

/// The shortest secret: 32 bytes, as `openssl rand -hex 16` writes them at least.
const SECRET_BYTES: usize = 32;

/// The most processes that share limits.
const MOST_PROCESSES: u32 = 10_000;

/// Where limits are counted.
#[derive(Clone, Debug)]
pub(super) enum LimitPlace {
    /// In this process, for a service of one.
    Memory,
    /// In the service's own store ([`Services::limit_store`](super::Services::limit_store)), by all of its
    /// processes together.
    Service {
        /// By the secret that all of them have; `None` is a fault that was told.
        hasher: Option<KeyHasher>,
        /// How many they are.
        processes: Option<NonZeroU32>,
    },
}

impl LimitPlace {
    /// `realm` is the service's, if it was said: services that share a store and a secret count for themselves.
    pub(super) fn read(section: &mut Section<'_>, realm: Option<&str>) -> Self {
        let place = section.text("store");
        section.unless_set("store", "memory");
        match place.as_deref() {
            None | Some("memory") => {
                let problem = "is for limits that processes share";
                let remedy = "write rate_limits.store = \"service\", or leave it out";
                section.refuse(&["secret", "processes"], problem, remedy);
                Self::Memory
            }
            Some(word) => {
                if word != "service" {
                    section.fault("store", "is unknown", "write memory or service");
                } else if realm.is_none() {
                    section.fault(
                        "store",
                        "is service, and the service has no name that would keep others apart from it",
                        "write realm: services of one realm share their limits",
                    );
                }
                Self::Service {
                    hasher: hasher(section, realm.unwrap_or_default()),
                    processes: section
                        .optional_number("processes", 1..=MOST_PROCESSES)
                        .and_then(NonZeroU32::new),
                }
            }
        }
    }

    pub(super) fn hasher(&self) -> Option<&KeyHasher> {
        match self {
            Self::Memory => None,
            Self::Service { hasher, .. } => hasher.as_ref(),
        }
    }

    /// What a limit says while the store does not answer.
    pub(super) fn on_failure(&self, section: &mut Section<'_>, quota: Option<Quota>) -> OnFailure {
        let Self::Service { processes, .. } = self else {
            let problem = "is for limits in a store, and these are counted in the process";
            let remedy = "write rate_limits.store = \"service\", or leave it out";
            section.refuse(&["on_failure"], problem, remedy);
            return OnFailure::Closed;
        };
        let word = section.text("on_failure");
        section.unless_set("on_failure", "closed");
        match (word.as_deref(), processes) {
            (None | Some("closed"), _) => OnFailure::Closed,
            (Some("open"), _) => OnFailure::Open,
            (Some("local"), Some(divisor)) => {
                if quota.is_some_and(|quota| quota.divided(*divisor).is_err()) {
                    section.fault(
                        "on_failure",
                        "is local, and the share of one process is too slow to be counted",
                        "write closed, or a faster limit",
                    );
                }
                OnFailure::Local { divisor: *divisor }
            }
            (Some("local"), None) => {
                section.fault(
                    "on_failure",
                    "is local, and nobody says how many processes share the limit",
                    "write rate_limits.processes",
                );
                OnFailure::Closed
            }
            (Some(_), _) => {
                section.fault(
                    "on_failure",
                    "is unknown",
                    "write closed, local or, where nothing is guessed, open",
                );
                OnFailure::Closed
            }
        }
    }
}

/// How keys are made that all processes make alike.
fn hasher(section: &mut Section<'_>, realm: &str) -> Option<KeyHasher> {
    let remedy = "name a secret that all processes of the service share, such as `openssl rand -hex 32` writes";
    if !section.has("secret") {
        section.fault("secret", "is missing", remedy);
    }
    let secret = section.secret("secret").map(SecretString::into_bytes)?;
    if secret.len() < SECRET_BYTES {
        section.fault("secret", "is shorter than 32 bytes", remedy);
        return None;
    }
    let digest = Sha256::new()
        .chain_update(b"ringwall rate limits 1\0")
        // No realm has a zero byte.
        .chain_update(realm)
        .chain_update(b"\0")
        .chain_update(secret.expose())
        .finalize();
    let (key, _) = digest.split_first_chunk::<16>()?;
    Some(KeyHasher::shared(*key))
}

/// Tells when the store is lost, and of each request that passes meanwhile. Those that are refused have events of
/// their own.
#[derive(Debug)]
pub(super) struct StoreWatch {
    pub(super) events: Arc<dyn EventSink>,
}

impl FallbackObserver for StoreWatch {
    fn observe(&self, event: FallbackEvent) {
        let cause = match event {
            FallbackEvent::StoreLost => {
                "the store of the limits does not answer, and what each limit says of that holds"
            }
            FallbackEvent::Unchecked => {
                "a request passed unchecked, as the store of the limits does not answer"
            }
            FallbackEvent::CountedLocally => {
                "a request was counted by this process alone, as the store of the limits does not answer"
            }
            FallbackEvent::StoreBack => {
                tracing::info!(target: "ringwall", "the store of the rate limits answers again");
                return;
            }
            FallbackEvent::Denied | _ => return,
        };
        let event = SecurityEvent::new(EventKind::RateLimitsUnavailable, cause);
        self.events.emit(event);
    }
}
