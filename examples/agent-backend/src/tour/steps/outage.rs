//! An issuer that fails in one way after the other, and a service that goes on.

use core::time::Duration;
use std::error::Error;

use ringwall_core::clock::{MonotonicClock as _, SystemClock};

use crate::tour::Tour;
use crate::tour::callers::Callers;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};
use crate::tour::remote::{Manner, RemoteIssuer};
use crate::tour::service::Service;
use crate::tour::steps::remote::{AUDIENCE, unknown_key, whoami};

/// The longest pause between two attempts, and room for a machine that has other things to do.
const ONE_PAUSE: Duration = Duration::from_secs(3);

/// Gives back a second service, which was started meanwhile.
pub(crate) async fn run(
    tour: &mut Tour,
    client: &Client,
    issuer: &mut RemoteIssuer,
    forge: &Forge,
    serve: &[&str],
    late_data: &str,
) -> Result<Service, Box<dyn Error>> {
    let mut callers = Callers::new(forge, &issuer.tokens, AUDIENCE);
    for (manner, tried) in [
        (
            Manner::Stalls,
            "the issuer takes a request and never answers",
        ),
        (Manner::ShowsAPage, "it answers with a page"),
    ] {
        issuer.behave(manner);
        let did = callers.ask_until(client, || issuer.was_met()).await;
        tour.happened(tried, did);
    }
    issuer.die().await?;
    let stale = Expect::status(200).json("/keys", "stale");
    let readyz = || Ask::get("/readyz");
    tour.ask_until("it is gone: ready, and stale", client, readyz(), stale)
        .await;
    for _ in 0..20 {
        callers.ask(client).await;
    }
    callers.report(tour, "through all of this");
    let made_up = unknown_key(forge, issuer, "made-up-too");
    let tried = "a key id that nobody can look for, which may be good";
    tour.ask(tried, client, whoami(&made_up), Expect::unjudged(2))
        .await;

    // An outage is no reason not to start.
    let mut args = serve.to_vec();
    args.extend(["--data-dir", late_data]);
    let late = tour.serve(&args).await?;
    let newcomer = Client::new(late.address());
    let closed = Expect::status(503).json("/keys", "unavailable");
    let good = whoami(&forge.issue(&issuer.tokens, &ALPHA, AUDIENCE));
    tour.ask(
        "a service that starts now: alive",
        &newcomer,
        Ask::get("/healthz"),
        Expect::status(200),
    )
    .await;
    tour.ask("not ready", &newcomer, readyz(), closed.clone())
        .await;
    let tried = "a good token there";
    tour.ask(tried, &newcomer, good.clone(), Expect::unjudged(1))
        .await;

    let tried = "stale for too long: not ready either";
    tour.ask_until(tried, client, readyz(), closed).await;
    let tried = "a good token, which nobody calls bad";
    tour.ask(tried, client, good.clone(), Expect::unjudged(1))
        .await;

    issuer.come_back()?;
    let clock = SystemClock::new();
    let open = Expect::status(200).json("/keys", "fresh");
    for (who, client) in [("the service", client), ("the late one", &newcomer)] {
        let tried = format!("the issuer is there again: {who} is ready");
        tour.ask_until(&tried, client, readyz(), open.clone()).await;
        let tried = format!("a good token at {who}");
        tour.ask(&tried, client, good.clone(), Expect::status(200))
            .await;
    }
    let soon = clock.elapsed() < ONE_PAUSE;
    tour.happened("within one pause", soon);
    Ok(late)
}
