//! What the service is told: by the command line, by a file, or by nobody.
//!
//! Everything that is wrong is found in one go, so that whoever sets a service up corrects once.

mod browser;
mod certificates;
mod fault;
mod file;
mod front;
mod limits;
mod metrics;
mod provider;
mod remote_keys;
mod resource;
mod section;
mod step_up;
mod tls;
mod tokens;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringwall_authn::CertificateAuthenticatorBuilder;
use ringwall_core::profile::Profile;
use ringwall_gate::{AuthenticationRequirement, ProtectedResource};

pub(crate) use browser::Browser;
pub(crate) use fault::Faults;
pub(crate) use front::Front;
pub(crate) use limits::Limits;
pub(crate) use remote_keys::RemoteKeys;
pub(crate) use tls::Tls;
pub(crate) use tokens::{Keys, Tokens};

use crate::cli::ServeArgs;
use crate::config::certificates::Verified;
use crate::config::resource::Named;
use crate::config::section::Section;
use crate::dev_issuer;
use crate::metrics::Events;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const DEFAULT_REALM: &str = "agent-backend";

/// A configuration that can be served.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) realm: String,
    pub(crate) limits: Limits,
    /// TLS of the service's own. `None` speaks plain HTTP.
    pub(crate) tls: Option<Tls>,
    pub(crate) front: Front,
    pub(crate) browser: Browser,
    /// Who authenticates by a client certificate.
    pub(crate) certificates: Option<CertificateAuthenticatorBuilder>,
    /// What the login of somebody who deletes must be like.
    pub(crate) step_up: AuthenticationRequirement,
    pub(crate) trust: Trust,
    pub(crate) profile: Profile,
    /// What challenges lead clients to. `None` for the development issuer, from which nobody can
    /// get a token over the network.
    pub(crate) resource: Option<ProtectedResource>,
    /// Where metrics are served. `None` serves them nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where everything reports to.
    pub(crate) events: Arc<Events>,
}

/// Whose tokens are accepted.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Those of the development issuer in the data folder.
    Development,
    /// Those of an issuer outside.
    Outside(Box<Tokens>),
}

impl Config {
    /// What `args` and the file that they name come to.
    pub(crate) fn load(args: &ServeArgs) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let table = match &args.config {
            Some(path) => file::read(path, &mut faults),
            None => toml::Table::new(),
        };
        // Without a file that can be read, each setting in it would be called missing too.
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut top = Section::new("", table, &mut faults);
        let listen = top.parsed("listen", "an address with a port, such as 127.0.0.1:8080");
        let data_dir = top.text("data_dir").map(PathBuf::from);
        let realm = top
            .text("realm")
            .unwrap_or_else(|| DEFAULT_REALM.to_owned());
        let profile = top.parsed::<Profile>("profile", "production or development");
        let resource = top.text("resource");
        let limits = top.table("limits");
        let tls = top.table("tls");
        let front = top.table("front");
        let browser = top.table("browser");
        let certificates = top.table("certificates");
        let step_up = top.table("step_up");
        let metrics = top.table("metrics");
        let mut tokens = top.table("tokens");
        top.finish();

        let listen = args.listen.or(listen).unwrap_or(DEFAULT_LISTEN);
        let data_dir = args.data_dir.clone().or(data_dir);
        check_realm(&realm, &mut faults);
        for (key, value) in args.tokens.given() {
            let table = tokens.get_or_insert_default();
            table.insert(key.to_owned(), value.into());
        }
        let resource = args.resource.clone().or(resource);
        let limits = Limits::read(limits.unwrap_or_default(), &mut faults);
        let metrics = metrics::read(metrics.unwrap_or_default(), &mut faults);
        let events = Arc::new(Events::default());
        let step_up = step_up::read(step_up.unwrap_or_default(), &mut faults);
        let is_encrypted = tls.is_some();
        let tls = tls.and_then(|tls| Tls::read(tls, &events, &mut faults));
        let front = Front::read(front.unwrap_or_default(), is_encrypted, &mut faults);
        let verified = Verified {
            here: tls.as_ref().is_some_and(|tls| tls.asks_clients),
            proxies: &front.proxies,
        };
        let certificates = certificates::read(certificates, &verified, &mut faults);
        if let Some(data_dir) = &data_dir {
            check_writers(data_dir, &mut faults);
        }
        let (profile, data_dir) = if args.dev {
            check_development(args, listen, profile, &mut faults);
            let data_dir = data_dir.unwrap_or_else(|| args.dev_data_dir());
            (Profile::Development, data_dir)
        } else {
            check_production(profile, data_dir.as_deref(), &mut faults);
            (Profile::Production, data_dir.unwrap_or_default())
        };
        // Without a word about an issuer, development brings its own. It is one or the other: the
        // own one signs for anybody, and nobody who names another means that too.
        let trust = if profile.is_development() && tokens.is_none() {
            Some(Trust::Development)
        } else {
            let tokens = tokens.unwrap_or_default();
            let tokens = Tokens::read(tokens, &data_dir, profile, &events, &mut faults);
            tokens.map(Box::new).map(Trust::Outside)
        };
        let resource = match &trust {
            Some(Trust::Outside(tokens)) => {
                let named = Named {
                    resource: resource.as_deref(),
                    issuer: &tokens.issuer,
                    audience: &tokens.audience,
                    realm: &realm,
                    listen,
                    profile,
                };
                resource::metadata(named, &mut faults)
            }
            Some(Trust::Development) | None => None,
        };
        let browser = Browser::read(browser.unwrap_or_default(), profile, &mut faults);
        let (Some(trust), Some(step_up), Some(browser)) = (trust, step_up, browser) else {
            return Err(faults);
        };
        faults.none_or(Self {
            listen,
            data_dir,
            realm,
            limits,
            tls,
            front,
            browser,
            certificates,
            step_up,
            trust,
            profile,
            resource,
            metrics,
            events,
        })
    }
}

/// Whoever writes into the folder writes into every tenant's cases.
fn check_writers(data_dir: &Path, faults: &mut Faults) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(data_dir).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o002 != 0) {
            faults.add("data_dir", "can be written by everybody", "chmod 700 it");
        }
    }
    #[cfg(not(unix))]
    let _ = (data_dir, faults);
}

/// What the gate will ask of it, said here together with everything else.
fn check_realm(realm: &str, faults: &mut Faults) {
    let plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    if realm.is_empty() || realm.len() > 128 || !realm.chars().all(plain) {
        faults.add(
            "realm",
            "is empty, too long, or not plain ASCII without quotes",
            "take a short name, such as agent-backend",
        );
    }
}

fn check_development(
    args: &ServeArgs,
    listen: SocketAddr,
    profile: Option<Profile>,
    faults: &mut Faults,
) {
    if !listen.ip().is_loopback() && !args.dev_beyond_loopback {
        faults.add(
            "listen",
            "other machines can reach this address, and whoever reads the data folder can sign in as anybody",
            "listen on 127.0.0.1, or permit it by name with --dev-beyond-loopback",
        );
    }
    if profile == Some(Profile::Production) {
        faults.add(
            "profile",
            "is production, which --dev is not",
            "leave --dev out, or the profile",
        );
    }
}

fn check_production(profile: Option<Profile>, data_dir: Option<&Path>, faults: &mut Faults) {
    if profile == Some(Profile::Development) {
        faults.add(
            "profile",
            "is development, which needs to be said where the service is started",
            "start it with --dev, or leave the profile out",
        );
    }
    match data_dir {
        None => faults.add(
            "data_dir",
            "is missing",
            "name the folder for the database, such as /var/lib/agent-backend",
        ),
        Some(data_dir) if dev_issuer::marks(data_dir) => faults.add(
            "data_dir",
            "is development material: it holds the key of a development issuer",
            "take another folder; nothing of a development machine is to be relied on",
        ),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests;
