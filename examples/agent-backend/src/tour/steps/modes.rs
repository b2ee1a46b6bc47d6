//! The same service with other modes: by what callers are authenticated is a matter of its configuration.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};
use crate::tour::steps::api_keys::{Key, MANAGER, new_key};

/// A key that is good still when the service is started again.
pub(crate) async fn key(client: &Client, forge: &Forge) -> Key {
    let end = forge.date(7);
    let body = format!(r#"{{"name":"modes","scopes":["cases:read"],"expires_at":"{end}"}}"#);
    let answer = client.ask(&new_key(&forge.good(&MANAGER), &body)).await;
    Key::of(&answer, forge)
}

/// With the data of the service in `data_dir`, which was stopped.
pub(crate) async fn run(
    tour: &mut Tour,
    data_dir: &Path,
    forge: &Forge,
    key: &Key,
) -> Result<(), Box<dyn Error>> {
    let whoami = || Ask::get("/api/whoami");
    let token = forge.good(&ALPHA);
    tour.area("Modes: API keys alone");
    let mut service = serve(tour, data_dir, "modes = [\"api_key\"]\n").await?;
    let client = Client::new(service.address());
    let by_key = Expect::status(200).json("/kind", "api_key");
    tour.ask("a key", &client, key.on(whoami()), by_key).await;
    tour.ask(
        "a token, which was good",
        &client,
        whoami().bearer(&token),
        Expect::status(401),
    )
    .await;
    let both = key.on(whoami()).bearer(&token);
    tour.ask("both", &client, both, Expect::status(400)).await;
    let ready = Expect::status(200).json("/keys", "none");
    tour.ask(
        "ready, without keys of an issuer",
        &client,
        Ask::get("/readyz"),
        ready,
    )
    .await;
    service.terminate()?;
    service.ended().await?;

    tour.area("Modes: tokens alone");
    let mut service = serve(tour, data_dir, "modes = [\"jwt\"]\n").await?;
    let client = Client::new(service.address());
    let by_token = Expect::status(200).json("/kind", "user");
    tour.ask("a token", &client, whoami().bearer(&token), by_token)
        .await;
    tour.ask(
        "a key, which was good",
        &client,
        key.on(whoami()),
        Expect::no_credentials(),
    )
    .await;
    let manager = forge.good(&MANAGER);
    let make = new_key(&manager, r#"{"name":"x"}"#);
    tour.ask(
        "making a key that nobody would accept",
        &client,
        make,
        Expect::status(404),
    )
    .await;
    service.terminate()?;
    service.ended().await?;

    tour.area("Modes: nobody is authenticated, on a development machine");
    let nobody = "modes = [\"none\"]\n[unchecked]\nsubject = \"grace\"\norg = \"acme\"\nscopes = [\"cases:read\"]\n";
    let mut service = serve(tour, data_dir, nobody).await?;
    let client = Client::new(service.address());
    let grace = Expect::status(200).json("/subject", "grace");
    tour.ask("no credentials", &client, whoami(), grace).await;
    tour.ask(
        "what she may do",
        &client,
        Ask::get("/api/cases"),
        Expect::status(200),
    )
    .await;
    tour.ask(
        "what she may not",
        &client,
        Ask::get("/api/audit"),
        Expect::status(403),
    )
    .await;
    service.terminate()?;
    service.ended().await?;
    Ok(())
}

async fn serve(
    tour: &mut Tour,
    data_dir: &Path,
    modes: &str,
) -> Result<crate::tour::service::Service, Box<dyn Error>> {
    let config = tour.folder.join("modes.toml");
    // TOML's basic strings have the escapes of JSON.
    let data_dir = Value::from(data_dir.to_string_lossy());
    fs::write(
        &config,
        format!("listen = \"127.0.0.1:0\"\ndata_dir = {data_dir}\n{modes}"),
    )?;
    let config = config.display().to_string();
    tour.serve(&["serve", "--dev", "--config", &config]).await
}
