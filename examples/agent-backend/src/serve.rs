//! `agent-backend serve`: puts the service together and runs it.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::{MonotonicClock, SystemClock};
use ringwall_core::profile::Profile;
use ringwall_gate::authz::{PolicyHandle, SubjectDirectory};
use ringwall_gate::config::{AssembledGate, AuthenticationMode, GateConfig};
use ringwall_gate::{Authorization, PolicyEvents};
use ringwall_metrics::MetricsLayer;
use ringwall_tower::{CorsPolicyLayer, SecurityHeadersLayer};
use ringwall_transport::HandshakeAcceptor;
use tokio::net::TcpListener;
use tokio::signal;
use tracing_subscriber::EnvFilter;

use crate::authorization::{self, Members};
use crate::case_store::{CaseStore, SqliteCases};
use crate::cli::ServeArgs;
use crate::config::{Browser, Config, Own, Tls};
use crate::credentials::{Credentials, Stores};
use crate::dev_issuer;
use crate::keys::is_development;
use crate::metrics;
use crate::postgres;
use crate::project_limits::ProjectLimits;
use crate::routes::{self, App};
use crate::server;
use crate::settings::Settings;
use crate::shared_limits::SharedLimits;
use crate::store::Store;
use crate::trusted::first_keys;

/// How many audit records are kept. They are kept in memory: a durable trail is another sink at the
/// same place.
const AUDIT_RECORDS: usize = 10_000;

/// Which log lines are written: a filter of `tracing_subscriber`.
const LOG_VARIABLE: &str = "AGENT_BACKEND_LOG";

/// Serves until the process is told to stop.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Box<dyn Error>> {
    let config = Config::load(args)?;
    start_log();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

/// JSON lines to standard error; standard output is for people.
fn start_log() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let Config {
        gate: config,
        mut own,
    } = config;
    dev_issuer::private_folder(&own.data_dir)?;
    let stores = Stores::open(&own.data_dir, own.events.clone()).await?;
    // Whoever shows what is left has to read the clock that the limits count by.
    let limit_clock: Arc<dyn MonotonicClock> = Arc::new(SystemClock::new());
    let mut services = stores
        .services()
        .events(own.events.clone())
        .limit_clock(limit_clock.clone());
    if own.issuer.is_none() {
        services = services.key_guard(|keys| !is_development(keys));
    }
    let about = About::of(&config);
    let rules = config.limit_rules().cloned();
    let rules = rules.ok_or("the configuration has no rate limits")?;
    let mut shared_limits = None;
    if let Some(redis) = own.redis.take() {
        let (shared, store) = SharedLimits::connect(redis, &rules).await?;
        services = services.limit_store(store);
        shared_limits = Some(shared);
    }
    let AssembledGate {
        builder,
        api_keys,
        verifiers,
        upkeep,
        ..
    } = config.into_builder(services)?;
    // The keys first: a service without them would refuse everybody.
    first_keys(&upkeep, &verifiers).await?;
    let own_directory: Arc<dyn SubjectDirectory> = Arc::new(stores.directory().await?);
    let credentials = Credentials::new(stores, api_keys);
    let metrics = metrics::start(&own, &verifiers, rules.policies())?;
    let store = Store::open(&own.data_dir).await?;
    let policy = authorization::policy()?;
    let (cases, directory) = match own.postgres.take() {
        None => (
            CaseStore::Sqlite(SqliteCases::new(store.clone())),
            own_directory,
        ),
        Some(settings) => {
            let stores = postgres::open(settings, &policy).await?;
            let directory: Arc<dyn SubjectDirectory> = Arc::new(stores.directory);
            (CaseStore::Postgres(stores.cases), directory)
        }
    };
    let mut members = Members::new(directory.clone(), about.issuers.clone());
    if own.issuer.is_some() {
        members = members.believing_tokens();
    }
    let observer = Arc::new(PolicyEvents::new(own.events.clone()));
    let policy = PolicyHandle::new(policy, observer);
    let settings = Settings::open(store.clone(), about.issuers.clone()).await?;
    let project_limits = ProjectLimits::open(store.clone(), rules).await?;
    let audit = Arc::new(MemoryAudit::new(AUDIT_RECORDS));
    let gate = builder
        .organisation_rules(settings.rules().clone())
        .audit(audit.clone())
        .authorization(Authorization::new(policy, Arc::new(members)))
        .build()?;
    let proxies = gate.trusted_proxies().clone();
    let limits = gate.rate_limits().cloned();
    let limits = limits.ok_or("the gate has no rate limits")?;
    let app = App {
        cases: cases.clone(),
        directory,
        credentials: credentials.clone(),
        settings: settings.clone(),
        project_limits: project_limits.clone(),
        limits,
        limit_clock,
        shared_limits,
        store: store.clone(),
        clock: Arc::new(SystemClock::new()),
        audit,
        verifiers: verifiers.into(),
        issuer: own.issuer.clone(),
    };
    let (router, routes) = routes::router(gate, app, &own.step_up)?;
    // Around everything that answers, the gate's refusals included: preflights carry no credentials,
    // and no answer goes without its header fields.
    let Browser { headers, cors } = own.browser.clone();
    for loosened in headers.loosened().iter().chain(cors.loosened()) {
        tracing::warn!(%loosened, "browsers are told something looser than by default");
    }
    let headers = SecurityHeadersLayer::new(headers).with_proxies(proxies);
    let router = router.layer(CorsPolicyLayer::new(cors)).layer(headers);
    let router = router.layer(MetricsLayer::new(metrics.clone()));
    for route in &routes {
        tracing::info!(method = route.method, path = route.path, access = %route.access, login = route.authentication.as_ref().map(tracing::field::display), limits = route.tier.as_deref(), unlimited = route.unlimited, "route");
    }
    tracing::warn!(
        records = AUDIT_RECORDS,
        "the audit trail is kept in memory alone"
    );

    if let Some(listen) = own.metrics {
        metrics::serve(listen, metrics, own.limits, stop()).await?;
    }
    let listener = TcpListener::bind(own.listen).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, profile = %about.profile, "listening");
    if !address.ip().is_loopback() && own.tls.is_none() {
        tracing::warn!("other machines can reach this address, and it speaks plain HTTP");
    }
    about.greet(address, &own);
    let maintenance = tokio::spawn(credentials.clone().maintain());
    let in_step = tokio::spawn(async move {
        tokio::join!(settings.keep_in_step(), project_limits.keep_in_step());
    });
    let (acceptor, _watch) = match &own.tls {
        Some(Tls { server, poll, .. }) => {
            let watch = server.watch(*poll)?;
            (Some(HandshakeAcceptor::new(server)), Some(watch))
        }
        None => (None, None),
    };
    server::run(listener, acceptor, router, own.limits, stop()).await;
    upkeep.shutdown().await;
    maintenance.abort();
    in_step.abort();
    credentials.close().await;
    cases.close().await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Resolves when the process is told to stop: by SIGINT (Ctrl-C) or SIGTERM.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            signal::ctrl_c().await.ok();
            return;
        };
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await.ok();
}

/// What is said of the configuration after the gate was made of it.
struct About {
    profile: Profile,
    modes: Vec<AuthenticationMode>,
    issuers: Arc<[String]>,
}

impl About {
    fn of(config: &GateConfig) -> Self {
        Self {
            profile: config.profile(),
            modes: config.modes().to_vec(),
            issuers: config.issuers().map(str::to_owned).collect(),
        }
    }

    /// What a person at a terminal wants to know. The first line is for programs too.
    #[expect(
        clippy::print_stdout,
        reason = "the address, which may be a free port, is the program's answer"
    )]
    fn greet(&self, address: SocketAddr, own: &Own) {
        let scheme = match own.tls {
            Some(_) => "https",
            None => "http",
        };
        println!("listening on {scheme}://{address}");
        if !self.profile.is_development() {
            return;
        }
        if own.issuer.is_some() {
            greet_owner(address, &own.data_dir);
            return;
        }
        let modes: Vec<_> = self.modes.iter().map(|mode| mode.as_str()).collect();
        println!(
            "
  This is the DEVELOPMENT profile: issuers on this machine are asked over plain HTTP.
  Never put it where others can reach it, and never keep real data in it.

  modes     {}
  issuers   {}
",
            modes.join(", "),
            self.issuers.join(", "),
        );
    }
}

#[expect(clippy::print_stdout, reason = "as above")]
fn greet_owner(address: SocketAddr, data_dir: &Path) {
    let data_dir = data_dir.display();
    // As it was started: after `cargo run` it stands on nobody's PATH.
    let program = std::env::args().next();
    let program = program.as_deref().unwrap_or("agent-backend");
    println!(
        "
  This is the DEVELOPMENT profile: whoever can read {data_dir} can sign in as anybody.
  Never put it where others can reach it, and never keep real data in it.

  issuer    {issuer}
  audience  {audience}
  keys      http://{address}/.well-known/jwks.json

  A token, and a first request:

    TOKEN=$({program} token --data-dir {data_dir} --sub you --org acme --scope cases:read --scope cases:write)
    curl -H \"Authorization: Bearer $TOKEN\" http://{address}/api/whoami
",
        issuer = dev_issuer::ISSUER,
        audience = dev_issuer::AUDIENCE,
    );
}
