//! `agent-backend serve`: puts the service together and runs it.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ringwall_authn::{IssuerPolicy, PrincipalMapping, TokenIssuer, TokenVerifier};
use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::SystemClock;
use ringwall_gate::Gate;
use ringwall_jose::{StaticKeys, WatchHandle};
use tokio::net::TcpListener;
use tokio::signal;
use tracing_subscriber::EnvFilter;

use crate::case_store::CaseStore;
use crate::cli::ServeArgs;
use crate::config::{Config, Tokens, Trust};
use crate::dev_issuer;
use crate::keys::OutsideKeys;
use crate::routes::{self, App};
use crate::server;
use crate::store::Store;

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
    let trusted = Trusted::new(&config)?;
    let store = Store::open(&config.data_dir).await?;
    let audit = Arc::new(MemoryAudit::new(AUDIT_RECORDS));
    let gate = Gate::builder(&config.realm)
        .tokens(trusted.verifier.clone())
        .audit(audit.clone())
        .profile(config.profile())
        .build()?;
    let app = App {
        cases: CaseStore::new(store.clone()),
        store: store.clone(),
        clock: Arc::new(SystemClock::new()),
        audit,
        verifier: Arc::new(trusted.verifier),
        issuer: trusted.issuer,
    };
    let (router, routes) = routes::router(gate, app)?;
    for route in &routes {
        tracing::info!(method = route.method, path = route.path, access = %route.access, "route");
    }
    tracing::warn!(
        records = AUDIT_RECORDS,
        "the audit trail is kept in memory alone"
    );

    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, profile = %config.profile(), "listening");
    if !address.ip().is_loopback() {
        tracing::warn!("other machines can reach this address, and it speaks plain HTTP");
    }
    greet(address, &config);
    server::run(listener, router, config.limits, stop()).await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Whose tokens are accepted, put together.
struct Trusted {
    verifier: TokenVerifier,
    issuer: Option<Arc<TokenIssuer>>,
    /// Watches the file of the keys as long as it is kept.
    _watch: Option<WatchHandle>,
}

impl Trusted {
    fn new(config: &Config) -> Result<Self, Box<dyn Error>> {
        match &config.trust {
            Trust::Development => Self::development(config),
            Trust::Outside(tokens) => Self::outside(config, tokens),
        }
    }

    fn development(config: &Config) -> Result<Self, Box<dyn Error>> {
        let issuer = dev_issuer::open_or_create(&config.data_dir)?;
        let keys = Arc::new(StaticKeys::new(issuer.key_set()?));
        let policy = IssuerPolicy::builder(dev_issuer::ISSUER, dev_issuer::AUDIENCE, keys)
            // Agents act on behalf of people here.
            .mapping(PrincipalMapping::default().accept_actor())
            .max_lifetime(dev_issuer::MAX_LIFETIME)
            .build()?;
        let verifier = TokenVerifier::builder()
            .profile(config.profile())
            .issuer(policy)
            .build()?;
        Ok(Self {
            verifier,
            issuer: Some(Arc::new(issuer)),
            _watch: None,
        })
    }

    fn outside(config: &Config, tokens: &Tokens) -> Result<Self, Box<dyn Error>> {
        let watch = tokens.keys.watch(tokens.poll)?;
        let keys = Arc::new(OutsideKeys::new(tokens.keys.clone()));
        let verifier = TokenVerifier::builder()
            .profile(config.profile())
            .issuer(tokens.policy(keys).build()?)
            .build()?;
        Ok(Self {
            verifier,
            issuer: None,
            _watch: Some(watch),
        })
    }
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
    println!("listening on http://{address}");
    if !config.profile().is_development() {
        return;
    }
    let data_dir = config.data_dir.display();
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
