//! Whose cases one sees.

use serde_json::Value;

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who};

/// Everything that could be confused with [`ALPHA`]'s tenant.
const OTHERS: [(&str, Who); 4] = [
    ("another organisation", of(Some(("globex", Some("alpha"))))),
    ("another project", of(Some(("acme", Some("beta"))))),
    ("the organisation itself", of(Some(("acme", None)))),
    (
        "an organisation of another spelling",
        of(Some(("ACME", Some("alpha")))),
    ),
];

const fn of(tenant: Option<(&'static str, Option<&'static str>)>) -> Who {
    Who {
        subject: "somebody-else",
        tenant,
        ..ALPHA
    }
}

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Cases and tenants");
    let good = forge.good(&ALPHA);
    let hostile = "x'); DROP TABLE cases; --";
    let new = serde_json::json!({ "title": hostile, "body": "1' OR '1'='1", "sensitivity": "confidential" });
    let ask = Ask::new("POST", "/api/cases")
        .bearer(&good)
        .json(new.to_string());
    let created = Expect::status(201)
        .json("/title", hostile)
        .json("/created_by", ALPHA.subject)
        .json("/status", "open")
        .header("etag", "\"1\"");
    let answer = tour
        .ask("a case with SQL in it", client, ask, created)
        .await;
    let path = format!("/api/cases/{}", answer.text("/id"));
    let location = answer.header("location").unwrap_or_default();
    tour.note("its address", path.as_str(), location);
    let kept = Expect::status(200)
        .json("/title", hostile)
        .json("/version", 1);
    let ask = Ask::get(&*path).bearer(&good);
    tour.ask(
        "it is stored as it was sent",
        client,
        ask.clone(),
        kept.clone(),
    )
    .await;

    for (who, other) in &OTHERS {
        strangers(tour, client, who, &forge.good(other), &path).await;
    }
    let stranger = forge.good(&of(Some(("globex", Some("alpha")))));
    same_answer(tour, client, &stranger, &path).await;
    tour.ask("after all of this it is unchanged", client, ask, kept)
        .await;
    change(tour, client, &good, &path).await;
    pages(tour, client, forge).await;
}

async fn strangers(tour: &mut Tour, client: &Client, who: &str, token: &str, path: &str) {
    let change = r#"{"title":"taken over"}"#;
    let attempts = [
        ("reads", Ask::get(path)),
        ("changes", Ask::new("PATCH", path).json(change)),
        ("deletes", Ask::new("DELETE", path)),
    ];
    for (what, ask) in attempts {
        let tried = format!("{who} {what} it");
        tour.ask(&tried, client, ask.bearer(token), Expect::status(404))
            .await;
    }
    let answer = client.ask(&Ask::get("/api/cases").bearer(token)).await;
    tour.note(
        &format!("{who} lists its cases"),
        "200, 0 cases",
        count(&answer.json(), answer.status),
    );
}

/// An answer that differed between somebody else's case and no case at all would tell which ids
/// exist.
async fn same_answer(tour: &mut Tour, client: &Client, token: &str, path: &str) {
    let missing = "/api/cases/AAAAAAAAAAAAAAAAAAAAAA";
    let mut answers = Vec::new();
    for path in [path, missing] {
        let answer = client.ask(&Ask::get(path).bearer(token)).await;
        let headers = answer
            .headers
            .into_iter()
            .filter(|(name, _)| name != "date");
        answers.push((answer.status, headers.collect::<Vec<_>>(), answer.body));
    }
    let same = answers.first() == answers.last();
    let got = if same { "none" } else { "some" };
    tour.note(
        "the difference between a foreign case and none",
        "none",
        got,
    );
}

async fn change(tour: &mut Tour, client: &Client, token: &str, path: &str) {
    let patch = |body: &str| Ask::new("PATCH", path).bearer(token).json(body);
    let close = r#"{"status":"closed"}"#;
    let steps = [
        (
            "its owner changes it, if it is still the first version",
            patch(close).header("if-match", "\"1\""),
            Expect::status(200)
                .json("/status", "closed")
                .header("etag", "\"2\""),
        ),
        (
            "once more, as if nothing had happened",
            patch(close).header("if-match", "\"1\""),
            Expect::status(412),
        ),
        (
            "deletes it in an old version",
            Ask::new("DELETE", path)
                .bearer(token)
                .header("if-match", "\"1\""),
            Expect::status(412),
        ),
        (
            "an If-Match that means nothing here",
            patch(close).header("if-match", "W/\"2\""),
            Expect::status(400),
        ),
        (
            "deletes it",
            Ask::new("DELETE", path).bearer(token),
            Expect::status(204).empty(),
        ),
        (
            "deletes it again",
            Ask::new("DELETE", path).bearer(token),
            Expect::status(404),
        ),
        (
            "reads what is gone",
            Ask::get(path).bearer(token),
            Expect::status(404),
        ),
    ];
    for (tried, ask, expect) in steps {
        tour.ask(tried, client, ask, expect).await;
    }
}

/// Walks a list in parts while the tenant beside has rows of the same time.
async fn pages(tour: &mut Tour, client: &Client, forge: &Forge) {
    let tenants = ["pages-one", "pages-two"];
    let tokens = tenants.map(|org| forge.good(&of(Some((org, None)))));
    for number in 0..5 {
        for (org, token) in tenants.iter().zip(&tokens) {
            let new = format!(r#"{{"title":"{org} {number}","body":""}}"#);
            client
                .ask(&Ask::new("POST", "/api/cases").bearer(token).json(new))
                .await;
        }
    }
    let [own, _] = &tokens;
    let (mut titles, mut parts, mut target) = (Vec::new(), 0_u32, "/api/cases?limit=2".to_owned());
    while parts < 10 {
        let answer = client.ask(&Ask::get(&*target).bearer(own)).await.json();
        parts = parts.saturating_add(1);
        let cases = answer.pointer("/cases").and_then(Value::as_array);
        let found = cases.into_iter().flatten();
        titles.extend(found.filter_map(|case| Some(case.get("title")?.as_str()?.to_owned())));
        match answer.pointer("/next_cursor").and_then(Value::as_str) {
            Some(cursor) => target = format!("/api/cases?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let own: Vec<_> = (0..5)
        .rev()
        .map(|number| format!("pages-one {number}"))
        .collect();
    let expected = format!("{} in 3 parts", own.join(", "));
    tour.note(
        "five cases in parts of two",
        expected,
        format!("{} in {parts} parts", titles.join(", ")),
    );
}

fn count(list: &Value, status: u16) -> String {
    let cases = list.pointer("/cases").and_then(Value::as_array);
    let count = cases.map_or_else(
        || "no list".to_owned(),
        |cases| format!("{} cases", cases.len()),
    );
    format!("{status}, {count}")
}
