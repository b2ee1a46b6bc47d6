//! What everybody may ask.

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;

pub(crate) async fn run(tour: &mut Tour, client: &Client) {
    tour.area("Public routes");
    let alive = || Expect::status(200).says("alive");
    tour.ask("the process lives", client, Ask::get("/healthz"), alive())
        .await;
    let ask = Ask::get("/healthz").bearer("not.a.token");
    tour.ask(
        "the same with a broken token, at which nobody looks",
        client,
        ask,
        alive(),
    )
    .await;
    let ready = Expect::status(200)
        .json("/ready", true)
        .json("/store", "ok")
        .json("/keys", "fresh");
    tour.ask(
        "the service is ready, its keys and its database too",
        client,
        Ask::get("/readyz"),
        ready,
    )
    .await;
    let published = Expect::status(200)
        .header("content-type", "application/jwk-set+json")
        .json("/keys/0/kid", "development-only")
        .json("/keys/0/crv", "Ed25519");
    let ask = Ask::get("/.well-known/jwks.json");
    let answer = tour
        .ask("the keys of the development issuer", client, ask, published)
        .await;
    let private = answer.json().pointer("/keys/0/d").is_some();
    tour.note(
        "their private parts",
        "not published",
        if private {
            "published"
        } else {
            "not published"
        },
    );
    let ask = Ask::new("POST", "/healthz").json("{}");
    tour.ask(
        "another method of a public path",
        client,
        ask,
        Expect::no_credentials().no_header("allow"),
    )
    .await;
    let ask = Ask::get("/healthz").header("x-original-url", "/api/audit");
    tour.ask("a header that names another path", client, ask, alive())
        .await;
}
