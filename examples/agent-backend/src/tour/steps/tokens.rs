//! Tokens that are, and that are not, acceptable.

use std::error::Error;
use std::process::Command;

use serde_json::{Value, json};

use crate::dev_issuer;
use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, with};

pub(crate) async fn run(
    tour: &mut Tour,
    client: &Client,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    tour.area("Tokens");
    good(tour, client, forge).await?;
    for (tried, token) in claims(forge).into_iter().chain(signatures(forge)) {
        let ask = Ask::get("/api/whoami").bearer(&token);
        tour.ask(tried, client, ask, Expect::bad_token()).await;
    }
    key_lookups(tour, client, forge).await?;
    let long = forge.with_claim("padding", "x".repeat(9 * 1024));
    let ask = Ask::get("/api/whoami").bearer(&long);
    tour.ask(
        "a token of more than 9 KB, rightly signed",
        client,
        ask,
        Expect::bad_token(),
    )
    .await;
    let ask = Ask::get("/api/whoami").bearer(&".".repeat(8000));
    tour.ask("eight thousand dots", client, ask, Expect::bad_token())
        .await;
    let ask = Ask::get("/api/whoami").bearer(&forge.good(&ALPHA));
    tour.ask(
        "a good token, after all of this",
        client,
        ask,
        Expect::status(200),
    )
    .await;
    Ok(())
}

async fn good(tour: &mut Tour, client: &Client, forge: &Forge) -> Result<(), Box<dyn Error>> {
    let token = forge.good(&ALPHA);
    let known = Expect::status(200)
        .json("/subject", ALPHA.subject)
        .json("/kind", "user")
        .json("/tenant", json!({ "org": "acme", "project": "alpha" }))
        .json("/scopes", json!(ALPHA.scopes));
    let ask = Ask::get("/api/whoami").bearer(&token);
    tour.ask("a good token", client, ask.clone(), known.clone())
        .await;
    tour.ask("the same again, from the cache", client, ask, known)
        .await;
    let token = printed(tour, forge, &[])?;
    let known = Expect::status(200)
        .json("/subject", "cli")
        .json("/roles", json!(["admin"]))
        .json("/on_behalf_of", Value::Null);
    let ask = Ask::get("/api/whoami").bearer(&token);
    tour.ask(
        "a token that `agent-backend token` printed",
        client,
        ask,
        known,
    )
    .await;
    let token = printed(tour, forge, &["--actor", "planner"])?;
    let known = Expect::status(200)
        .json("/subject", "planner")
        .json("/kind", "agent")
        .json("/on_behalf_of", "cli");
    let ask = Ask::get("/api/whoami").bearer(&token);
    tour.ask(
        "a token of an agent that acts for somebody",
        client,
        ask,
        known,
    )
    .await;
    Ok(())
}

/// What the command prints.
fn printed(tour: &Tour, forge: &Forge, more: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(&tour.program)
        .args(["token", "--sub", "cli", "--org", "acme", "--role", "admin"])
        .arg("--data-dir")
        .arg(tour.folder.join("development"))
        .args(more)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(forge.keep(text.trim_end().to_owned()))
}

/// Rightly signed, and not what the issuer may say, or not now, or not to us.
fn claims(forge: &Forge) -> Vec<(&'static str, String)> {
    let header = Forge::header().to_string();
    let claims = forge.claims().to_string();
    let twice = claims.replacen('{', r#"{"sub":"admin","#, 1);
    vec![
        ("expired", forge.with_claim("exp", forge.at(-120))),
        ("no expiry", forge.without_claim("exp")),
        (
            "an expiry in quotes",
            forge.with_claim("exp", forge.at(600).to_string()),
        ),
        (
            "a life of two days",
            forge.with_claim("exp", forge.at(172_800)),
        ),
        ("not valid yet", forge.with_claim("nbf", forge.at(600))),
        (
            "issued in the future",
            forge.with_claim("iat", forge.at(600)),
        ),
        (
            "for another audience",
            forge.with_claim("aud", "http://other.localhost"),
        ),
        ("for no audience", forge.without_claim("aud")),
        (
            "of another issuer",
            forge.with_claim("iss", "https://login.example.com"),
        ),
        (
            "of an issuer with a slash more",
            forge.with_claim("iss", format!("{}/", dev_issuer::ISSUER)),
        ),
        ("without a subject", forge.without_claim("sub")),
        ("the subject named twice", forge.sign(&header, &twice)),
        ("claims that are no object", forge.sign(&header, "[]")),
        (
            "claims in a hundred brackets",
            forge.with_claim("deep", deep(100)),
        ),
    ]
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| Value::from(vec![inner]))
}

/// Wrongly signed, or signed in a way that the key is not for.
fn signatures(forge: &Forge) -> Vec<(&'static str, String)> {
    let header = Forge::header().to_string();
    let claims = forge.claims().to_string();
    let twice = header.replacen('{', r#"{"alg":"none","#, 1);
    let id_token = with(Forge::header(), "typ", "JWT".into()).to_string();
    let good = forge.good(&ALPHA);
    vec![
        ("alg none", forge.unsigned("none")),
        ("alg nOnE", forge.unsigned("nOnE")),
        ("HS256, keyed with the public key", forge.confused()),
        (
            "ES256, under an EdDSA key's id",
            forge.with_header("alg", "ES256"),
        ),
        ("the algorithm named twice", forge.sign(&twice, &claims)),
        (
            "another payload under a good signature",
            forge.with_other_payload(),
        ),
        (
            "one character of the signature changed",
            forge.with_other_signature(),
        ),
        (
            "signed with a key of somebody else",
            forge.sign_foreign(&header, &claims),
        ),
        ("an ID token (typ JWT)", forge.sign(&id_token, &claims)),
        (
            "a logout token (typ logout+jwt)",
            forge.with_header("typ", "logout+jwt"),
        ),
        (
            "a critical extension (crit)",
            forge.with_header("crit", json!(["exp"])),
        ),
        (
            "an unencoded payload (b64)",
            forge.with_header("b64", false),
        ),
        (
            "a compressed payload (zip)",
            forge.with_header("zip", "DEF"),
        ),
        (
            "padding behind the signature",
            forge.keep(format!("{good}=")),
        ),
        ("a fourth part", forge.keep(format!("{good}.{good}"))),
    ]
}

/// Tokens that say themselves where their key is. Nothing may be fetched.
async fn key_lookups(
    tour: &mut Tour,
    client: &Client,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/jwks.json", listener.local_addr()?);
    let claims = forge.claims().to_string();
    let foreign = |name: &str, value: Value| {
        let header = with(Forge::header(), name, value).to_string();
        forge.sign_foreign(&header, &claims)
    };
    let attempts = [
        (
            "a key in the token (jwk)",
            foreign("jwk", forge.foreign_jwk()),
        ),
        (
            "the address of a key (jku)",
            foreign("jku", url.as_str().into()),
        ),
        (
            "the address of a certificate (x5u)",
            foreign("x5u", url.as_str().into()),
        ),
        ("an unknown key id", foreign("kid", "other".into())),
        (
            "a key id that is a path",
            foreign("kid", "../../../../dev/null".into()),
        ),
        (
            "a key id that is SQL",
            foreign("kid", "' UNION SELECT 1 --".into()),
        ),
        ("a key id that is a number", foreign("kid", 1.into())),
    ];
    for (tried, token) in attempts {
        let ask = Ask::get("/api/whoami").bearer(&token);
        tour.ask(tried, client, ask, Expect::bad_token()).await;
    }
    let asked =
        tokio::time::timeout(core::time::Duration::from_millis(50), listener.accept()).await;
    let got = if asked.is_ok() {
        "something"
    } else {
        "nothing"
    };
    tour.note("what was fetched from those addresses", "nothing", got);
    Ok(())
}
