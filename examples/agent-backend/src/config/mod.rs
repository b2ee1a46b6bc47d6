//! What the service is told: by the command line, by a file, or by nobody.
//!
//! Everything that is wrong is found in one go, so that whoever sets a service up corrects once.

mod fault;
mod file;
mod limits;
mod section;
mod tokens;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ringwall_core::profile::Profile;

pub(crate) use fault::Faults;
pub(crate) use limits::Limits;
pub(crate) use tokens::Tokens;

use crate::cli::ServeArgs;
use crate::config::section::Section;
use crate::dev_issuer;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const DEFAULT_REALM: &str = "agent-backend";

/// A configuration that can be served.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) realm: String,
    pub(crate) limits: Limits,
    pub(crate) trust: Trust,
}

/// Whose tokens are accepted.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Those of the development issuer in the data folder.
    Development,
    /// Those of an issuer outside.
    Outside(Tokens),
}

impl Config {
    pub(crate) const fn profile(&self) -> Profile {
        match self.trust {
            Trust::Development => Profile::Development,
            Trust::Outside(_) => Profile::Production,
        }
    }

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
        let limits = top.table("limits");
        let tokens = top.table("tokens");
        top.finish();

        let listen = args.listen.or(listen).unwrap_or(DEFAULT_LISTEN);
        let data_dir = args.data_dir.clone().or(data_dir);
        check_realm(&realm, &mut faults);
        let limits = Limits::read(limits.unwrap_or_default(), &mut faults);
        if let Some(data_dir) = &data_dir {
            check_writers(data_dir, &mut faults);
        }
        let (data_dir, trust) = if args.dev {
            check_development(args, listen, profile, tokens.is_some(), &mut faults);
            let data_dir = data_dir.unwrap_or_else(|| args.dev_data_dir());
            (data_dir, Trust::Development)
        } else {
            check_production(profile, data_dir.as_deref(), &mut faults);
            let data_dir = data_dir.unwrap_or_default();
            let tokens = Tokens::read(tokens.unwrap_or_default(), &data_dir, &mut faults);
            match tokens {
                Some(tokens) => (data_dir, Trust::Outside(tokens)),
                None => return Err(faults),
            }
        };
        faults.none_or(Self {
            listen,
            data_dir,
            realm,
            limits,
            trust,
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
    has_tokens: bool,
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
    if has_tokens {
        faults.add(
            "tokens",
            "names an issuer, and --dev brings its own",
            "leave --dev out, or the section",
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
