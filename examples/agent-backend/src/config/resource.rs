//! What the service says of itself to clients that never heard of it (RFC 9728).

use std::net::SocketAddr;

use ringwall_gate::ProtectedResource;
use ringwall_gate::config::{AuthenticationMode, SettingsSection};

use crate::cli::ServeArgs;
use crate::dev_issuer;

/// The scopes of what everybody works with. Who may read the audit trail is nobody else's business.
const SCOPES: &str = "cases:read, cases:write";

/// Where nobody said by which URL clients use the service, takes the audience, which a client asks tokens
/// for (RFC 8707 §2), when it is one; in development the address. A service with tokens that clients cannot
/// find does not start.
pub(super) fn default_to(args: &ServeArgs, listen: SocketAddr, top: &mut SettingsSection<'_>) {
    // Of an issuer that is refused anyhow, nothing more is said.
    let is_refused = top.written("tokens.issuer") == Some(dev_issuer::ISSUER);
    if !top.is_on(AuthenticationMode::Jwt) || is_refused {
        return;
    }
    if top.has("resource") {
        top.default_to("resource.scopes_supported", SCOPES);
        return;
    }
    let here = format!("http://{listen}");
    // Port 0 is any port, and nobody can come back to that.
    let here = (args.dev && listen.port() != 0).then_some(here);
    let audience = top.written("tokens.audience").map(str::to_owned);
    let is_url = |url: &String| {
        // The issuer does not matter here: the gate judges it.
        let resource = ProtectedResource::builder(url, "https://issuer.example");
        resource.profile(args.profile()).build().is_ok()
    };
    let found = audience.into_iter().chain(here).find(is_url);
    match found {
        Some(url) => {
            top.default_to("resource.url", &url);
            top.default_to("resource.scopes_supported", SCOPES);
        }
        // Without an audience there is something else to correct first.
        None if top.has("tokens") => top.fault(
            "resource",
            "is missing, and the audience is not a URL that could stand for it",
            "write the URL by which clients use the service, such as https://api.example.com",
        ),
        None => {}
    }
}
