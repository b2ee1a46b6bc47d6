//! What the trail says afterwards.

use serde_json::Value;

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::forge::{ALPHA, Forge, Who};

/// A tenant of its own, so that everything in its trail comes from here.
const AUDITED: Who = Who {
    subject: "audited",
    tenant: Some(("audited", Some("one"))),
    scopes: &["cases:read", "audit:read"],
    ..ALPHA
};

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Audit trail");
    let token = forge.good(&AUDITED);
    let writer = forge.good(&Who {
        scopes: &["cases:write"],
        ..AUDITED
    });
    let new = |title: &str| format!(r#"{{"title":"{title}","body":"b"}}"#);
    let post = |token: &str| Ask::new("POST", "/api/cases").bearer(token);
    client.ask(&post(&writer).json(new("audited"))).await;
    client.ask(&post(&token).json(new("denied"))).await;
    client
        .ask(
            &post(&writer)
                .json("{")
                .header("x-forwarded-for", "203.0.113.9"),
        )
        .await;

    let ask = Ask::get("/api/audit").bearer(&token);
    let trail = client.ask(&ask).await.json();
    let one = |tried: &str, wanted: [(&str, Value); 3], tour: &mut Tour| {
        let found = records(&trail).any(|record| {
            wanted
                .iter()
                .all(|(name, value)| record.get(*name) == Some(value))
        });
        let expected = wanted.map(|(_, value)| value.to_string()).join(" ");
        let got = if found {
            expected.clone()
        } else {
            "no such record".to_owned()
        };
        tour.note(tried, expected, got);
    };
    let action = ("action", "POST /api/cases".into());
    let outcome =
        |outcome: &str, status: u16| [("outcome", outcome.into()), ("status", status.into())];
    let [completed, created] = outcome("completed", 201);
    one(
        "a case was made",
        [action.clone(), completed, created],
        tour,
    );
    let [denied, forbidden] = outcome("denied", 403);
    one(
        "a case was not made, for want of a scope",
        [action.clone(), denied, forbidden],
        tour,
    );
    let [completed, bad] = outcome("completed", 400);
    one(
        "a case was not made, for its form",
        [action, completed, bad],
        tour,
    );
    let sources: Vec<_> = records(&trail)
        .filter_map(|record| record.get("source"))
        .collect();
    let direct = sources.iter().all(|source| **source == "127.0.0.1");
    let got = if direct {
        "127.0.0.1"
    } else {
        "something else"
    };
    tour.note(
        "where they came from, whatever their headers say",
        "127.0.0.1",
        got,
    );
    let open = records(&trail).filter(|record| record.get("outcome") == Some(&"unsettled".into()));
    let open: Vec<_> = open
        .filter_map(|record| record.get("action")?.as_str())
        .collect();
    tour.note(
        "what has an intent and no outcome yet: this request",
        "GET /api/audit",
        open.join(", "),
    );
    let foreign = records(&trail).filter(|record| record.get("subject") != Some(&"audited".into()));
    tour.note(
        "records of other tenants in it",
        "0",
        foreign.count().to_string(),
    );
}

fn records(trail: &Value) -> impl Iterator<Item = &Value> {
    let records = trail.pointer("/records").and_then(Value::as_array);
    records.into_iter().flatten()
}
