//! A development machine: an issuer of its own, which nothing real may trust.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ringwall_authn::TokenIssuer;
use ringwall_gate::config::SettingsSection;
use ringwall_jose::{FileKeys, KeySource as _};

use crate::cli::ServeArgs;
use crate::dev_issuer;
use crate::keys::is_development;

/// Says what `--dev` defaults to. Without a word about an issuer, development brings its own, which is
/// answered. It is one or the other: the own one signs for anybody, and nobody who names another means that
/// too. Fails, with a fault, when it cannot be had.
pub(super) fn read(
    args: &ServeArgs,
    listen: SocketAddr,
    data_dir: &Path,
    top: &mut SettingsSection<'_>,
) -> Result<Option<Arc<TokenIssuer>>, ()> {
    if !listen.ip().is_loopback() && !args.dev_beyond_loopback {
        top.fault(
            "listen",
            "other machines can reach this address, and whoever reads the data folder can sign in as anybody",
            "listen on 127.0.0.1, or permit it by name with --dev-beyond-loopback",
        );
        // What is wrong is said, and nothing is made; without tokens nobody asks for an issuer either.
        top.default_to("modes", "api_key");
        top.default_to("profile", "development");
        return Err(());
    }
    top.default_to("profile", "development");
    if top.written("profile") == Some("production") {
        top.default_to("modes", "jwt");
        top.fault(
            "profile",
            "is production, which --dev is not",
            "leave --dev out, or the profile",
        );
        return Err(());
    }
    top.default_to("modes", "jwt, api_key");
    let keys = dev_issuer::keys_path(data_dir);
    let lifetime = dev_issuer::MAX_LIFETIME.as_secs().to_string();
    let is_own = top.default_section(
        "tokens",
        &[
            ("issuer", dev_issuer::ISSUER),
            ("audience", dev_issuer::AUDIENCE),
            ("jwks_file", &keys.to_string_lossy()),
            // Agents act on behalf of people here.
            ("accept_actor", "true"),
            ("max_lifetime_seconds", &lifetime),
        ],
    );
    if !is_own {
        return Ok(None);
    }
    match dev_issuer::publish(data_dir) {
        Ok(issuer) => Ok(Some(Arc::new(issuer))),
        Err(error) => {
            let problem = format!("cannot hold a development issuer: {error}");
            top.fault("data_dir", problem, "name another folder with --data-dir");
            Err(())
        }
    }
}

/// Refuses what belongs to a development issuer where tokens of another one are accepted.
pub(super) fn refuse_material(data_dir: &Path, top: &mut SettingsSection<'_>) {
    top.inspect("tokens", "issuer", |issuer| {
        // Its name is a URL of this machine too.
        (issuer == dev_issuer::ISSUER).then_some((
            "is development material: the name of the development issuer",
            "name the issuer of the real tokens",
        ))
    });
    top.inspect("tokens", "jwks_file", |file| {
        let file = Path::new(file);
        let is_material =
            holds_known_id(file) || beside_development(file) || holds_key_of(data_dir, file);
        is_material.then_some((
            "is development material: it holds or lies beside the key of a development issuer",
            "name the keys of the issuer of the real tokens",
        ))
    });
}

/// Whether the key of some development issuer is in the file, by the id that all of them have. What cannot be
/// read, the gate refuses.
fn holds_known_id(file: &Path) -> bool {
    let keys = FileKeys::builder(file).open();
    keys.is_ok_and(|keys| keys.keys().is_ok_and(|keys| is_development(&keys)))
}

/// Whether the file lies in the data folder of a development machine.
fn beside_development(file: &Path) -> bool {
    file.parent().is_some_and(dev_issuer::marks)
}

/// Whether the file holds the public key of the development issuer in `data_dir`, whatever id it
/// was given.
fn holds_key_of(data_dir: &Path, file: &Path) -> bool {
    let Ok(issuer) = dev_issuer::open(data_dir) else {
        return false;
    };
    let own = points(issuer.jwks().as_bytes());
    let listed = std::fs::read(file).map(|bytes| points(&bytes));
    listed.is_ok_and(|listed| listed.iter().any(|point| own.contains(point)))
}

/// The `x` of each key of a JWK Set, which is the whole of an Ed25519 key.
fn points(document: &[u8]) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
    let keys = document.get("keys").and_then(serde_json::Value::as_array);
    let keys = keys.into_iter().flatten();
    keys.filter_map(|key| Some(key.get("x")?.as_str()?.to_owned()))
        .collect()
}
