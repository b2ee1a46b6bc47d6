//! A PostgreSQL, in which the cases are, under row-level security.

use ringwall_core::secret::SecretString;
use ringwall_gate::config::SettingsSection;
use ringwall_postgres::PostgresConfig;

use crate::cli::ServeArgs;
use crate::postgres::{PostgresSettings, RuntimeRole};

const REMEDY: &str = "write postgres://user@host:port/database";

/// Reads the section: how to reach it, or `None` where cases are in the file of the service.
pub(super) fn read(
    section: &mut SettingsSection<'_>,
    args: &ServeArgs,
) -> Option<PostgresSettings> {
    let is_development = args.dev;
    let replaces_policy = args.replace_policy;
    let url = section.text("url");
    let owner_url = section.text("owner_url");
    let password = section.secret("password");
    let owner_password = section.secret("owner_password");
    let Some(url) = url else {
        if owner_url.is_some() || password.is_some() || owner_password.is_some() {
            section.fault("url", "is missing", REMEDY);
        }
        return None;
    };
    let runtime = config(section, "url", &url, password.as_ref())?;
    let Some(owner_url) = owner_url else {
        if !is_development {
            section.fault(
                "owner_url",
                "is missing",
                "name another role, which owns the tables: security does not hold their owner, who can switch it off",
            );
            return None;
        }
        let owner = config(section, "url", &url, password.as_ref())?;
        return Some(PostgresSettings {
            owner,
            runtime,
            role: RuntimeRole::Assumed,
            replaces_policy,
        });
    };
    let owner = config(section, "owner_url", &owner_url, owner_password.as_ref())?;
    let (user, owner_user) = (user(&url), user(&owner_url));
    if user == owner_user {
        section.fault(
            "url",
            "names the role of owner_url",
            "name a role that owns nothing: CREATE ROLE agent_backend_runtime LOGIN",
        );
        return None;
    }
    Some(PostgresSettings {
        owner,
        runtime,
        role: RuntimeRole::Login(user),
        replaces_policy,
    })
}

fn config(
    section: &mut SettingsSection<'_>,
    name: &'static str,
    url: &str,
    password: Option<&SecretString>,
) -> Option<PostgresConfig> {
    // A password in a URL is in argument lists, and in whatever shows the configuration.
    let has_password = authority(url).is_some_and(|(user, _)| user.contains(':'));
    if has_password {
        let remedy = match name {
            "url" => "name it as postgres.password = { file = \"/run/secrets/postgres\" }",
            _ => "name it as postgres.owner_password = { file = \"/run/secrets/postgres_owner\" }",
        };
        section.fault(name, "holds a password", remedy);
        return None;
    }
    match PostgresConfig::from_url(&SecretString::new(url.to_owned())) {
        Ok(config) => Some(match password {
            Some(password) => config.password(SecretString::new(password.expose().to_owned())),
            None => config,
        }),
        Err(error) => {
            section.fault(name, format!("cannot be used: {error}"), REMEDY);
            None
        }
    }
}

/// What stands before and after the last `@` of the authority (RFC 3986 §3.2).
fn authority(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@')
}

/// The user that a URL names.
fn user(url: &str) -> String {
    let user = authority(url).map_or("", |(user, _)| user);
    let decoded = percent_encoding::percent_decode_str(user).decode_utf8_lossy();
    decoded.into_owned()
}
