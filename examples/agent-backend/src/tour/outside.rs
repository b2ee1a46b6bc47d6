//! An issuer outside of the service, which publishes its keys in a file.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use ringwall_authn::{SigningKey, TokenIssuer};
use ringwall_jose::{Algorithm, KeyId};

pub(crate) const ISSUER: &str = "https://login.tour.example";
pub(crate) const AUDIENCE: &str = "https://agent-backend.tour.example";

pub(crate) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// Where the metadata of a service is (RFC 9728 §3.1), of which this is the URL.
pub(crate) fn metadata_url(resource: &str) -> String {
    format!("{resource}{METADATA_PATH}")
}

/// The issuer, its file, and a configuration of the service that trusts it.
pub(crate) struct Outside {
    pub(crate) issuer: TokenIssuer,
    pub(crate) config: PathBuf,
    jwks: PathBuf,
}

impl Outside {
    /// By which modes its callers are authenticated, and what stands in front.
    pub(crate) fn new(folder: &Path, modes: &str, front: &str) -> Result<Self, Box<dyn Error>> {
        let folder = folder.join("outside");
        fs::create_dir_all(&folder)?;
        let outside = Self {
            issuer: TokenIssuer::new(ISSUER, new_key("first")?),
            config: folder.join("agent-backend.toml"),
            jwks: folder.join("jwks.json"),
        };
        outside.publish(&outside.issuer.jwks())?;
        // TOML's basic strings have the escapes of JSON.
        let text = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
        let config = format!(
            "listen = \"127.0.0.1:0\"\nmodes = [{modes}]\ndata_dir = {}\n\n[front]\n{front}\n\n[tokens]\nissuer = \"{ISSUER}\"\n\
             audience = \"{AUDIENCE}\"\njwks_file = {}\njwks_poll_seconds = 1\n\n[limits]\n\
             max_connections = 8\nheader_timeout_seconds = 2\nrequest_timeout_seconds = 2\n\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n",
            text(&folder.join("data")),
            text(&outside.jwks),
        );
        fs::write(&outside.config, config)?;
        Ok(outside)
    }

    /// Replaces the published document, in one step, as whoever publishes keys should.
    pub(crate) fn publish(&self, document: &str) -> std::io::Result<()> {
        let next = self.jwks.with_extension("next");
        fs::write(&next, document)?;
        fs::rename(next, &self.jwks)
    }

    /// A new key takes over; the old one stays published.
    pub(crate) fn rotate(&self) -> Result<(), Box<dyn Error>> {
        self.issuer.announce(new_key("second")?)?;
        self.issuer.activate("second")?;
        self.publish(&self.issuer.jwks())?;
        Ok(())
    }
}

pub(crate) fn new_key(id: &str) -> Result<SigningKey, Box<dyn Error>> {
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::Es256)?;
    let key = SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8)?;
    Ok(key.with_id(KeyId::new(id)?))
}
