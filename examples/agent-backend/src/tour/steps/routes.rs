//! What a route demands, and what is no route.

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who};

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Routes and scopes");
    let good = forge.good(&ALPHA);
    scopes(tour, client, forge).await;
    for path in [
        "/nope",
        "/.env",
        "/api",
        "/API/WHOAMI",
        "/api/whoami/",
        "/admin",
    ] {
        let tried = format!("{path}, without a token");
        tour.ask(&tried, client, Ask::get(path), Expect::no_credentials())
            .await;
        let tried = format!("{path}, with one");
        let ask = Ask::get(path).bearer(&good);
        tour.ask(&tried, client, ask, Expect::status(404)).await;
    }
    let methods = [
        ("DELETE", "/api/whoami", "GET, HEAD"),
        ("PUT", "/api/cases", "GET, POST, HEAD"),
    ];
    for (method, path, allow) in methods {
        let stranger = Expect::no_credentials().no_header("allow");
        let tried = format!("{method} {path}, without a token");
        tour.ask(&tried, client, Ask::new(method, path), stranger)
            .await;
        let tried = format!("{method} {path}, with one");
        let ask = Ask::new(method, path).bearer(&good);
        tour.ask(
            &tried,
            client,
            ask,
            Expect::status(405).header("allow", allow),
        )
        .await;
    }
    let ask = Ask::new("HEAD", "/api/whoami");
    tour.ask(
        "HEAD, without a token",
        client,
        ask.clone(),
        Expect::no_credentials().empty(),
    )
    .await;
    tour.ask(
        "HEAD, with one",
        client,
        ask.bearer(&good),
        Expect::status(200).empty(),
    )
    .await;
    let ask = Ask::new("OPTIONS", "/api/cases");
    tour.ask(
        "OPTIONS, without a token",
        client,
        ask.clone(),
        Expect::no_credentials().no_header("allow"),
    )
    .await;
    tour.ask(
        "OPTIONS, with one",
        client,
        ask.bearer(&good),
        Expect::status(405),
    )
    .await;
    let ask = Ask::new("OPTIONS", "/api/cases")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST");
    let closed = Expect::status(204).no_header("access-control-allow-origin");
    tour.ask("a preflight from another origin", client, ask, closed)
        .await;
    for method in ["TRACE", "BREW"] {
        let tried = format!("{method}, without a token");
        let ask = Ask::new(method, "/api/whoami");
        tour.ask(&tried, client, ask, Expect::no_credentials())
            .await;
    }
    let ask = Ask::get("/api/whoami")
        .bearer(&good)
        .header("x-http-method-override", "DELETE");
    tour.ask(
        "a header that names another method",
        client,
        ask,
        Expect::status(200),
    )
    .await;
}

async fn scopes(tour: &mut Tour, client: &Client, forge: &Forge) {
    let token = |scopes| forge.good(&Who { scopes, ..ALPHA });
    let case = Ask::new("POST", "/api/cases").json(r#"{"title":"t","body":"b"}"#);
    let reader = token(&["cases:read"]);
    let steps = [
        (
            "reading with cases:read",
            Ask::get("/api/cases").bearer(&reader),
            Expect::status(200),
        ),
        (
            "writing with it",
            case.clone().bearer(&reader),
            Expect::lacks("cases:write"),
        ),
        (
            "the audit trail with it",
            Ask::get("/api/audit").bearer(&reader),
            Expect::lacks("audit:read"),
        ),
        (
            "reading with cases:write alone",
            Ask::get("/api/cases").bearer(&token(&["cases:write"])),
            Expect::lacks("cases:read"),
        ),
        (
            "reading with cases:* and *, which mean nothing here",
            Ask::get("/api/cases").bearer(&token(&["cases:*", "*"])),
            Expect::lacks("cases:read"),
        ),
        (
            "reading with CASES:READ",
            Ask::get("/api/cases").bearer(&token(&["CASES:READ"])),
            Expect::lacks("cases:read"),
        ),
        (
            "writing without any scope",
            case.bearer(&token(&[])),
            Expect::lacks("cases:write"),
        ),
    ];
    for (tried, ask, expect) in steps {
        tour.ask(tried, client, ask, expect).await;
    }
    let nowhere = forge.good(&Who {
        tenant: None,
        ..ALPHA
    });
    let ask = Ask::get("/api/cases").bearer(&nowhere);
    tour.ask("reading without a tenant", client, ask, Expect::status(403))
        .await;
}
