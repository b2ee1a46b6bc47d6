//! What operators are told about certificates, each thing once.

use core::fmt;
use std::sync::Arc;

use ringwall_core::clock::{ClockUnavailable, WallClock};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use super::dates::Dates;
use super::error::TlsError;
use super::pem::Pem;
use super::roots::Roots;

/// Remembers what was told, so that a look every few seconds does not repeat it.
#[derive(Debug)]
pub(crate) struct Notices {
    events: Arc<dyn EventSink>,
    clock: Arc<dyn WallClock>,
    refused: Option<String>,
    ending: Option<(Dates, bool)>,
    overdue: Option<i64>,
    old_root: bool,
}

impl Notices {
    pub(crate) fn new(events: Arc<dyn EventSink>, clock: Arc<dyn WallClock>) -> Self {
        Self {
            events,
            clock,
            refused: None,
            ending: None,
            overdue: None,
            old_root: false,
        }
    }

    fn tell(&self, kind: EventKind, cause: &'static str, about: Option<&str>) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.clock.now().ok();
        event.about = about.map(Arc::from);
        self.events.emit(event);
    }

    /// Something new is in force.
    pub(crate) fn reloaded(&self, cause: &'static str) {
        self.tell(EventKind::CertificatesReloaded, cause, None);
    }

    /// What the last look found wrong, if anything.
    pub(crate) fn looked(&mut self, failure: Option<&TlsError>) {
        let text = failure.map(ToString::to_string);
        if let Some(text) = &text
            && self.refused.as_ref() != Some(text)
        {
            self.tell(
                EventKind::CertificatesRefused,
                "certificates, keys or roots with a new content cannot be used",
                Some(text),
            );
        }
        self.refused = text;
    }

    /// Warns of a key file that everybody can read.
    pub(crate) fn key_file(&self, key: &Pem) {
        if key.is_readable_by_all() {
            self.tell(
                EventKind::PrivateKeyExposed,
                "the file of the private key can be read by everybody",
                Some(&key.name()),
            );
        }
    }

    /// Warns of a certificate of ours that is at its end.
    pub(crate) fn own_certificate(&mut self, chain: &str, dates: Dates, now: i64) {
        let over = now > dates.not_after;
        if !dates.is_ending(now) || self.ending == Some((dates, over)) {
            return;
        }
        self.ending = Some((dates, over));
        let cause = if over {
            "the certificate has expired: nobody accepts it"
        } else {
            "the certificate is in the last fifth of its life and was not renewed"
        };
        self.tell(EventKind::CertificateExpiring, cause, Some(chain));
    }

    /// Warns of roots and revocation lists outside their dates.
    pub(crate) fn roots(&mut self, roots: Option<&Roots>, now: i64) {
        let overdue = roots
            .and_then(Roots::first_edge)
            .filter(|edge| *edge <= now);
        if overdue.is_some() && self.overdue != overdue {
            self.tell(
                EventKind::CertificateExpiring,
                "a revocation list is out of date: nobody is accepted by it",
                None,
            );
        }
        self.overdue = overdue;
        let old_root = roots.is_some_and(|roots| roots.has_old_root);
        if old_root && !self.old_root {
            self.tell(
                EventKind::CertificateExpiring,
                "a root certificate is outside its dates, and is trusted as long as it is named",
                None,
            );
        }
        self.old_root = old_root;
    }
}

/// Rustls reads the clock that everything else reads.
pub(crate) struct RustlsClock(pub(crate) Arc<dyn WallClock>);

impl TimeProvider for RustlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(seconds(&*self.0).ok()?).ok()?;
        Some(UnixTime::since_unix_epoch(core::time::Duration::from_secs(
            seconds,
        )))
    }
}

impl fmt::Debug for RustlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The second of now: certificates know nothing finer.
pub(crate) fn seconds(clock: &dyn WallClock) -> Result<i64, ClockUnavailable> {
    clock.now().map(|now| now.unix_seconds())
}
