//! How a token is, and is not, presented (RFC 6750).

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};

const ROUTE: &str = "/api/whoami";

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Credentials");
    let good = forge.good(&ALPHA);
    // Nobody gets a token of the development issuer over the network.
    let none = Expect::no_credentials()
        .leads_nowhere()
        .header("cache-control", "no-store");
    tour.ask("no credentials", client, Ask::get(ROUTE), none)
        .await;

    let authorization = |value: String| Ask::get(ROUTE).header("authorization", value);
    let refused = [
        ("an empty Bearer", authorization("Bearer".to_owned())),
        ("a Bearer and a space", authorization("Bearer ".to_owned())),
        (
            "two tokens, with a comma",
            authorization(format!("Bearer {good}, Bearer {good}")),
        ),
        (
            "two tokens, with a space",
            authorization(format!("Bearer {good} {good}")),
        ),
        (
            "the same header twice",
            Ask::get(ROUTE).bearer(&good).bearer(&good),
        ),
        (
            "a good one and a header of another scheme",
            Ask::get(ROUTE)
                .bearer(&good)
                .header("authorization", "Basic YTpi"),
        ),
    ];
    for (tried, ask) in refused {
        tour.ask(tried, client, ask, Expect::bad_request()).await;
    }
    let absent = [
        (
            "another scheme (Basic)",
            authorization("Basic YTpi".to_owned()),
        ),
        ("the token without its scheme", authorization(good.clone())),
        (
            "the token in the query",
            Ask::get(format!("{ROUTE}?access_token={good}")),
        ),
        (
            "the token in a form",
            Ask::new("POST", ROUTE)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("access_token={good}")),
        ),
        (
            "the token in a cookie",
            Ask::get(ROUTE).header("cookie", format!("access_token={good}")),
        ),
        (
            "the token in another header",
            Ask::get(ROUTE).header("x-forwarded-access-token", good.clone()),
        ),
        (
            "a subject in a header",
            Ask::get(ROUTE).header("x-remote-user", "admin"),
        ),
    ];
    for (tried, ask) in absent {
        tour.ask(tried, client, ask, Expect::no_credentials()).await;
    }
    tour.ask(
        "the scheme in small letters (RFC 9110 §11.1)",
        client,
        authorization(format!("bearer {good}")),
        Expect::status(200),
    )
    .await;
}
