//! A client's TLS, reloadable.

use core::fmt;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use ringwall_core::clock::{SystemClock, Timestamp, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use rustls::ClientConfig;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};

use super::certificate::{CertificatePart, OwnCertificate};
use super::error::{TlsError, TlsFault, TlsProblem};
use super::notices::{Notices, RustlsClock, seconds};
use super::part::{Pace, Part};
use super::pem::Pem;
use super::roots::{RootSources, Roots};
use super::server::protocol_problems;
use super::status::TlsStatus;
use super::watch::TlsWatch;

/// TLS for clients: the roots that servers are checked against, and an own certificate if servers ask
/// for one, read from files that somebody else replaces.
///
/// TLS 1.2 and 1.3 alone, with ring; the server's name is checked as rustls does it, against the
/// certificate's alternative names. A change of the files makes a new configuration as a whole. Take
/// [`ClientTls::config`] for each connection; a connection that runs goes on as it began, so a pool
/// that keeps connections should let them go when [`TlsStatus::generation`] has changed.
///
/// Sessions are not resumed: who resumes one does not look at the server's certificate again, so that
/// one that expired, or was revoked, would go on being accepted, and shows the client certificate of the
/// session's beginning. It costs a signature per connection; keep connections, as pools do.
///
/// ```no_run
/// use std::time::Duration;
/// use ringwall_transport::ClientTls;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ClientTls::builder(["/etc/service/ca.crt"])
///     .certificate("/etc/service/tls.crt", "/etc/service/tls.key")
///     .load()?;
/// let watch = tls.watch(Duration::from_secs(10))?; // stops when it is dropped
/// let connector = tokio_rustls::TlsConnector::from(tls.config());
/// # drop((watch, connector));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientTls(Arc<Inner>);

struct Inner {
    settings: Settings,
    active: ArcSwap<Active>,
    /// Held across I/O: only those who change something take it.
    desk: Mutex<Desk>,
    failure: ArcSwapOption<TlsError>,
}

struct Settings {
    provider: Arc<CryptoProvider>,
    protocols: Vec<Vec<u8>>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

struct Active {
    config: Arc<ClientConfig>,
    certificate: Option<Arc<OwnCertificate>>,
    servers: Arc<Servers>,
    generation: u64,
}

/// Which servers are accepted.
struct Servers {
    roots: Roots,
    verifier: Arc<WebPkiServerVerifier>,
}

struct Desk {
    certificate: Option<CertificatePart>,
    sources: RootSources,
    roots: Part,
    notices: Notices,
}

/// Options of [`ClientTls`].
#[must_use]
pub struct ClientTlsBuilder {
    certificate: Option<CertificatePart>,
    sources: RootSources,
    protocols: Vec<Vec<u8>>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

impl ClientTlsBuilder {
    /// The own certificate chain and its key, for servers that ask for one.
    pub fn certificate(mut self, chain: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        self.certificate = Some(CertificatePart::new(chain.into(), key.into()));
        self
    }

    /// Server certificates that these lists revoke are refused, with the rules of
    /// [`ClientTrust::revocation_lists`](crate::ClientTrust::revocation_lists).
    pub fn revocation_lists<R: Into<Pem>>(mut self, lists: impl IntoIterator<Item = R>) -> Self {
        self.sources.lists.extend(lists.into_iter().map(Into::into));
        self
    }

    /// Loosens: a revocation list counts although its next update is overdue.
    pub const fn accept_outdated_revocation_lists(mut self) -> Self {
        self.sources.revocation.outdated = true;
        self
    }

    /// Loosens: a certificate is accepted although no list of its issuer is there.
    pub const fn accept_unlisted_issuers(mut self) -> Self {
        self.sources.revocation.missing = true;
        self
    }

    /// The application protocols (ALPN, RFC 7301) that are offered, in the order of preference. None
    /// unless set: what speaks HTTP over the connection knows what it speaks.
    pub fn protocols<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// The clock that certificates are checked by. The machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where reloads and refused contents are reported.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// Reads everything for the first time.
    ///
    /// # Errors
    ///
    /// [`TlsError`] with all that is wrong.
    pub fn load(self) -> Result<ClientTls, TlsError> {
        let settings = Settings {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            protocols: self.protocols,
            clock: self.clock,
            events: self.events,
        };
        let mut desk = Desk {
            certificate: self.certificate,
            roots: Part::new(self.sources.sources()),
            sources: self.sources,
            notices: Notices::new(Arc::clone(&settings.events), Arc::clone(&settings.clock)),
        };
        let now = settings.now()?;
        let mut problems = protocol_problems(&settings.protocols);
        let certificate = desk.certificate(Pace::AtOnce, &mut problems, &settings, now, None);
        let servers = desk.servers(Pace::AtOnce, &mut problems, &settings, now);
        let (Some(servers), true) = (servers, problems.is_empty()) else {
            return Err(TlsError::new(problems));
        };
        let active = settings.active(certificate.map(Arc::new), Arc::new(servers), 1)?;
        desk.warn(&active, now);
        Ok(ClientTls(Arc::new(Inner {
            settings,
            active: ArcSwap::from_pointee(active),
            desk: Mutex::new(desk),
            failure: ArcSwapOption::empty(),
        })))
    }
}

impl fmt::Debug for ClientTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTlsBuilder")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

impl ClientTls {
    /// Options for a client that accepts servers whose certificates lead to one of these roots. Each
    /// must be the certificate of an authority; its dates are not checked (RFC 5280 §6.1.1), and one
    /// outside them is reported.
    pub fn builder<R: Into<Pem>>(roots: impl IntoIterator<Item = R>) -> ClientTlsBuilder {
        ClientTlsBuilder {
            certificate: None,
            sources: RootSources {
                roots: roots.into_iter().map(Into::into).collect(),
                ..RootSources::default()
            },
            protocols: Vec::new(),
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// The configuration in force, for the next connection.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.active.load().config)
    }

    /// Looks at all files now, and answers whether anything changed.
    ///
    /// # Errors
    ///
    /// [`TlsError`] with all that is wrong. The part (certificate with key, or roots with lists) that
    /// something is wrong with stays as it was; the other one may have been replaced.
    pub fn reload(&self) -> Result<bool, TlsError> {
        self.look(Pace::AtOnce)
    }

    /// Looks at the files every `interval`, as [`ServerTls::watch`](crate::ServerTls::watch) does.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn watch(&self, interval: Duration) -> std::io::Result<TlsWatch> {
        let tls = self.clone();
        TlsWatch::start(interval, move || {
            // A panic (in an event sink, say) must not end the watch unseen.
            let looked = catch_unwind(AssertUnwindSafe(|| tls.look(Pace::Settling).is_ok()));
            if looked.is_err() {
                let problem = TlsProblem::new("certificates", TlsFault::BrokenOff);
                tls.0
                    .failure
                    .store(Some(Arc::new(TlsError::new(vec![problem]))));
            }
        })
    }

    /// How it stands, for a readiness probe.
    #[must_use]
    pub fn status(&self) -> TlsStatus {
        let active = self.0.active.load();
        TlsStatus {
            generation: active.generation,
            trust_generation: 0,
            not_after: active.certificate.as_ref().map(|own| own.dates.end()),
            lists_until: active
                .servers
                .roots
                .first_edge()
                .and_then(Timestamp::from_unix_seconds),
            failure: self.0.failure.load_full(),
        }
    }

    fn look(&self, pace: Pace) -> Result<bool, TlsError> {
        let inner = &*self.0;
        // Whole also after a panic: at worst the next look reads again what is in force already.
        let mut desk = inner.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = inner.look(&mut desk, pace);
        let failure = looked.as_ref().err();
        inner.failure.store(failure.cloned().map(Arc::new));
        desk.notices.looked(failure);
        looked
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self.0.active.load();
        f.debug_struct("ClientTls")
            .field("generation", &active.generation)
            .field("certificate", &active.certificate)
            .field("roots", &active.servers.roots)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn look(&self, desk: &mut MutexGuard<'_, Desk>, pace: Pace) -> Result<bool, TlsError> {
        let now = self.settings.now()?;
        let used = self.active.load_full();
        let mut problems = Vec::new();
        let certificate = desk
            .certificate(
                pace,
                &mut problems,
                &self.settings,
                now,
                used.certificate.as_deref(),
            )
            .filter(|new| {
                Some(new.chain()) != used.certificate.as_deref().map(OwnCertificate::chain)
            });
        let servers = desk
            .servers(pace, &mut problems, &self.settings, now)
            .filter(|new| new.roots != used.servers.roots);
        let changed = certificate.is_some() || servers.is_some();
        if changed {
            let active = self.settings.active(
                certificate
                    .map(Arc::new)
                    .or_else(|| used.certificate.clone()),
                servers.map_or_else(|| Arc::clone(&used.servers), Arc::new),
                used.generation.saturating_add(1),
            )?;
            self.active.store(Arc::new(active));
            desk.notices
                .reloaded("another client configuration is in force");
        }
        desk.warn(&self.active.load(), now);
        if problems.is_empty() {
            Ok(changed)
        } else {
            Err(TlsError::new(problems))
        }
    }
}

impl Desk {
    fn certificate(
        &mut self,
        pace: Pace,
        problems: &mut Vec<TlsProblem>,
        settings: &Settings,
        now: i64,
        in_use: Option<&OwnCertificate>,
    ) -> Option<OwnCertificate> {
        let part = self.certificate.as_mut()?;
        let new = part.renewed(pace, problems, &settings.provider, now, in_use)?;
        self.notices.key_file(part.key());
        Some(new)
    }

    fn servers(
        &mut self,
        pace: Pace,
        problems: &mut Vec<TlsProblem>,
        settings: &Settings,
        now: i64,
    ) -> Option<Servers> {
        let sources = &self.sources;
        self.roots.renewed(pace, problems, |contents| {
            let roots = Roots::parse(sources, contents, now)?;
            let verifier = settings.verifier(&roots)?;
            Ok(Servers { roots, verifier })
        })
    }

    fn warn(&mut self, active: &Active, now: i64) {
        if let (Some(part), Some(own)) = (&self.certificate, &active.certificate) {
            let chain = part.chain().name();
            self.notices.own_certificate(&chain, own.dates, now);
        }
        self.notices.roots(Some(&active.servers.roots), now);
    }
}

impl Settings {
    fn now(&self) -> Result<i64, TlsError> {
        seconds(&*self.clock).map_err(|_| {
            TlsError::new(vec![TlsProblem::new(
                "the time",
                TlsFault::ClockUnavailable,
            )])
        })
    }

    fn verifier(&self, roots: &Roots) -> Result<Arc<WebPkiServerVerifier>, Vec<TlsProblem>> {
        let provider = Arc::clone(&self.provider);
        let mut builder = WebPkiServerVerifier::builder_with_provider(roots.store(), provider)
            .with_crls(roots.lists());
        if !roots.revocation.outdated {
            builder = builder.enforce_revocation_expiration();
        }
        if roots.revocation.missing {
            builder = builder.allow_unknown_revocation_status();
        }
        // Roots are there and were parsed: what is left to fail are the lists.
        builder.build().map_err(|_| {
            vec![TlsProblem::new(
                "revocation lists",
                TlsFault::MalformedRevocationList,
            )]
        })
    }

    fn active(
        &self,
        certificate: Option<Arc<OwnCertificate>>,
        servers: Arc<Servers>,
        generation: u64,
    ) -> Result<Active, TlsError> {
        let time = Arc::new(RustlsClock(Arc::clone(&self.clock)));
        let builder = ClientConfig::builder_with_details(Arc::clone(&self.provider), time)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| TlsError::new(vec![TlsProblem::new("rustls", TlsFault::Configuration)]))?
            .with_webpki_verifier(Arc::clone(&servers.verifier));
        let mut config = match &certificate {
            Some(own) => builder.with_client_cert_resolver(own.resolver()),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.protocols);
        config.enable_early_data = false;
        config.resumption = Resumption::disabled();
        Ok(Active {
            config: Arc::new(config),
            certificate,
            servers,
            generation,
        })
    }
}
