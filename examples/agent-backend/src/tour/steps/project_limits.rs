//! How many requests a project is served, as it says itself.

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{Forge, Who};
use crate::tour::steps::api_keys::{MANAGER, STRANGER};
use crate::tour::steps::limits::wait_as_told;

const PATH: &str = "/v1/projects/slow/settings";

/// Manages the project slow of an organisation of its own.
const OWNER: Who = Who {
    subject: "slow-manager",
    tenant: Some(("limited", Some("slow"))),
    ..MANAGER
};

/// Works there.
const WORKER: Who = Who {
    subject: "slow-worker",
    scopes: &[],
    ..OWNER
};

/// `other` is another process on the same database.
pub(crate) async fn run(tour: &mut Tour, client: &Client, other: &Client, forge: &Forge) {
    tour.area("Rate limits: what a project sets for itself");
    let owner = forge.good(&OWNER);
    let settings = || Ask::get(PATH).bearer(&owner);
    let change = |token: &str, body: &str| Ask::new("PATCH", PATH).bearer(token).json(body);
    let holds = |rps: u32, burst: u32| {
        Expect::status(200)
            .json("/rate_limit_rps", rps)
            .json("/rate_limit_burst", burst)
            .json("/ceiling/rate_limit_rps", 50)
            .json("/ceiling/rate_limit_burst", 100)
    };
    let tried = "before it says anything";
    tour.ask(tried, client, settings(), holds(20, 40)).await;
    refusals(tour, client, forge).await;
    for body in [
        r#"{"rate_limit_rps":0}"#,
        r#"{"rate_limit_burst":0}"#,
        r#"{"rate_limit_rps":-1}"#,
        r#"{"rate_limit_rps":"1"}"#,
        r#"{"rate_limit_rpm":1}"#,
    ] {
        let tried = format!("what is no limit: {body}");
        let ask = change(&owner, body);
        tour.ask(&tried, client, ask, Expect::status(400)).await;
    }
    let tried = "more than the operator allows";
    let much = r#"{"rate_limit_rps":1000000,"rate_limit_burst":4294967295}"#;
    tour.ask(tried, client, change(&owner, much), holds(50, 100))
        .await;
    let tried = "two a second, two at once";
    let two = r#"{"rate_limit_rps":2,"rate_limit_burst":2}"#;
    tour.ask(tried, client, change(&owner, two), holds(2, 2))
        .await;
    in_effect(tour, client, forge).await;
    let tried = "another process sees it";
    tour.ask_until(tried, other, settings(), holds(2, 2)).await;
    let tried = "back to what the operator says";
    let back = r#"{"rate_limit_rps":null,"rate_limit_burst":null}"#;
    let ask = change(&owner, back);
    tour.ask_until(tried, client, ask, holds(20, 40)).await;
    let tried = "the other process sees that too";
    tour.ask_until(tried, other, settings(), holds(20, 40))
        .await;
}

async fn refusals(tour: &mut Tour, client: &Client, forge: &Forge) {
    let change = |token: &str| {
        let body = r#"{"rate_limit_rps":1}"#;
        Ask::new("PATCH", PATH).bearer(token).json(body)
    };
    let of_another = Who {
        tenant: Some(("limited", Some("fast"))),
        ..OWNER
    };
    let of_globex = Who {
        tenant: Some(("globex", Some("one"))),
        ..STRANGER
    };
    for (tried, who) in [
        ("changing it from another project", of_another),
        ("changing it from another organisation", of_globex),
    ] {
        let ask = change(&forge.good(&who));
        tour.ask(tried, client, ask, Expect::status(404)).await;
    }
    let reader = forge.good(&Who {
        scopes: &["settings:read"],
        ..OWNER
    });
    let tried = "changing it without the scope";
    let ask = change(&reader);
    tour.ask(tried, client, ask, Expect::lacks("settings:write"))
        .await;
    // The path names no organisation: whoever acts for all of another one sets a project of its own.
    let ask = change(&forge.good(&STRANGER));
    let tried = "a project of the same name in another organisation";
    tour.ask(tried, client, ask, Expect::status(200)).await;
    let ask = Ask::get(PATH).bearer(&forge.good(&OWNER));
    let tried = "which changes nothing here";
    let expect = Expect::status(200).json("/rate_limit_rps", 20);
    tour.ask(tried, client, ask, expect).await;
}

/// The settings hold for the very next request, and for no other project.
async fn in_effect(tour: &mut Tour, client: &Client, forge: &Forge) {
    let token = forge.good(&WORKER);
    let whoami = || Ask::get("/api/whoami").bearer(&token);
    let mut answer = client.ask(&whoami()).await;
    for _ in 0..2 {
        if answer.status == 429 {
            break;
        }
        answer = client.ask(&whoami()).await;
    }
    let refused = Expect::limited("tenant", 2).header("x-ratelimit-limit", "2");
    let tried = "three at once, of which one is too many";
    tour.compare(tried, &answer, &refused);
    let of_another = forge.good(&Who {
        tenant: Some(("limited", Some("fast"))),
        ..WORKER
    });
    let ask = Ask::get("/api/whoami").bearer(&of_another);
    let policy = r#""tenant";q=40;w=2, "user";q=100;w=60"#;
    let others = Expect::status(200).header("ratelimit-policy", policy);
    let tried = "another project of the same organisation";
    tour.ask(tried, client, ask, others).await;
    wait_as_told(&answer).await;
    let policy = r#""tenant";q=2;w=1, "user";q=100;w=60"#;
    let served = Expect::status(200).header("ratelimit-policy", policy);
    let tried = "the same again, as late as it was told";
    tour.ask(tried, client, whoami(), served).await;
}
