//! `agent-backend serve`: puts the service together and runs it.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::SystemClock;
use ringwall_gate::Gate;
use ringwall_metrics::MetricsLayer;
use ringwall_tower::{CorsPolicyLayer, SecurityHeadersLayer};
use ringwall_transport::HandshakeAcceptor;
use tokio::net::TcpListener;
use tokio::signal;
use tracing_subscriber::EnvFilter;

use crate::case_store::CaseStore;
use crate::cli::ServeArgs;
use crate::config::{Browser, Config, Tls, Trust};
use crate::credentials::Credentials;
use crate::dev_issuer;
use crate::metrics;
use crate::routes::{self, App};
use crate::server;
use crate::settings::Settings;
use crate::store::Store;
use crate::trusted::{Source, Trusted};

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
    make_data_dir(&config.data_dir)?;
    // The keys first: a service without them would refuse everybody.
    let credentials = Credentials::open(&config.data_dir, config.events.clone()).await?;
    let trusted = Trusted::new(&config, &credentials.revocations).await?;
    let metrics = metrics::start(&config, &trusted.verifier)?;
    let store = Store::open(&config.data_dir).await?;
    let settings = Settings::open(store.clone()).await?;
    let audit = Arc::new(MemoryAudit::new(AUDIT_RECORDS));
    let mut gate = Gate::builder(&config.realm)
        .tokens(trusted.verifier.clone())
        .api_keys(credentials.api_keys.clone())
        .organisation_rules(settings.rules().clone())
        .audit(audit.clone())
        .events(config.events.clone())
        .trusted_proxies(config.front.proxies.clone())
        .profile(config.profile);
    if let Some(https) = &config.front.https {
        gate = gate.https_only(https.clone());
    }
    if let Some(resource) = &config.resource {
        gate = gate.protected_resource(resource.clone());
    }
    if let Some(certificates) = config.certificates.clone() {
        gate = gate.certificates(certificates);
    }
    let gate = gate.build()?;
    let app = App {
        cases: CaseStore::new(store.clone()),
        credentials: credentials.clone(),
        settings,
        store: store.clone(),
        clock: Arc::new(SystemClock::new()),
        audit,
        verifier: Arc::new(trusted.verifier),
        issuer: trusted.source.development_issuer(),
    };
    let (router, routes) = routes::router(gate, app, &config.step_up)?;
    // Around everything that answers, the gate's refusals included: preflights carry no credentials,
    // and no answer goes without its header fields.
    let Browser { headers, cors } = config.browser.clone();
    for loosened in headers.loosened().iter().chain(cors.loosened()) {
        tracing::warn!(%loosened, "browsers are told something looser than by default");
    }
    let headers = SecurityHeadersLayer::new(headers).with_proxies(config.front.proxies.clone());
    let router = router.layer(CorsPolicyLayer::new(cors)).layer(headers);
    let router = router.layer(MetricsLayer::new(metrics.clone()));
    for route in &routes {
        tracing::info!(method = route.method, path = route.path, access = %route.access, login = route.authentication.as_ref().map(tracing::field::display), "route");
    }
    tracing::warn!(
        records = AUDIT_RECORDS,
        "the audit trail is kept in memory alone"
    );

    if let Some(listen) = config.metrics {
        metrics::serve(listen, metrics, config.limits, stop()).await?;
    }
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, profile = %config.profile, "listening");
    if !address.ip().is_loopback() && config.tls.is_none() {
        tracing::warn!("other machines can reach this address, and it speaks plain HTTP");
    }
    greet(address, &config);
    let maintenance = tokio::spawn(credentials.clone().maintain());
    let (acceptor, _watch) = match &config.tls {
        Some(Tls { server, poll, .. }) => {
            let watch = server.watch(*poll)?;
            (Some(HandshakeAcceptor::new(server)), Some(watch))
        }
        None => (None, None),
    };
    server::run(listener, acceptor, router, config.limits, stop()).await;
    if let Source::Remote(client) = &trusted.source {
        client.shutdown().await;
    }
    maintenance.abort();
    credentials.close().await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The folder is its owner's alone: the database holds what tenants wrote.
fn make_data_dir(data_dir: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data_dir)
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

/// What a person at a terminal wants to know. The first line is for programs too.
#[expect(
    clippy::print_stdout,
    reason = "the address, which may be a free port, is the program's answer"
)]
fn greet(address: SocketAddr, config: &Config) {
    let scheme = match config.tls {
        Some(_) => "https",
        None => "http",
    };
    println!("listening on {scheme}://{address}");
    if !config.profile.is_development() {
        return;
    }
    match &config.trust {
        Trust::Development => greet_owner(address, &config.data_dir),
        Trust::Outside(tokens) => println!(
            "
  This is the DEVELOPMENT profile: issuers on this machine are asked over plain HTTP.
  Never put it where others can reach it, and never keep real data in it.

  issuer    {}
  audience  {}
",
            tokens.issuer, tokens.audience,
        ),
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
