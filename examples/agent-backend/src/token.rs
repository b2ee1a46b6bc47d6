//! `agent-backend token`.

use core::time::Duration;
use std::error::Error;

use ringwall_authn::TokenRequest;
use ringwall_core::clock::{SystemClock, WallClock as _};
use ringwall_core::principal::Tenant;

use crate::cli::TokenArgs;
use crate::dev_issuer;

/// Prints a token, and nothing else, so that a shell can put it into a variable.
#[expect(
    clippy::print_stdout,
    reason = "printing the token is what the command is for"
)]
pub(crate) fn run(args: &TokenArgs) -> Result<(), Box<dyn Error>> {
    let issuer = dev_issuer::open(&args.data_dir)?;
    let mut request = TokenRequest::new(args.sub.clone(), dev_issuer::AUDIENCE)
        .client_id("agent-backend-cli")
        .tenant(Tenant {
            org: args.org.clone(),
            project: args.project.clone(),
        })
        .roles(args.role.iter().cloned())
        .scopes(args.scope.iter().cloned())
        .lifetime(Duration::from_secs(args.ttl));
    if let Some(actor) = &args.actor {
        request = request.actor(actor.clone());
    }
    let now = SystemClock::new().now()?;
    if let Some(age) = args.login_age {
        let login = now.unix_seconds().saturating_sub(age.into());
        request = request.claim("auth_time", login.into());
    }
    if let Some(acr) = &args.acr {
        request = request.claim("acr", acr.as_str().into());
    }
    let issued = issuer.issue(&request, now)?;
    println!("{}", issued.token.expose());
    Ok(())
}
