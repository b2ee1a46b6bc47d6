//! How many requests are served, to whom.

use core::time::Duration;
use std::error::Error;
use std::path::Path;

use crate::tour::Tour;
use crate::tour::answer::Answer;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who};
use crate::tour::service::Service;
use crate::tour::steps::project_limits;

/// Of an organisation that nobody else in the tour is of, so that nothing is counted yet.
const CALLER: Who = Who {
    subject: "counted",
    tenant: Some(("counted", Some("one"))),
    ..ALPHA
};

/// A machine behind which others stand, and few failures.
const BEHIND_A_PROXY: &[(&str, &str)] = &[
    ("AGENT_BACKEND__FRONT__TRUSTED_PROXIES", "127.0.0.1"),
    ("AGENT_BACKEND__FRONT__SERVE_PLAIN_HTTP", "true"),
    ("AGENT_BACKEND__RATE_LIMITS__FAILED_CREDENTIALS__COUNT", "5"),
    ("AGENT_BACKEND__RATE_LIMITS__FAILED_CREDENTIALS__BURST", "5"),
];

/// With the data of the service in `data_dir`, which was stopped.
pub(crate) async fn run(
    tour: &mut Tour,
    data_dir: &Path,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    // The defaults.
    let service = serve(tour, data_dir, &[]).await?;
    let client = Client::new(service.address());
    told(tour, &client, forge).await;
    heavy(tour, &client, forge).await;
    logins(tour, &client).await;
    let other = serve(tour, data_dir, BEHIND_A_PROXY).await?;
    let proxy = Client::new(other.address());
    accounts(tour, &proxy).await;
    failures(tour, &proxy, forge).await;
    project_limits::run(tour, &client, &proxy, forge).await;
    for mut service in [service, other] {
        service.terminate()?;
        service.ended().await?;
    }
    Ok(())
}

async fn serve(
    tour: &mut Tour,
    data_dir: &Path,
    variables: &[(&str, &str)],
) -> Result<Service, Box<dyn Error>> {
    let data_dir = data_dir.display().to_string();
    let mut args = vec!["serve", "--dev", "--listen", "127.0.0.1:0"];
    args.extend(["--data-dir", &data_dir]);
    tour.serve_with(&args, variables).await
}

/// Waits as long as a refusal says.
pub(crate) async fn wait_as_told(refusal: &Answer) {
    let told = refusal.header("retry-after");
    let told = told.and_then(|value| value.parse().ok()).unwrap_or(0);
    tokio::time::sleep(Duration::from_secs(told)).await;
}

fn whoami(token: &str) -> Ask {
    Ask::get("/api/whoami").bearer(token)
}

async fn told(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Rate limits: what is told");
    let token = forge.good(&CALLER);
    let policy = r#""tenant";q=40;w=2, "user";q=100;w=60"#;
    let first = Expect::status(200)
        .header("ratelimit-policy", policy)
        .header("ratelimit", r#""tenant";r=39;t=1, "user";r=99;t=1"#)
        .header("x-ratelimit-limit", "40")
        .header("x-ratelimit-remaining", "39")
        .header("x-ratelimit-reset", "1")
        .no_header("retry-after");
    let tried = "the first request of somebody";
    tour.ask(tried, client, whoami(&token), first).await;
    let lacking = forge.good(&Who {
        subject: "lacking",
        scopes: &[],
        ..CALLER
    });
    let tried = "what is refused for another reason";
    let ask = Ask::get("/api/cases").bearer(&lacking);
    let refused = Expect::lacks("cases:read").no_header("ratelimit");
    tour.ask(tried, client, ask, refused).await;
    let second = Expect::status(200)
        .json("/limits/0/name", "tenant")
        .json("/limits/0/quota", 40)
        .json("/limits/0/window_seconds", 2)
        .json("/limits/1/name", "user")
        .json("/limits/1/remaining", 99)
        .json("/limits/1/reset_seconds", 1)
        .json("/limits/2/name", "heavy")
        .json("/limits/2/remaining", 5);
    let tried = "which was not counted: the limits of the same person";
    let limits = Ask::get("/v1/limits").bearer(&lacking);
    tour.ask(tried, client, limits.clone(), second).await;
    let tried = "looking again: nothing of the costly ones was taken";
    let third = Expect::status(200).json("/limits/2/remaining", 5);
    tour.ask(tried, client, limits, third).await;
    let tried = "the limits of nobody";
    let ask = Ask::get("/v1/limits");
    tour.ask(tried, client, ask, Expect::no_credentials()).await;
    let stranger = Expect::status(200).header("ratelimit-policy", r#""anonymous";q=60;w=60"#);
    tour.ask("a page for everybody", client, Ask::get("/"), stranger)
        .await;
    for probe in ["/healthz", "/readyz"] {
        let tried = format!("{probe}, which has no limits");
        let expect = Expect::status(200).no_header("ratelimit");
        tour.ask(&tried, client, Ask::get(probe), expect).await;
    }
}

async fn heavy(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Rate limits: costly routes");
    let token = forge.good(&CALLER);
    for title in ["The printer is on fire", "Coffee"] {
        let body = format!(r#"{{"title":"{title}","body":"Paper jam."}}"#);
        let ask = Ask::new("POST", "/api/cases").bearer(&token).json(body);
        client.ask(&ask).await;
    }
    let discover = |token: &str| {
        let body = r#"{"text":"PRINTER"}"#;
        Ask::new("POST", "/v1/discover").bearer(token).json(body)
    };
    let evaluate = |token: &str| {
        let body = r#"{"title":"the printer is on FIRE","body":"paper jam"}"#;
        Ask::new("POST", "/v1/evaluate").bearer(token).json(body)
    };
    let found = Expect::status(200)
        .json("/cases/0/title", "The printer is on fire")
        .json("/looked_at", 2);
    let tried = "costly request 1, looking for a text";
    let answer = tour.ask(tried, client, discover(&token), found).await;
    let is_all = answer.json().pointer("/cases/1").is_none();
    tour.happened("which finds nothing else", is_all);
    let like = Expect::status(200)
        .json("/similar/0/title", "The printer is on fire")
        .json("/similar/0/common_percent", 100)
        .json("/looked_at", 2);
    let tried = "costly request 2, what a draft is like";
    tour.ask(tried, client, evaluate(&token), like).await;
    for n in 3..=5 {
        let tried = format!("costly request {n}");
        tour.ask(&tried, client, discover(&token), Expect::status(200))
            .await;
    }
    // One comes in six seconds, five in thirty; and a tenth.
    let refused = Expect::limited("heavy", 33)
        .header("x-ratelimit-limit", "5")
        .header("content-type", "application/problem+json");
    let tried = "the sixth";
    tour.ask(tried, client, discover(&token), refused.clone())
        .await;
    let tried = "the other costly route, which shares the limit";
    tour.ask(tried, client, evaluate(&token), refused).await;
    let left = Expect::status(200)
        .json("/limits/2/name", "heavy")
        .json("/limits/2/remaining", 0);
    let ask = Ask::get("/v1/limits").bearer(&token);
    tour.ask("what is left", client, ask, left).await;
    let tried = "any other route";
    tour.ask(tried, client, whoami(&token), Expect::status(200))
        .await;
    let other = forge.good(&Who {
        subject: "another",
        ..CALLER
    });
    let tried = "somebody else of the same project";
    tour.ask(tried, client, discover(&other), Expect::status(200))
        .await;
}

fn login(path: &str, account: &str) -> Ask {
    let body = format!(r#"{{"account":"{account}","password":"guess"}}"#);
    Ask::new("POST", path).json(body)
}

async fn logins(tour: &mut Tour, client: &Client) {
    tour.area("Rate limits: logins by address");
    let none = || {
        Expect::status(501)
            .says("no accounts")
            .header("ratelimit-policy", r#""auth_address";q=5;w=60"#)
    };
    for n in 1..=5 {
        let tried = format!("attempt {n}, each at another account");
        let ask = login("/auth/login", &format!("a{n}@example.com"));
        tour.ask(&tried, client, ask, none()).await;
    }
    let refused = || Expect::limited("auth_address", 66).header("x-ratelimit-limit", "5");
    let sixth = login("/auth/login", "a6@example.com");
    tour.ask("the sixth", client, sixth.clone(), refused())
        .await;
    let tried = "the same with an address that the client writes";
    let ask = sixth.header("x-forwarded-for", "198.51.100.7");
    tour.ask(tried, client, ask, refused()).await;
    for path in ["/auth/register", "/auth/reset-password"] {
        let ask = login(path, "a@example.com");
        tour.ask(path, client, ask, refused()).await;
    }
    let tried = "everything else from that address";
    tour.ask(tried, client, Ask::get("/"), Expect::status(200))
        .await;
}

/// From an address for which the proxy speaks.
fn from(address: &str, ask: Ask) -> Ask {
    ask.header("x-forwarded-for", address)
        .header("x-forwarded-proto", "https")
}

async fn accounts(tour: &mut Tour, proxy: &Client) {
    tour.area("Rate limits: logins by account");
    let spellings = ["ann", "ANN", "Ann", " ann", "ann "];
    for (n, spelling) in spellings.into_iter().enumerate() {
        let tried = format!("{spelling:?}, from an address of its own");
        let ask = login("/auth/login", spelling);
        let ask = from(&format!("198.51.100.{n}"), ask);
        tour.ask(&tried, proxy, ask, Expect::status(501)).await;
    }
    let from_new = |account: &str| from("198.51.100.100", login("/auth/login", account));
    let tried = "the sixth, from yet another address";
    let refused = Expect::limited("auth_account", 66);
    tour.ask(tried, proxy, from_new("ann"), refused).await;
    let tried = "another account, from there";
    tour.ask(tried, proxy, from_new("bob"), Expect::status(501))
        .await;
    let tried = "an account that could be spelt in two ways";
    let ask = from("198.51.100.101", login("/auth/login", "\u{e9}ve"));
    tour.ask(tried, proxy, ask, Expect::status(400)).await;
}

async fn failures(tour: &mut Tour, proxy: &Client, forge: &Forge) {
    tour.area("Rate limits: wrong credentials");
    let guesser = |ask: Ask| from("203.0.113.9", ask);
    let good = forge.good(&CALLER);
    for n in 1..=6 {
        let tried = format!("good token {n}, which counts as no failure");
        let ask = guesser(whoami(&good));
        tour.ask(&tried, proxy, ask, Expect::status(200)).await;
    }
    for n in 1..=5 {
        let tried = format!("wrong token {n}");
        let ask = guesser(whoami("not.a.token"));
        let expect = Expect::bad_token().no_header("ratelimit");
        tour.ask(&tried, proxy, ask, expect).await;
    }
    let refused = || Expect::limited("failed_credentials", 66);
    let ask = guesser(whoami("not.a.token"));
    tour.ask("the sixth", proxy, ask, refused()).await;
    let tried = "a good token from there, at which nobody looks any more";
    tour.ask(tried, proxy, guesser(whoami(&good)), refused())
        .await;
    let tried = "the same from another address";
    let ask = from("203.0.113.10", whoami(&good));
    tour.ask(tried, proxy, ask, Expect::status(200)).await;
    let tried = "without a credential, from there";
    tour.ask(tried, proxy, guesser(Ask::get("/")), Expect::status(200))
        .await;
    let tried = "an address that the guesser writes before the proxy's";
    let ask = from("198.51.100.200, 203.0.113.9", whoami(&good));
    tour.ask(tried, proxy, ask, refused()).await;
}
