//! The lossy channel: metrics, alerts, logs.

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::principal::VerifiedPrincipal;

/// What happened. The names of [`EventKind::as_str`] are stable: alerts are written against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A credential was accepted.
    AuthenticationSucceeded,
    /// A credential was presented and refused.
    AuthenticationFailed,
    /// No credential was presented where one is needed.
    CredentialsMissing,
    /// Several credentials, or one that is not well formed, were presented.
    CredentialsAmbiguous,
    /// An authenticated caller may not do what it asked for.
    AccessDenied,
    /// A request was refused for its form (path, body length), or because too many were at work.
    RequestRefused,
    /// A key source cannot serve keys, so no decision can be reached.
    KeysUnavailable,
    /// A key source has a new set of keys.
    KeysReloaded,
    /// A key source was given a set that it refused, in whole or in part.
    KeysRefused,
    /// A key source could not fetch its keys again. The keys in use stay in use for a while.
    KeysRefreshFailed,
    /// A revocation source cannot answer.
    RevocationUnavailable,
    /// A credential that is good for one use was used a second time: somebody may have recorded it.
    CredentialReplayed,
    /// The store of used credentials cannot answer.
    ReplayStoreUnavailable,
    /// The wall clock cannot tell the time.
    ClockUnavailable,
    /// The audit sink refused a record.
    AuditFailed,
    /// An answer that was still going on was ended, because its caller's credential no longer holds.
    StreamEnded,
    /// The service is put together in a way that cannot work.
    Misconfigured,
    /// A TLS certificate, or the roots that client certificates are checked against, were replaced.
    CertificatesReloaded,
    /// TLS files with a new content were refused. What was in use stays in use.
    CertificatesRefused,
    /// A TLS certificate, a root or a revocation list is at its end, or will be soon.
    CertificateExpiring,
    /// The file of a private key can be read by every user of the machine.
    PrivateKeyExposed,
    /// A TLS handshake failed: no acceptable certificate, no common version, no TLS at all.
    HandshakeFailed,
    /// Connections were dropped because a bound was reached.
    ConnectionsDropped,
    /// A running connection was ended, because its client certificate is no longer trusted.
    ConnectionEnded,
    /// An API key was made or imported.
    ApiKeyCreated,
    /// An API key was replaced by a new one.
    ApiKeyRotated,
    /// An API key, or several, were taken back.
    ApiKeyRevoked,
    /// The store of API keys cannot answer, or holds what cannot be read.
    ApiKeysUnavailable,
    /// Tokens were taken back before their end.
    TokensRevoked,
    /// A store of claims that may be made once cannot answer, or is full.
    ReplayUnavailable,
    /// A token said scopes or roles that its issuer may not grant: it was accepted without them.
    GrantsLeftOut,
    /// A request was refused by a rate limit, which is what the event is about.
    RateLimited,
    /// A request took a bucket of a rate limit to 80 % of what it holds, or beyond.
    RateLimitNear,
    /// The table of rate limits has no place for another key: those without one share a bucket.
    RateLimitTableFull,
    /// The store of rate limits cannot answer.
    RateLimitsUnavailable,
    /// A rate limit that is only tried out would have refused a request.
    RateLimitWouldDeny,
    /// What is known of subjects, for authorization, cannot be read.
    SubjectsUnavailable,
    /// Another authorization policy is in force.
    PolicyReplaced,
    /// An authorization policy that was to come into force was refused. The one before stays in force.
    PolicyRefused,
    /// A candidate policy, which is only tried out, would have decided otherwise.
    PolicyDiffers,
    /// Events were left out, because one source caused too many of them.
    EventsDropped,
}

impl EventKind {
    /// Every kind, in the order of their declaration: `ALL[kind as usize]` is `kind`. For tables with a
    /// place for each.
    pub const ALL: &'static [Self] = &[
        Self::AuthenticationSucceeded,
        Self::AuthenticationFailed,
        Self::CredentialsMissing,
        Self::CredentialsAmbiguous,
        Self::AccessDenied,
        Self::RequestRefused,
        Self::KeysUnavailable,
        Self::KeysReloaded,
        Self::KeysRefused,
        Self::KeysRefreshFailed,
        Self::RevocationUnavailable,
        Self::CredentialReplayed,
        Self::ReplayStoreUnavailable,
        Self::ClockUnavailable,
        Self::AuditFailed,
        Self::StreamEnded,
        Self::Misconfigured,
        Self::CertificatesReloaded,
        Self::CertificatesRefused,
        Self::CertificateExpiring,
        Self::PrivateKeyExposed,
        Self::HandshakeFailed,
        Self::ConnectionsDropped,
        Self::ConnectionEnded,
        Self::ApiKeyCreated,
        Self::ApiKeyRotated,
        Self::ApiKeyRevoked,
        Self::ApiKeysUnavailable,
        Self::TokensRevoked,
        Self::ReplayUnavailable,
        Self::GrantsLeftOut,
        Self::RateLimited,
        Self::RateLimitNear,
        Self::RateLimitTableFull,
        Self::RateLimitsUnavailable,
        Self::RateLimitWouldDeny,
        Self::SubjectsUnavailable,
        Self::PolicyReplaced,
        Self::PolicyRefused,
        Self::PolicyDiffers,
        Self::EventsDropped,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthenticationSucceeded => "authentication_succeeded",
            Self::AuthenticationFailed => "authentication_failed",
            Self::CredentialsMissing => "credentials_missing",
            Self::CredentialsAmbiguous => "credentials_ambiguous",
            Self::AccessDenied => "access_denied",
            Self::RequestRefused => "request_refused",
            Self::KeysUnavailable => "keys_unavailable",
            Self::KeysReloaded => "keys_reloaded",
            Self::KeysRefused => "keys_refused",
            Self::KeysRefreshFailed => "keys_refresh_failed",
            Self::RevocationUnavailable => "revocation_unavailable",
            Self::CredentialReplayed => "credential_replayed",
            Self::ReplayStoreUnavailable => "replay_store_unavailable",
            Self::ClockUnavailable => "clock_unavailable",
            Self::AuditFailed => "audit_failed",
            Self::StreamEnded => "stream_ended",
            Self::Misconfigured => "misconfigured",
            Self::CertificatesReloaded => "certificates_reloaded",
            Self::CertificatesRefused => "certificates_refused",
            Self::CertificateExpiring => "certificate_expiring",
            Self::PrivateKeyExposed => "private_key_exposed",
            Self::HandshakeFailed => "handshake_failed",
            Self::ConnectionsDropped => "connections_dropped",
            Self::ConnectionEnded => "connection_ended",
            Self::ApiKeyCreated => "api_key_created",
            Self::ApiKeyRotated => "api_key_rotated",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::ApiKeysUnavailable => "api_keys_unavailable",
            Self::TokensRevoked => "tokens_revoked",
            Self::ReplayUnavailable => "replay_unavailable",
            Self::GrantsLeftOut => "grants_left_out",
            Self::RateLimited => "rate_limited",
            Self::RateLimitNear => "rate_limit_near",
            Self::RateLimitTableFull => "rate_limit_table_full",
            Self::RateLimitsUnavailable => "rate_limits_unavailable",
            Self::RateLimitWouldDeny => "rate_limit_would_deny",
            Self::SubjectsUnavailable => "subjects_unavailable",
            Self::PolicyReplaced => "policy_replaced",
            Self::PolicyRefused => "policy_refused",
            Self::PolicyDiffers => "policy_differs",
            Self::EventsDropped => "events_dropped",
        }
    }
}

/// One security event. It never holds a credential or a part of one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecurityEvent {
    /// What happened.
    pub kind: EventKind,
    /// When, as far as the clock could tell.
    pub at: Option<Timestamp>,
    /// The precise cause, for operators: a fixed text, never input.
    pub cause: &'static str,
    /// The address of the socket peer.
    pub source: Option<IpAddr>,
    /// Who, when somebody was authenticated.
    pub principal: Option<VerifiedPrincipal>,
    /// What the event is about in the operator's own terms: an issuer, a route. Never input.
    pub about: Option<std::sync::Arc<str>>,
    /// What the authorization policy said where it refused: to do what, why, by which rules, and the hash of the policy.
    /// In the policy's own words, never input.
    pub decision: Option<std::sync::Arc<str>>,
    /// For how many of its kind it stands: 1, except where it sums up what was left out.
    pub count: u64,
}

impl SecurityEvent {
    /// An event with nothing but its kind and cause.
    #[must_use]
    pub const fn new(kind: EventKind, cause: &'static str) -> Self {
        Self {
            kind,
            at: None,
            cause,
            source: None,
            principal: None,
            about: None,
            decision: None,
            count: 1,
        }
    }
}

/// Takes events. It may drop them under pressure and must count what it drops; it never blocks
/// and never fails, so that telemetry cannot take a service down.
pub trait EventSink: Send + Sync + fmt::Debug {
    /// Takes one event.
    fn emit(&self, event: SecurityEvent);
}

/// Takes events and forgets them.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscardEvents;

impl EventSink for DiscardEvents {
    fn emit(&self, _event: SecurityEvent) {}
}

/// Keeps the newest events in memory, up to a bound; older ones are dropped and counted.
#[derive(Debug)]
pub struct MemoryEvents {
    events: Mutex<VecDeque<SecurityEvent>>,
    capacity: usize,
    dropped: AtomicU64,
}

impl MemoryEvents {
    /// Keeps at most `capacity` events.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            events: Mutex::new(VecDeque::with_capacity(capacity)),
            capacity,
            dropped: AtomicU64::new(0),
        }
    }

    /// The events kept, oldest first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<SecurityEvent> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// How many events were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many of the kept events are of `kind`.
    #[must_use]
    pub fn count(&self, kind: EventKind) -> usize {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| event.kind == kind).count()
    }
}

impl EventSink for MemoryEvents {
    fn emit(&self, event: SecurityEvent) {
        // The queue holds plain values: after a panic elsewhere it is still whole.
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        while events.len() >= self.capacity {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            if events.pop_front().is_none() {
                return; // a capacity of zero keeps nothing
            }
        }
        events.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_at_its_own_place_under_a_name_of_its_own() {
        let arms = include_str!("event.rs")
            .lines()
            .filter(|line| line.trim_start().starts_with("Self::") && line.contains("=> \""))
            .count();
        assert_eq!(EventKind::ALL.len(), arms);
        let mut names = Vec::new();
        for (place, kind) in EventKind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, place, "{kind:?}");
            names.push(kind.as_str());
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), arms);
    }

    #[test]
    fn keeps_the_newest_and_counts_the_rest() {
        let sink = MemoryEvents::new(2);
        for cause in ["one", "two", "three"] {
            sink.emit(SecurityEvent::new(EventKind::AccessDenied, cause));
        }
        let causes: Vec<_> = sink.snapshot().iter().map(|event| event.cause).collect();
        assert_eq!(causes, ["two", "three"]);
        assert_eq!(sink.dropped(), 1);
        assert_eq!(sink.count(EventKind::AccessDenied), 2);
    }

    #[test]
    fn a_capacity_of_zero_keeps_nothing_and_counts_all() {
        let sink = MemoryEvents::new(0);
        sink.emit(SecurityEvent::new(EventKind::AccessDenied, "one"));
        assert!(sink.snapshot().is_empty());
        assert_eq!(sink.dropped(), 1);
    }
}
