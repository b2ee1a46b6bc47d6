//! What demands more than a token: a login that is fresh, or of a kind (RFC 9470).

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who};

/// A service that is told nothing else lets delete who logged in within the last five minutes.
pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Step-up");
    let good = forge.good(&ALPHA);
    let new = Ask::new("POST", "/api/cases")
        .bearer(&good)
        .json(r#"{"title":"to be deleted","body":""}"#);
    let path = format!("/api/cases/{}", client.ask(&new).await.text("/id"));
    let refused = Expect::weak_login("max_age=300");
    let unknown = forge.good(&Who {
        login_age: None,
        ..ALPHA
    });
    let long_ago = forge.good(&Who {
        login_age: Some(330),
        ..ALPHA
    });
    let reader = forge.good(&Who {
        login_age: None,
        scopes: &["cases:read"],
        ..ALPHA
    });
    // What is missing is said at once, so that one visit to the login is enough.
    let both = Expect::weak_login("scope=cases:write max_age=300");
    for (tried, token, refused) in [
        (
            "deleting, when nobody knows when the login was",
            &unknown,
            refused.clone(),
        ),
        (
            "deleting, five and a half minutes after it",
            &long_ago,
            refused,
        ),
        ("deleting, without the scope either", &reader, both),
    ] {
        let ask = Ask::new("DELETE", &*path).bearer(token);
        tour.ask(tried, client, ask, refused).await;
    }
    let change = Ask::new("PATCH", &*path)
        .bearer(&unknown)
        .json(r#"{"title":"kept"}"#);
    tour.ask(
        "changing, which can be taken back",
        client,
        change,
        Expect::status(200),
    )
    .await;
    let forged = forge.with_claim("auth_time", forge.at(3600));
    let ask = Ask::new("DELETE", &*path).bearer(&forged);
    tour.ask(
        "a login in an hour from now",
        client,
        ask,
        Expect::bad_token(),
    )
    .await;
    let ask = Ask::new("DELETE", &*path).bearer(&good);
    tour.ask(
        "deleting, just after it",
        client,
        ask,
        Expect::status(204).empty(),
    )
    .await;
}
