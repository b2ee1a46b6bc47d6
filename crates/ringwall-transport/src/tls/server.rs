//! A server's TLS, reloadable.

use core::fmt;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use ringwall_core::clock::{SystemClock, Timestamp, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::version::{TLS12, TLS13};

use super::certificate::{CertificatePart, OwnCertificate};
use super::error::{TlsError, TlsFault, TlsProblem};
use super::live::{Active, Live};
use super::notices::{Notices, RustlsClock, seconds};
use super::part::{Pace, Part};
use super::pem::Pem;
use super::roots::Roots;
use super::status::TlsStatus;
use super::trust::{ClientTrust, Trust};
use super::watch::TlsWatch;

/// Sessions that one configuration without client certificates keeps for resumption. As many as
/// rustls does by default; a session that was pushed out costs its client a full handshake.
const SESSIONS: usize = 256;

/// TLS for servers: a certificate with its key, and whose client certificates are accepted, read from
/// files that somebody else replaces.
///
/// TLS 1.2 and 1.3 alone, with ring. A change of the files replaces the configuration of rustls as a
/// whole, so that no handshake sees a part of it. What cannot be used is refused, reported, and leaves
/// in force what was; a certificate and its key are one part of this, roots and revocation lists the
/// other, and neither keeps the other from being taken over: a root that was removed is gone, even
/// while a renewal goes wrong.
///
/// Where clients are asked for certificates, sessions are not resumed: rustls would take the client of
/// a resumed session for verified without asking the verifier again. Where they are not, a
/// configuration keeps its sessions for itself and they end with it.
///
/// ```no_run
/// use std::time::Duration;
/// use ringwall_transport::{ClientTrust, ServerTls, TlsListener};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ServerTls::builder("/etc/service/tls.crt", "/etc/service/tls.key")
///     .client_trust(ClientTrust::required(["/etc/service/clients-ca.crt"]))
///     .load()?;
/// let watch = tls.watch(Duration::from_secs(10))?; // stops when it is dropped
/// let listener = TlsListener::bind("0.0.0.0:8443", &tls).await?;
/// # drop((watch, listener));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServerTls(Arc<Inner>);

struct Inner {
    settings: Settings,
    live: Arc<Live>,
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

struct Desk {
    certificate: CertificatePart,
    trust: TrustPart,
    notices: Notices,
}

struct TrustPart {
    config: ClientTrust,
    part: Part,
}

impl TrustPart {
    fn new(config: ClientTrust) -> Self {
        let part = Part::new(config.sources());
        Self { config, part }
    }

    fn renewed(
        &mut self,
        pace: Pace,
        problems: &mut Vec<TlsProblem>,
        settings: &Settings,
        now: i64,
    ) -> Option<Trust> {
        let config = &self.config;
        self.part.renewed(pace, problems, |contents| {
            Trust::parse(config, contents, &settings.provider, now)
        })
    }
}

/// Options of [`ServerTls`].
#[must_use]
pub struct ServerTlsBuilder {
    certificate: CertificatePart,
    trust: ClientTrust,
    protocols: Vec<Vec<u8>>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

impl ServerTlsBuilder {
    /// Whether clients show certificates, and whose are accepted. They are not asked for one unless
    /// set.
    pub fn client_trust(mut self, trust: ClientTrust) -> Self {
        self.trust = trust;
        self
    }

    /// The application protocols (ALPN, RFC 7301) in the order of preference, in place of `h2` and
    /// `http/1.1`. A client that offers others alone is refused, which keeps it from being talked into
    /// another protocol's answers; one that offers none is accepted.
    pub fn protocols<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// The clock that certificates are checked by. The machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// Where reloads, refused contents, failed handshakes and ended connections are reported.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// Reads everything for the first time. A service without a usable certificate should not start,
    /// so this fails where a later reload would only report.
    ///
    /// # Errors
    ///
    /// [`TlsError`] with all that is wrong.
    pub fn load(self) -> Result<ServerTls, TlsError> {
        let settings = Settings {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            protocols: self.protocols,
            clock: self.clock,
            events: self.events,
        };
        let mut desk = Desk {
            certificate: self.certificate,
            trust: TrustPart::new(self.trust),
            notices: Notices::new(Arc::clone(&settings.events), Arc::clone(&settings.clock)),
        };
        let now = settings.now()?;
        let mut problems = protocol_problems(&settings.protocols);
        let certificate =
            desk.certificate
                .renewed(Pace::AtOnce, &mut problems, &settings.provider, now, None);
        let trust = desk
            .trust
            .renewed(Pace::AtOnce, &mut problems, &settings, now);
        let (Some(certificate), Some(trust), true) = (certificate, trust, problems.is_empty())
        else {
            return Err(TlsError::new(problems));
        };
        let active = settings.active(Arc::new(certificate), Arc::new(trust), 1)?;
        desk.notices.key_file(desk.certificate.key());
        desk.warn(&active, now);
        Ok(ServerTls(Arc::new(Inner {
            settings,
            live: Arc::new(Live::new(active)),
            desk: Mutex::new(desk),
            failure: ArcSwapOption::empty(),
        })))
    }
}

impl fmt::Debug for ServerTlsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTlsBuilder")
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

pub(crate) fn protocol_problems(protocols: &[Vec<u8>]) -> Vec<TlsProblem> {
    protocols
        .iter()
        .filter(|name| name.is_empty() || name.len() > usize::from(u8::MAX))
        .map(|_| TlsProblem::new("application protocols", TlsFault::BadProtocol))
        .collect()
}

impl ServerTls {
    /// Options for a certificate chain, the server's own certificate first, and its private key.
    pub fn builder(chain: impl Into<Pem>, key: impl Into<Pem>) -> ServerTlsBuilder {
        ServerTlsBuilder {
            certificate: CertificatePart::new(chain.into(), key.into()),
            trust: ClientTrust::none(),
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// Looks at all files now, and answers whether anything changed. When it returns, no new handshake
    /// uses what was there before, and no running connection of a client that is no longer accepted
    /// reads or writes another byte. It blocks while it reads, and while the watch does.
    ///
    /// # Errors
    ///
    /// [`TlsError`] with all that is wrong. The part (certificate with key, or roots with lists) that
    /// something is wrong with stays as it was; the other one may have been replaced.
    pub fn reload(&self) -> Result<bool, TlsError> {
        self.look(Pace::AtOnce)
    }

    /// Replaces the certificate and its key, and where they come from. It blocks as
    /// [`reload`](Self::reload) does.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; nothing changed then.
    pub fn set_certificate(
        &self,
        chain: impl Into<Pem>,
        key: impl Into<Pem>,
    ) -> Result<(), TlsError> {
        let inner = &*self.0;
        let mut desk = inner.desk();
        let now = inner.settings.now()?;
        let mut part = CertificatePart::new(chain.into(), key.into());
        let mut problems = Vec::new();
        let used = inner.live.active_full();
        let Some(certificate) = part.renewed(
            Pace::AtOnce,
            &mut problems,
            &inner.settings.provider,
            now,
            Some(&used.certificate),
        ) else {
            return Err(TlsError::new(problems));
        };
        inner.put_in_force(&desk, Some(certificate), None)?;
        desk.certificate = part;
        desk.notices.key_file(desk.certificate.key());
        desk.warn(&inner.live.active_full(), now);
        Ok(())
    }

    /// Replaces whose client certificates are accepted, and where roots and lists come from. Running
    /// connections are held to it as if they began now. It blocks as [`reload`](Self::reload) does.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; nothing changed then.
    pub fn set_client_trust(&self, trust: ClientTrust) -> Result<(), TlsError> {
        let inner = &*self.0;
        let mut desk = inner.desk();
        let now = inner.settings.now()?;
        let mut part = TrustPart::new(trust);
        let mut problems = Vec::new();
        let Some(trust) = part.renewed(Pace::AtOnce, &mut problems, &inner.settings, now) else {
            return Err(TlsError::new(problems));
        };
        inner.put_in_force(&desk, None, Some(trust))?;
        desk.trust = part;
        desk.warn(&inner.live.active_full(), now);
        Ok(())
    }

    /// Looks at the files every `interval` (at least 100 ms) on a thread of its own, until the handle
    /// is dropped. Contents are compared, not time stamps. A new content is taken over when it was the
    /// same twice, 50 ms apart, so that a copy that is under way is not taken for the whole.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn watch(&self, interval: Duration) -> std::io::Result<TlsWatch> {
        let tls = self.clone();
        TlsWatch::start(interval, move || {
            // A panic (in an event sink, say) must not end the watch unseen: a root that is removed
            // later would live on.
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
        let active = self.0.live.active();
        TlsStatus {
            generation: active.generation,
            trust_generation: active.trust.generation,
            not_after: Some(active.certificate.dates.end()),
            lists_until: active
                .trust
                .roots()
                .and_then(Roots::first_edge)
                .and_then(Timestamp::from_unix_seconds),
            failure: self.0.failure.load_full(),
        }
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.0.live
    }

    pub(crate) fn clock(&self) -> &Arc<dyn WallClock> {
        &self.0.settings.clock
    }

    pub(crate) fn events(&self) -> &Arc<dyn EventSink> {
        &self.0.settings.events
    }

    fn look(&self, pace: Pace) -> Result<bool, TlsError> {
        let inner = &*self.0;
        let mut desk = inner.desk();
        let looked = inner.look(&mut desk, pace);
        let failure = looked.as_ref().err();
        inner.failure.store(failure.cloned().map(Arc::new));
        desk.notices.looked(failure);
        looked
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.0.live).finish()
    }
}

impl Inner {
    /// Changes happen one after the other. After a panic in an event sink the desk is still whole: at
    /// worst the next look reads again what is in force already.
    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, desk: &mut Desk, pace: Pace) -> Result<bool, TlsError> {
        let now = self.settings.now()?;
        let used = self.live.active_full();
        let mut problems = Vec::new();
        let certificate = desk.certificate.renewed(
            pace,
            &mut problems,
            &self.settings.provider,
            now,
            Some(&used.certificate),
        );
        let trust = desk.trust.renewed(pace, &mut problems, &self.settings, now);
        if certificate.is_some() {
            desk.notices.key_file(desk.certificate.key());
        }
        let changed = self.put_in_force(desk, certificate, trust)?;
        desk.warn(&self.live.active(), now);
        if problems.is_empty() {
            Ok(changed)
        } else {
            Err(TlsError::new(problems))
        }
    }

    /// Replaces what is in force by what is really new, as a whole.
    fn put_in_force(
        &self,
        desk: &Desk,
        certificate: Option<OwnCertificate>,
        trust: Option<Trust>,
    ) -> Result<bool, TlsError> {
        let used = self.live.active_full();
        let certificate = certificate.filter(|new| new.chain() != used.certificate.chain());
        // Running connections need not be judged again when a file got another comment.
        let trust = trust.filter(|new| !new.accepts_the_same(&used.trust));
        let cause = match (&certificate, &trust) {
            (None, None) => return Ok(false),
            (Some(_), None) => "another certificate is in force",
            (None, Some(_)) => "another trust in client certificates is in force",
            (Some(_), Some(_)) => "another certificate and another trust are in force",
        };
        let active = self.settings.active(
            certificate.map_or_else(|| Arc::clone(&used.certificate), Arc::new),
            trust.map_or_else(|| Arc::clone(&used.trust), Arc::new),
            used.generation.saturating_add(1),
        )?;
        self.live.replace(active);
        desk.notices.reloaded(cause);
        Ok(true)
    }
}

impl Desk {
    fn warn(&mut self, active: &Active, now: i64) {
        let chain = self.certificate.chain().name();
        self.notices
            .own_certificate(&chain, active.certificate.dates, now);
        self.notices.roots(active.trust.roots(), now);
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

    fn active(
        &self,
        certificate: Arc<OwnCertificate>,
        trust: Arc<Trust>,
        generation: u64,
    ) -> Result<Active, TlsError> {
        let time = Arc::new(RustlsClock(Arc::clone(&self.clock)));
        let builder = ServerConfig::builder_with_details(Arc::clone(&self.provider), time)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| TlsError::new(vec![TlsProblem::new("rustls", TlsFault::Configuration)]))?;
        let builder = match trust.verifier() {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(certificate.resolver());
        config.alpn_protocols.clone_from(&self.protocols);
        config.max_early_data_size = 0;
        if trust.verifier().is_some() {
            // A resumed session brings its client along unverified. (The ticketer of a new
            // configuration makes no tickets either.)
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        }
        Ok(Active {
            config: Arc::new(config),
            certificate,
            trust,
            generation,
        })
    }
}
