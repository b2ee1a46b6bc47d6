//! A Redis, in which all processes of the service count their limits together.

use ringwall_core::secret::SecretString;
use ringwall_gate::config::SettingsSection;
use ringwall_redis::RedisConfig;
use ringwall_transport::{ClientTls, Pem};

/// By which processes of development machines make the same keys, where nobody names a secret. It guards nothing:
/// whoever knows it can tell whose a key in the Redis is.
const DEVELOPMENT_SECRET: &str = "the rate limits of a development machine";

/// Reads the section: how to reach it, or `None` where limits are counted in the process.
pub(super) fn read(section: &mut SettingsSection<'_>) -> Option<RedisConfig> {
    const REMEDY: &str = "write redis://host:port or, with TLS, rediss://host:port";
    let url = section.text("url");
    let is_cluster = section.flag("cluster", false);
    let password = section.secret("password");
    let roots = section.texts("roots");
    let Some(url) = url else {
        if password.is_some() || roots.is_some() || is_cluster {
            section.fault("url", "is missing", REMEDY);
        }
        return None;
    };
    // A password in a URL is in argument lists, and in whatever shows the configuration.
    let has_password = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'));
    if has_password {
        let remedy = "name it as redis.password = { file = \"/run/secrets/redis\" }";
        section.fault("url", "holds a password", remedy);
        return None;
    }
    let mut config = match RedisConfig::from_url(&SecretString::new(url)) {
        Ok(config) => config,
        Err(error) => {
            section.fault("url", format!("cannot be used: {error}"), REMEDY);
            return None;
        }
    };
    if is_cluster {
        config = config.cluster("limits");
    }
    if let Some(password) = password {
        config = config.password(password);
    }
    if let Some(roots) = roots {
        match ClientTls::builder(roots.into_iter().map(Pem::file)).load() {
            Ok(tls) => config = config.tls(tls),
            Err(error) => {
                let problem = format!("cannot be used: {error}");
                section.fault(
                    "roots",
                    problem,
                    "name PEM files with the roots of the Redis",
                );
                return None;
            }
        }
    }
    Some(config)
}

/// Says that the gate counts in the service's store, and on a development machine by which secret.
pub(super) fn default_to(is_development: bool, top: &mut SettingsSection<'_>) {
    top.default_to("rate_limits.store", "service");
    if is_development {
        top.default_to("rate_limits.secret", DEVELOPMENT_SECRET);
    }
}
