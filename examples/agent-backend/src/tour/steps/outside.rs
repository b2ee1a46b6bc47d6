//! A service that guards something real: an issuer outside, keys that rotate, tight limits.

use core::time::Duration;
use std::error::Error;
use std::path::Path;

use tokio::io::AsyncReadExt as _;

use crate::dev_issuer;
use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};
use crate::tour::outside::{AUDIENCE, ISSUER, Outside, metadata_url};
use crate::tour::steps::metrics;

pub(crate) async fn run(
    tour: &mut Tour,
    dev_data: &Path,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    tour.area("Production: an issuer outside");
    let outside = Outside::new(&tour.folder, "\"jwt\"", "serve_plain_http = true")?;
    let config = outside.config.display().to_string();
    let mut service = tour.serve(&["serve", "--config", &config]).await?;
    let client = Client::new(service.address());
    keys(tour, &client, &outside, dev_data, forge).await?;
    metrics::run(
        tour,
        &client,
        &forge.issue(&outside.issuer, &ALPHA, AUDIENCE),
    )
    .await?;
    tour.area("Production: limits");
    limits(
        tour,
        &client,
        &forge.issue(&outside.issuer, &ALPHA, AUDIENCE),
    )
    .await?;
    service.terminate()?;
    service.ended().await?;
    Ok(())
}

async fn keys(
    tour: &mut Tour,
    client: &Client,
    outside: &Outside,
    dev_data: &Path,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    let whoami = |token: &str| Ask::get("/api/whoami").bearer(token);
    let first = forge.issue(&outside.issuer, &ALPHA, AUDIENCE);
    tour.ask(
        "a token of its issuer",
        client,
        whoami(&first),
        Expect::status(200),
    )
    .await;
    tour.ask(
        "a token of the development issuer",
        client,
        whoami(&forge.good(&ALPHA)),
        Expect::bad_token(),
    )
    .await;
    let ask = Ask::get("/.well-known/jwks.json");
    tour.ask(
        "the keys of a development issuer, without a token",
        client,
        ask.clone(),
        Expect::no_credentials().leads_to(&metadata_url(AUDIENCE)),
    )
    .await;
    tour.ask(
        "the same, with one",
        client,
        ask.bearer(&first),
        Expect::status(404),
    )
    .await;

    outside.rotate()?;
    let second = forge.issue(&outside.issuer, &ALPHA, AUDIENCE);
    tour.ask_until(
        "a new key: its tokens are accepted soon",
        client,
        whoami(&second),
        Expect::status(200),
    )
    .await;
    tour.ask(
        "the old one's still are",
        client,
        whoami(&first),
        Expect::status(200),
    )
    .await;
    outside.issuer.retire("first")?;
    outside.publish(&outside.issuer.jwks())?;
    tour.ask_until(
        "the old key is withdrawn: its tokens are refused soon",
        client,
        whoami(&first),
        Expect::bad_token(),
    )
    .await;
    tour.ask(
        "the new one's are not",
        client,
        whoami(&second),
        Expect::status(200),
    )
    .await;

    let readyz = || Ask::get("/readyz");
    outside.publish("{\"keys\":[]}")?;
    let stale = Expect::status(200).json("/keys", "stale");
    tour.ask_until(
        "no key in the file: ready, and stale",
        client,
        readyz(),
        stale,
    )
    .await;
    tour.ask(
        "good tokens meanwhile",
        client,
        whoami(&second),
        Expect::status(200),
    )
    .await;
    let development = dev_issuer::open(dev_data)?.jwks();
    outside.publish(&development)?;
    let closed = Expect::status(503).json("/keys", "unavailable");
    tour.ask_until(
        "a development key in the file: not ready",
        client,
        readyz(),
        closed,
    )
    .await;
    let unjudged = Expect::status(503).header("retry-after", "30");
    let forged = forge.with_claims([("iss", ISSUER), ("aud", AUDIENCE)]);
    for (tried, token) in [
        ("good tokens meanwhile", &second),
        ("tokens of that key in the name of the issuer", &forged),
    ] {
        tour.ask(tried, client, whoami(token), unjudged.clone())
            .await;
    }
    outside.publish(&outside.issuer.jwks())?;
    let open = Expect::status(200).json("/keys", "fresh");
    tour.ask_until("the right file again: ready", client, readyz(), open)
        .await;
    tour.ask(
        "good tokens then",
        client,
        whoami(&second),
        Expect::status(200),
    )
    .await;
    tour.ask(
        "the forged ones",
        client,
        whoami(&forged),
        Expect::bad_token(),
    )
    .await;
    Ok(())
}

/// The service of the tour's configuration: 8 connections, 2 s for a header, 2 s for a request.
async fn limits(tour: &mut Tour, client: &Client, token: &str) -> Result<(), Box<dyn Error>> {
    let line = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n", client.address());
    let got = client.ask_raw(line.as_bytes()).await.failure;
    let closed = "the connection was closed";
    tour.note("a header that never ends", closed, got.unwrap_or_default());
    let post = format!(
        "POST /api/cases HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        client.address(),
    );
    tour.ask_raw("a body that never ends", client, &post, Expect::status(408))
        .await;
    // What the handler had begun when its time was up is unknown, and the trail says so.
    let cancelled = Expect::status(200)
        .json("/counts/cancelled", 1)
        .json("/records/1/action", "POST /api/cases");
    let ask = Ask::get("/api/audit").bearer(token);
    tour.ask("what the audit trail says of it", client, ask, cancelled)
        .await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(client.begin(b"").await?);
    }
    let ninth = Ask::get("/healthz");
    let soon = tokio::time::timeout(Duration::from_millis(300), client.ask(&ninth)).await;
    let got = if soon.is_ok() { "is answered" } else { "waits" };
    tour.note(
        "eight silent clients take all places: the ninth",
        "waits",
        got,
    );
    tour.ask(
        "it gets a place when their time is up",
        client,
        ninth,
        Expect::status(200),
    )
    .await;
    let mut closed = 0_usize;
    for stream in &mut silent {
        let mut byte = [0; 1];
        let reading = stream.read(&mut byte);
        if tokio::time::timeout(Duration::from_secs(4), reading)
            .await
            .is_ok()
        {
            closed = closed.saturating_add(1);
        }
    }
    tour.note(
        "how many of the silent ones were sent away",
        "8",
        closed.to_string(),
    );
    Ok(())
}
