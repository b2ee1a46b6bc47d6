//! Keys that the service fetches: they rotate, their server stalls, lies and dies, and strangers
//! make up key ids. The issuer is on this machine, so the service is in the development profile.

use core::time::Duration;
use std::error::Error;
use std::fs;
use std::path::Path;

use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use serde_json::{Value, json};

use crate::dev_issuer;
use crate::tour::Tour;
use crate::tour::callers::Callers;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who};
use crate::tour::outside::{METADATA_PATH, metadata_url, new_key};
use crate::tour::remote::RemoteIssuer;
use crate::tour::service;
use crate::tour::steps::outage;

pub(crate) const AUDIENCE: &str = "https://remote.tour.example";

/// The class of logins that the service of this chapter demands.
const STRONG: &str = "urn:tour:mfa";

/// The times of the service, the shortest that go together: what takes minutes in production takes
/// seconds here.
const TIMES: &str = "\
jwks_ttl_seconds = 7
jwks_timeout_seconds = 1
jwks_max_attempts = 1
jwks_backoff_seconds = 1
jwks_max_backoff_seconds = 1
jwks_cool_down_seconds = 2
jwks_max_stale_seconds = 5
";

const COOL_DOWN: Duration = Duration::from_secs(2);

pub(crate) async fn run(
    tour: &mut Tour,
    dev_data: &Path,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    tour.area("Keys at the issuer");
    let folder = tour.folder.join("remote");
    fs::create_dir_all(&folder)?;
    let mut issuer = RemoteIssuer::start()?;
    let config = folder.join("agent-backend.toml");
    fs::write(&config, configuration(&issuer, &folder.join("data")))?;
    let config = config.display().to_string();
    let serve = ["serve", "--dev", "--config", &config];

    impostor(tour, &issuer, &serve).await?;
    out_of_reach(tour, &folder).await?;
    let service = tour.serve(&serve).await?;
    let client = Client::new(service.address());
    first(tour, &client, &issuer, forge).await;
    tour.area("Keys at the issuer: a login of a kind");
    step_up(tour, &client, &issuer, forge).await;
    tour.area("Keys at the issuer: rotation");
    overlap(tour, &client, &issuer, forge).await?;
    abrupt(tour, &client, &issuer, forge).await?;
    tour.area("Keys at the issuer: a flood of key ids");
    flood(tour, &client, &issuer, forge).await;
    tour.area("Keys at the issuer: an outage");
    let late = folder.join("late").display().to_string();
    let late = outage::run(tour, &client, &mut issuer, forge, &serve, &late).await?;
    tour.area("Keys at the issuer: a development key");
    development(tour, &client, &issuer, forge, dev_data).await?;
    let data_dir = folder.join("never").display().to_string();
    let again: Vec<_> = serve.into_iter().chain(["--data-dir", &data_dir]).collect();
    let tried = "a service that would start with it";
    refused(tour, tried, &again, "publishes the key of a development").await?;

    for (tried, mut service) in [("the service", service), ("the late one", late)] {
        service.terminate()?;
        let status = service.ended().await?;
        let code = status.code().map(|code| code.to_string());
        let tried = format!("how {tried} ended, its client with it");
        tour.note(&tried, "0", code.unwrap_or_default());
    }
    Ok(())
}

fn configuration(issuer: &RemoteIssuer, data_dir: &Path) -> String {
    // TOML's basic strings have the escapes of JSON.
    let data_dir = Value::from(data_dir.to_string_lossy());
    let url = issuer.url();
    format!(
        "listen = \"127.0.0.1:0\"\ndata_dir = {data_dir}\n\n[tokens]\nissuer = \"{url}\"\n\
         audience = \"{AUDIENCE}\"\n{TIMES}\n[step_up]\nacr_values = [\"{STRONG}\"]\n\
         max_age_seconds = 120\n"
    )
}

/// Metadata that names somebody else would let whoever answers at an address choose the keys of
/// that somebody (Discovery 1.0 §4.3).
async fn impostor(
    tour: &mut Tour,
    issuer: &RemoteIssuer,
    serve: &[&str],
) -> Result<(), Box<dyn Error>> {
    let name = issuer.impostor();
    let mut args = serve.to_vec();
    args.extend(["--issuer", &name]);
    let tried = "an issuer whose metadata is that of another";
    refused(tour, tried, &args, "that of another issuer").await?;
    tour.note(
        "how often its keys were asked for",
        "0",
        issuer.asked().to_string(),
    );
    Ok(())
}

/// In production a name, or a document, must not lead into the service's own network (CWE-918).
async fn out_of_reach(tour: &mut Tour, folder: &Path) -> Result<(), Box<dyn Error>> {
    let config = folder.join("production.toml");
    let text = "[tokens]\njwks_max_attempts = 1\n";
    fs::write(&config, text)?;
    let config = config.display().to_string();
    let data_dir = folder.join("never").display().to_string();
    let args = |issuer| {
        let named = ["--issuer", issuer, "--audience", AUDIENCE];
        let serve = ["serve", "--config", &*config, "--data-dir", &*data_dir];
        serve.into_iter().chain(named).collect::<Vec<_>>()
    };
    let near = "https://127.0.0.1:9";
    let tried = "production: an issuer in a network that nobody permitted";
    refused(tour, tried, &args(near), "tokens.jwks_networks").await?;
    let plain = "http://127.0.0.1:9";
    let tried = "production: an issuer without TLS";
    refused(tour, tried, &args(plain), "it is not https").await
}

/// Exit code 1, and a cause with these words.
async fn refused(
    tour: &mut Tour,
    tried: &str,
    args: &[&str],
    words: &str,
) -> Result<(), Box<dyn Error>> {
    let refusal = service::refusal(&tour.program, args, &tour.folder).await?;
    let code = refusal.code.map(|code| code.to_string());
    let said = if refusal.says.contains(words) {
        words
    } else {
        refusal.says.as_str()
    };
    let got = format!("exit {}: {said}", code.unwrap_or_default());
    tour.note(tried, format!("exit 1: {words}"), got);
    Ok(())
}

pub(crate) fn whoami(token: &str) -> Ask {
    Ask::get("/api/whoami").bearer(token)
}

/// A token whose key the issuer never had. Every other part of it is the same each time.
pub(crate) fn unknown_key(forge: &Forge, issuer: &RemoteIssuer, id: &str) -> String {
    let header = json!({ "alg": "EdDSA", "kid": id, "typ": "at+jwt" });
    let mut claims = forge.claims();
    if let Some(claims) = claims.as_object_mut() {
        claims.insert("iss".to_owned(), issuer.url().into());
        claims.insert("aud".to_owned(), AUDIENCE.into());
    }
    forge.sign_foreign(&header.to_string(), &claims.to_string())
}

async fn first(tour: &mut Tour, client: &Client, issuer: &RemoteIssuer, forge: &Forge) {
    let good = forge.issue(&issuer.tokens, &ALPHA, AUDIENCE);
    let ready = Expect::status(200).json("/keys", "fresh");
    tour.ask("ready, with keys", client, Ask::get("/readyz"), ready)
        .await;
    let known = Expect::status(200)
        .json("/issuer", issuer.url())
        .json("/subject", ALPHA.subject);
    tour.ask("a token of the issuer", client, whoami(&good), known)
        .await;
    let foreign = whoami(&forge.good(&ALPHA));
    let refused = Expect::bad_token().leads_to(&metadata_url(AUDIENCE));
    let tried = "a token of a development issuer, which is not trusted beside it";
    tour.ask(tried, client, foreign, refused).await;
    let stranger = Expect::no_credentials().leads_to(&metadata_url(AUDIENCE));
    tour.ask(
        "no credentials: where to find the issuer",
        client,
        Ask::get("/api/cases"),
        stranger,
    )
    .await;
    let metadata = Expect::status(200)
        .header("content-type", "application/json")
        .json("/resource", AUDIENCE)
        .json("/authorization_servers", json!([issuer.url()]))
        .json("/scopes_supported", json!(["cases:read", "cases:write"]));
    let ask = Ask::get(METADATA_PATH);
    tour.ask("what is found there (RFC 9728)", client, ask, metadata)
        .await;
}

async fn step_up(tour: &mut Tour, client: &Client, issuer: &RemoteIssuer, forge: &Forge) {
    let token = |login_age, acr| {
        let who = Who {
            login_age,
            acr,
            ..ALPHA
        };
        forge.issue(&issuer.tokens, &who, AUDIENCE)
    };
    let new = Ask::new("POST", "/api/cases")
        .bearer(&token(None, None))
        .json(r#"{"title":"to be deleted","body":""}"#);
    let path = format!("/api/cases/{}", client.ask(&new).await.text("/id"));
    let demands = format!("acr_values={STRONG} max_age=120");
    let refused = Expect::weak_login(&demands).leads_to(&metadata_url(AUDIENCE));
    for (tried, token) in [
        ("deleting, with a login of no kind", token(Some(0), None)),
        (
            "with one of another kind",
            token(Some(0), Some("urn:tour:password")),
        ),
        (
            "with one of the right kind, three minutes ago",
            token(Some(180), Some(STRONG)),
        ),
        (
            "with one of the right kind, nobody knows when",
            token(None, Some(STRONG)),
        ),
    ] {
        let ask = Ask::new("DELETE", &*path).bearer(&token);
        tour.ask(tried, client, ask, refused.clone()).await;
    }
    let ask = Ask::new("DELETE", &*path).bearer(&token(Some(5), Some(STRONG)));
    tour.ask(
        "with one of the right kind, just now",
        client,
        ask,
        Expect::status(204),
    )
    .await;
}

/// As it should be done: the next key is published before it signs.
async fn overlap(
    tour: &mut Tour,
    client: &Client,
    issuer: &RemoteIssuer,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    let mut callers = Callers::new(forge, &issuer.tokens, AUDIENCE);
    issuer.tokens.announce(new_key("second")?)?;
    issuer.publish();
    let before = issuer.asked();
    let did = callers.ask_until(client, || issuer.asked() > before).await;
    tour.happened("a new key is fetched before any token needs it", did);
    let fetched = issuer.asked();
    issuer.tokens.activate("second")?;
    let mut signed_anew = Callers::new(forge, &issuer.tokens, AUDIENCE);
    for _ in 0..20 {
        callers.ask(client).await;
        signed_anew.ask(client).await;
    }
    callers.report(tour, "of the old key, before and after");
    signed_anew.report(tour, "of the new key, from the first on");
    let cost = issuer.asked().saturating_sub(fetched);
    let tried = "fetches that these cost";
    tour.note(tried, "0", cost.to_string());
    Ok(())
}

/// As it is done after a theft: the next key signs at once, and the old ones are gone.
async fn abrupt(
    tour: &mut Tour,
    client: &Client,
    issuer: &RemoteIssuer,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    let old = forge.issue(&issuer.tokens, &ALPHA, AUDIENCE);
    tour.ask("the key before", client, whoami(&old), Expect::status(200))
        .await;
    issuer.tokens.announce(new_key("third")?)?;
    issuer.tokens.activate("third")?;
    issuer.tokens.retire("second")?;
    issuer.tokens.retire("first")?;
    issuer.publish();
    let before = issuer.asked();
    let new = forge.issue(&issuer.tokens, &ALPHA, AUDIENCE);
    let tried = "a key that signs at once: its first token";
    tour.ask(tried, client, whoami(&new), Expect::status(200))
        .await;
    let cost = issuer.asked().saturating_sub(before);
    tour.note("fetches that it cost", "1", cost.to_string());
    let tried = "the key before, which was withdrawn, and its tokens in the cache";
    tour.ask(tried, client, whoami(&old), Expect::bad_token())
        .await;
    Ok(())
}

/// Somebody who makes up key ids must not make the service flood the issuer.
async fn flood(tour: &mut Tour, client: &Client, issuer: &RemoteIssuer, forge: &Forge) {
    // One is kept to be looked for in the logs; the others have the same claims and signature.
    let sample = unknown_key(forge, issuer, "made-up");
    let rest = sample.split_once('.').map_or("", |(_, rest)| rest);
    let mut callers = Callers::new(forge, &issuer.tokens, AUDIENCE);
    let before = issuer.asked();
    let clock = SystemClock::new();
    let (mut sent, mut others) = (0_u32, Vec::new());
    // Longer than a cool-down, so that one more fetch is permitted on the way.
    let end = COOL_DOWN.saturating_add(Duration::from_millis(500));
    while clock.elapsed() < end {
        let header = json!({ "alg": "EdDSA", "kid": format!("made-up-{sent}"), "typ": "at+jwt" });
        let header = ringwall_jose::base64url::encode(header.to_string());
        let answer = client.ask(&whoami(&format!("{header}.{rest}"))).await;
        sent = sent.saturating_add(1);
        if answer.status != 401 {
            others.push(answer.status);
        }
        if sent.is_multiple_of(5) {
            callers.ask(client).await;
        }
        // Each is a connection, and the machine has only so many ports.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let cool_downs = clock.elapsed().as_secs().checked_div(COOL_DOWN.as_secs());
    let permitted = usize::try_from(cool_downs.unwrap_or_default().saturating_add(1));
    let cost = issuer.asked().saturating_sub(before);
    let tried = format!("{sent} made-up key ids: answered other than 401");
    tour.note(&tried, "[]", format!("{others:?}"));
    let within = "one per cool-down at most";
    let got = match permitted {
        Ok(permitted) if cost <= permitted => within.to_owned(),
        Ok(_) | Err(_) => format!("{cost}"),
    };
    tour.note("fetches that they cost the issuer", within, got);
    callers.report(tour, "among them");
}

/// An issuer that publishes the key of a development machine lets anybody sign who has one.
async fn development(
    tour: &mut Tour,
    client: &Client,
    issuer: &RemoteIssuer,
    forge: &Forge,
    dev_data: &Path,
) -> Result<(), Box<dyn Error>> {
    let good = forge.issue(&issuer.tokens, &ALPHA, AUDIENCE);
    let mut document: Value = serde_json::from_str(&issuer.tokens.jwks())?;
    let development: Value = serde_json::from_str(&dev_issuer::open(dev_data)?.jwks())?;
    let added = development.pointer("/keys/0").cloned();
    if let Some(keys) = document.pointer_mut("/keys").and_then(Value::as_array_mut) {
        keys.extend(added);
    }
    issuer.publish_document(document.to_string());
    // A key id that is not there makes the service look now, rather than in a few seconds.
    let unjudged = Expect::unjudged(30);
    let made_up = unknown_key(forge, issuer, "made-up-again");
    let forged = forge.with_claims([("iss", issuer.url()), ("aud", AUDIENCE)]);
    for (tried, token) in [
        ("a development key comes in beside the good ones", &made_up),
        ("good tokens", &good),
        ("tokens of that key in the name of the issuer", &forged),
    ] {
        tour.ask(tried, client, whoami(token), unjudged.clone())
            .await;
    }
    let closed = Expect::status(503).json("/keys", "unavailable");
    tour.ask("not ready", client, Ask::get("/readyz"), closed)
        .await;
    Ok(())
}
