//! What the service is told: by the command line, by variables, by a file, or by nobody.
//!
//! How callers are authenticated, and what they may do, is the gate's own configuration
//! ([`GateConfig`]). Here stands what the service adds to it: its own settings, which are read from the same
//! places and with the same faults, and its defaults.

mod browser;
mod development;
mod limits;
mod metrics;
mod postgres;
mod rate_limits;
mod redis;
mod resource;
mod step_up;
mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringwall_authn::TokenIssuer;
use ringwall_gate::AuthenticationRequirement;
use ringwall_gate::config::{ConfigFaults, ConfigSources, GateConfig, SettingsSection};
use ringwall_redis::RedisConfig;

pub(crate) use browser::Browser;
pub(crate) use limits::Limits;
pub(crate) use tls::Tls;

use crate::cli::ServeArgs;
use crate::credentials;
use crate::metrics::Events;
use crate::postgres::PostgresSettings;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const DEFAULT_REALM: &str = "agent-backend";

/// What the variables begin with: `AGENT_BACKEND__TOKENS__ISSUER` is `tokens.issuer`.
const PREFIX: &str = "AGENT_BACKEND";

/// A configuration that can be served.
#[derive(Debug)]
pub(crate) struct Config {
    /// How callers are authenticated, and what they may do.
    pub(crate) gate: GateConfig,
    pub(crate) own: Own,
}

/// What the gate knows nothing of.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) limits: Limits,
    /// TLS of the service's own. `None` speaks plain HTTP.
    pub(crate) tls: Option<Tls>,
    pub(crate) browser: Browser,
    /// What the login of somebody who deletes must be like.
    pub(crate) step_up: AuthenticationRequirement,
    /// The development issuer, when its tokens are those that are accepted.
    pub(crate) issuer: Option<Arc<TokenIssuer>>,
    /// Where metrics are served. `None` serves them nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where limits are counted by all processes together. `None` counts them in this one.
    pub(crate) redis: Option<RedisConfig>,
    /// Where the cases are. `None` has them in the file of the service.
    pub(crate) postgres: Option<PostgresSettings>,
    /// Where everything reports to.
    pub(crate) events: Arc<Events>,
}

impl Config {
    /// What `args`, the variables and the file that they name come to.
    pub(crate) fn load(args: &ServeArgs) -> Result<Self, ConfigFaults> {
        Self::read(args, ConfigSources::new())
    }

    fn read(args: &ServeArgs, sources: ConfigSources) -> Result<Self, ConfigFaults> {
        let mut sources = sources.environment(PREFIX);
        if let Some(path) = &args.config {
            sources = sources.file(path);
        }
        for (option, setting, value) in args.given() {
            sources = sources.argument(option, setting, value);
        }
        let (gate, own) = GateConfig::load_with(sources, |top| Own::read(args, top))?;
        Ok(Self { gate, own })
    }
}

impl Own {
    /// Takes the service's own settings, and says what it defaults to. `None` when there is a fault.
    fn read(args: &ServeArgs, top: &mut SettingsSection<'_>) -> Option<Self> {
        let listen = top.parsed("listen", "an address with a port, such as 127.0.0.1:8080");
        let listen = listen.unwrap_or(DEFAULT_LISTEN);
        let data_dir = top.text("data_dir").map(PathBuf::from);
        let data_dir = args.data_dir.clone().or(data_dir);
        if let Some(data_dir) = &data_dir {
            check_writers(data_dir, top);
        }
        let limits = top.within("limits", Limits::read);
        let metrics = top.within("metrics", metrics::read);
        let redis = top.within("redis", redis::read);
        let postgres = top.within("postgres", |section| postgres::read(section, args));
        let events = Arc::new(Events::default());
        let step_up = top.within("step_up", step_up::read);
        let tls = if top.has("tls") {
            Some(top.within("tls", |section| Tls::read(section, &events)))
        } else {
            None
        };
        let browser = top.within("browser", |section| Browser::read(section, args.profile()));
        // Organisations say themselves what they demand, and nothing else would be in force.
        let remedy = "change it with PATCH /v1/orgs/{org}/settings";
        top.refuse(
            &["organisation"],
            "is what each organisation says itself",
            remedy,
        );

        top.default_to("realm", DEFAULT_REALM);
        rate_limits::default_to(top);
        if redis.is_some() {
            redis::default_to(args.dev, top);
        }
        let issuer = if args.dev {
            let data_dir = args.dev_data_dir(data_dir.as_deref());
            development::read(args, listen, &data_dir, top)
        } else {
            top.default_to("modes", "jwt");
            check_production(data_dir.as_deref(), top);
            Ok(None)
        };
        let data_dir = match (data_dir, args.dev) {
            (data_dir, true) => args.dev_data_dir(data_dir.as_deref()),
            (data_dir, false) => data_dir.unwrap_or_default(),
        };
        if matches!(issuer, Ok(None)) {
            development::refuse_material(&data_dir, top);
            resource::default_to(args, listen, top);
        }
        top.default_to("api_keys.scopes", &credentials::SCOPES.join(","));
        let lifetime = credentials::LIFETIME.as_secs().to_string();
        top.default_to("api_keys.max_lifetime_seconds", &lifetime);
        if tls
            .as_ref()
            .is_some_and(|tls| tls.as_ref().is_some_and(|tls| tls.asks_clients))
        {
            top.default_to("certificates.direct", "true");
        }
        Some(Self {
            listen,
            data_dir,
            limits,
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            browser: browser?,
            step_up: step_up?,
            issuer: issuer.ok()?,
            metrics,
            redis,
            postgres,
            events,
        })
    }
}

/// Whoever writes into the folder writes into every tenant's cases.
fn check_writers(data_dir: &Path, top: &mut SettingsSection<'_>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(data_dir).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o002 != 0) {
            top.fault("data_dir", "can be written by everybody", "chmod 700 it");
        }
    }
    #[cfg(not(unix))]
    let _ = (data_dir, top);
}

fn check_production(data_dir: Option<&Path>, top: &mut SettingsSection<'_>) {
    if top.written("profile") == Some("development") {
        top.fault(
            "profile",
            "is development, which needs to be said where the service is started",
            "start it with --dev, or leave the profile out",
        );
    }
    match data_dir {
        None => top.fault(
            "data_dir",
            "is missing",
            "name the folder for the database, such as /var/lib/agent-backend",
        ),
        Some(data_dir) if crate::dev_issuer::marks(data_dir) => top.fault(
            "data_dir",
            "is development material: it holds the key of a development issuer",
            "take another folder; nothing of a development machine is to be relied on",
        ),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests;
