//! Keys for programs: made by people, shown once, bound, rotated, revoked.

use crate::tour::Tour;
use crate::tour::answer::Answer;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge, Who, with};

pub(crate) const KEYS: &str = "/v1/auth/api-keys";

/// Manages the keys of the whole organisation acme.
pub(crate) const MANAGER: Who = Who {
    subject: "key-manager",
    tenant: Some(("acme", None)),
    scopes: &[
        "settings:read",
        "settings:write",
        "cases:read",
        "cases:write",
    ],
    ..ALPHA
};

/// The same in another organisation.
pub(crate) const STRANGER: Who = Who {
    subject: "stranger",
    tenant: Some(("globex", None)),
    ..MANAGER
};

/// In the project alpha of acme alone.
const OF_ALPHA: Who = Who {
    subject: "alpha-manager",
    tenant: Some(("acme", Some("alpha"))),
    ..MANAGER
};

/// A key that the tour made.
pub(crate) struct Key {
    id: String,
    text: String,
}

impl Key {
    pub(crate) fn of(answer: &Answer, forge: &Forge) -> Self {
        Self {
            id: answer.text("/id"),
            text: forge.keep(answer.text("/key")),
        }
    }

    pub(crate) fn on(&self, ask: Ask) -> Ask {
        ask.header("x-api-key", &*self.text)
    }
}

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("API keys");
    let manager = forge.good(&MANAGER);
    let key = make(tour, client, forge, &manager).await;
    use_it(tour, client, &key).await;
    refusals(tour, client, forge, &key, &manager).await;
    restrictions(tour, client, forge, &manager).await;
    strangers(tour, client, forge, &key).await;
    let new = rotate(tour, client, forge, &key, &manager).await;
    revoke(tour, client, &new, &manager).await;
}

pub(crate) fn new_key(manager: &str, body: &str) -> Ask {
    Ask::new("POST", KEYS).bearer(manager).json(body)
}

async fn make(tour: &mut Tour, client: &Client, forge: &Forge, manager: &str) -> Key {
    let body = r#"{"name":"nightly job","project_id":"alpha","scopes":["cases:*"],"expires_at":"2999-01-01T00:00:00Z"}"#;
    tour.ask(
        "a key that would outlive everybody",
        client,
        new_key(manager, body),
        Expect::status(400).says("live too long"),
    )
    .await;
    for (tried, body) in [
        (
            "a key with a scope that there is not",
            r#"{"name":"x","scopes":["admin"]}"#,
        ),
        ("a key to everything", r#"{"name":"x","scopes":["*"]}"#),
        ("a key without an end", r#"{"name":"x"}"#),
        (
            "a key for a network with bits behind its prefix",
            r#"{"name":"x","allowed_ip_ranges":["10.0.0.1/8"]}"#,
        ),
        (
            "a key for every page",
            r#"{"name":"x","allowed_origins":["*"]}"#,
        ),
        ("a key without a name", r#"{"name":""}"#),
        (
            "a key with a member that there is not",
            r#"{"name":"x","org_id":"globex"}"#,
        ),
    ] {
        tour.ask(tried, client, new_key(manager, body), Expect::status(400))
            .await;
    }
    let end = forge.date(7);
    for scopes in [r#"["audit:read"]"#, r#"["cases:read","audit:read"]"#] {
        let body = format!(r#"{{"name":"x","scopes":{scopes},"expires_at":"{end}"}}"#);
        let tried = format!("a key with what its maker may not do: {scopes}");
        let ask = new_key(manager, &body);
        tour.ask(&tried, client, ask, Expect::status(403)).await;
    }
    let body = format!(
        r#"{{"name":"nightly job","project_id":"alpha","scopes":["cases:*"],"expires_at":"{end}"}}"#
    );
    let made = tour
        .ask(
            "a key of the project alpha, to be shown once",
            client,
            new_key(manager, &body),
            Expect::status(201)
                .json("/state", "active")
                .json("/project_id", "alpha")
                .json("/scopes", serde_json::json!(["cases:read", "cases:write"]))
                .header("cache-control", "no-store"),
        )
        .await;
    let key = Key::of(&made, forge);
    let found = client
        .ask(&Ask::get(format!("{KEYS}/{}", key.id)).bearer(manager))
        .await;
    tour.happened("it is listed", found.text("/id") == key.id);
    let secret = key.text.get(21..).unwrap_or("-").to_owned();
    tour.happened(
        "and no answer shows it again",
        !found.body.contains(&secret),
    );
    key
}

async fn use_it(tour: &mut Tour, client: &Client, key: &Key) {
    tour.ask(
        "using it",
        client,
        key.on(Ask::get("/api/whoami")),
        Expect::status(200)
            .json("/kind", "api_key")
            .json("/subject", &*key.id)
            .json("/tenant/org", "acme")
            .json("/tenant/project", "alpha"),
    )
    .await;
    let case = key
        .on(Ask::new("POST", "/api/cases"))
        .json(r#"{"title":"by a key","body":""}"#);
    tour.ask("working with it", client, case, Expect::status(201))
        .await;
    tour.ask(
        "reading the audit trail, which it may not",
        client,
        key.on(Ask::get("/api/audit")),
        Expect::status(403),
    )
    .await;
    let body = r#"{"name":"x"}"#;
    tour.ask(
        "making a key with a key",
        client,
        key.on(Ask::new("POST", KEYS)).json(body),
        Expect::status(403),
    )
    .await;
}

async fn refusals(tour: &mut Tour, client: &Client, forge: &Forge, key: &Key, manager: &str) {
    let bad = Expect::bad_token;
    let changed = |from: usize| {
        let mut text = key.text.clone().into_bytes();
        if let Some(byte) = text.get_mut(from) {
            *byte = if *byte == b'a' { b'b' } else { b'a' };
        }
        String::from_utf8(text).unwrap_or_default()
    };
    for (tried, text) in [
        ("a key with a wrong checksum", changed(69)),
        (
            "a key with one character of the secret changed",
            changed(30),
        ),
        ("a key with another id", changed(6)),
        (
            "a key that was cut off",
            key.text.get(..60).unwrap_or_default().to_owned(),
        ),
        (
            "a key of the old form",
            format!("pak_{}", "0123456789abcdef".repeat(4)),
        ),
        ("two keys in one field", format!("{0}, {0}", key.text)),
    ] {
        let ask = Ask::get("/api/whoami").header("x-api-key", text);
        tour.ask(tried, client, ask, bad()).await;
    }
    let twice = key.on(key.on(Ask::get("/api/whoami")));
    tour.ask(
        "two fields with a key",
        client,
        twice,
        Expect::bad_request(),
    )
    .await;
    let both = key.on(Ask::get("/api/whoami").bearer(manager));
    tour.ask(
        "a key and a token together",
        client,
        both,
        Expect::bad_request(),
    )
    .await;
    let query = Ask::get(format!("/api/whoami?api_key={}", key.text));
    tour.ask(
        "a key in the query",
        client,
        query,
        Expect::no_credentials(),
    )
    .await;
    let empty = Ask::get("/api/whoami").header("x-api-key", "");
    tour.ask("an empty key", client, empty, Expect::bad_request())
        .await;
    let claims = with(forge.claims(), "scope", "settings:write".into());
    let claims = with(claims, "act", serde_json::json!({ "sub": "agent" }));
    let agent = forge.sign(&Forge::header().to_string(), &claims.to_string());
    let ask = new_key(&agent, r#"{"name":"x"}"#);
    let tried = "making a key by an agent, on behalf of somebody who may";
    tour.ask(tried, client, ask, Expect::status(403)).await;
}

async fn restrictions(tour: &mut Tour, client: &Client, forge: &Forge, manager: &str) {
    let end = forge.date(7);
    let elsewhere = format!(
        r#"{{"name":"x","scopes":["cases:read"],"expires_at":"{end}","allowed_ip_ranges":["198.51.100.0/24"]}}"#
    );
    let made = client.ask(&new_key(manager, &elsewhere)).await;
    let key = Key::of(&made, forge);
    let whoami = || key.on(Ask::get("/api/whoami"));
    tour.ask(
        "a key of another network",
        client,
        whoami(),
        Expect::bad_token(),
    )
    .await;
    tour.ask(
        "the same, with the address written by the caller",
        client,
        whoami().header("x-forwarded-for", "198.51.100.7"),
        Expect::bad_token(),
    )
    .await;
    let here = format!(
        r#"{{"name":"x","scopes":["cases:read"],"expires_at":"{end}","allowed_ip_ranges":["127.0.0.0/8"],"allowed_origins":["https://*.example.com"]}}"#
    );
    let made = client.ask(&new_key(manager, &here)).await;
    let key = Key::of(&made, forge);
    let whoami = || key.on(Ask::get("/api/whoami"));
    tour.ask(
        "a key of this network, on its page",
        client,
        whoami().header("origin", "https://app.example.com"),
        Expect::status(200),
    )
    .await;
    for origin in [
        "https://evilexample.com",
        "https://example.com",
        "http://app.example.com",
        "null",
    ] {
        let tried = format!("the same on {origin}");
        let ask = whoami().header("origin", origin);
        tour.ask(&tried, client, ask, Expect::bad_token()).await;
    }
    tour.ask(
        "the same outside a browser",
        client,
        whoami(),
        Expect::bad_token(),
    )
    .await;
}

async fn strangers(tour: &mut Tour, client: &Client, forge: &Forge, key: &Key) {
    let path = format!("{KEYS}/{}", key.id);
    let stranger = forge.good(&STRANGER);
    let none = || Expect::status(404);
    tour.ask(
        "looking at the key of another organisation",
        client,
        Ask::get(&*path).bearer(&stranger),
        none(),
    )
    .await;
    tour.ask(
        "revoking it",
        client,
        Ask::new("DELETE", &*path).bearer(&stranger),
        none(),
    )
    .await;
    let rotate = |org: &str, project: &str| {
        format!(
            "/v1/orgs/{org}/projects/{project}/api-keys/{}/rotate",
            key.id
        )
    };
    for (tried, target) in [
        (
            "rotating it by naming its organisation",
            rotate("acme", "alpha"),
        ),
        ("rotating it as one's own", rotate("globex", "alpha")),
    ] {
        let ask = Ask::new("POST", target).bearer(&stranger).json("{}");
        tour.ask(tried, client, ask, none()).await;
    }
    let list = client.ask(&Ask::get(KEYS).bearer(&stranger)).await;
    tour.happened(
        "the list of the other organisation is empty",
        list.json().pointer("/api_keys") == Some(&serde_json::json!([])),
    );
    let of_beta = forge.good(&Who {
        tenant: Some(("acme", Some("beta"))),
        ..OF_ALPHA
    });
    tour.ask(
        "looking at it from another project",
        client,
        Ask::get(&*path).bearer(&of_beta),
        none(),
    )
    .await;
    let ask = new_key(&of_beta, r#"{"name":"x","project_id":"alpha"}"#);
    tour.ask("making a key for another project", client, ask, none())
        .await;
    let reader = forge.good(&Who {
        scopes: &["settings:read"],
        ..MANAGER
    });
    let ask = Ask::new("DELETE", &*path).bearer(&reader);
    tour.ask(
        "revoking it without the scope",
        client,
        ask,
        Expect::status(403),
    )
    .await;
    tour.ask(
        "and it is good still",
        client,
        key.on(Ask::get("/api/whoami")),
        Expect::status(200),
    )
    .await;
}

async fn rotate(tour: &mut Tour, client: &Client, forge: &Forge, key: &Key, manager: &str) -> Key {
    let target = format!("/v1/orgs/acme/projects/alpha/api-keys/{}/rotate", key.id);
    let long = Ask::new("POST", &*target)
        .bearer(manager)
        .json(r#"{"grace_seconds":2592001}"#);
    tour.ask(
        "a rotation with a grace without end",
        client,
        long,
        Expect::status(400),
    )
    .await;
    let without_cases = forge.good(&Who {
        scopes: &["settings:read", "settings:write"],
        ..MANAGER
    });
    let ask = Ask::new("POST", &*target).bearer(&without_cases).json("{}");
    let tried = "rotating it by who may do less than the key, and would have its successor";
    tour.ask(tried, client, ask, Expect::status(403)).await;
    let ask = Ask::new("POST", &*target)
        .bearer(manager)
        .json(r#"{"grace_seconds":3600}"#);
    let made = tour
        .ask(
            "rotating it, with an hour for both",
            client,
            ask.clone(),
            Expect::status(201).json("/scopes", serde_json::json!(["cases:read", "cases:write"])),
        )
        .await;
    let new = Key::of(&made, forge);
    for (tried, key) in [("the old key", key), ("the new key", &new)] {
        tour.ask(
            tried,
            client,
            key.on(Ask::get("/api/whoami")),
            Expect::status(200),
        )
        .await;
    }
    tour.ask(
        "rotating the old one again",
        client,
        ask,
        Expect::status(409),
    )
    .await;
    let target = format!("/v1/orgs/acme/projects/alpha/api-keys/{}/rotate", new.id);
    let ask = Ask::new("POST", target).bearer(manager).json("{}");
    let made = tour
        .ask(
            "rotating the new one, at once",
            client,
            ask,
            Expect::status(201),
        )
        .await;
    tour.ask(
        "the one before",
        client,
        new.on(Ask::get("/api/whoami")),
        Expect::bad_token(),
    )
    .await;
    Key::of(&made, forge)
}

async fn revoke(tour: &mut Tour, client: &Client, key: &Key, manager: &str) {
    tour.ask(
        "its successor",
        client,
        key.on(Ask::get("/api/whoami")),
        Expect::status(200),
    )
    .await;
    let path = format!("{KEYS}/{}", key.id);
    let ask = Ask::new("DELETE", &*path).bearer(manager);
    tour.ask(
        "revoking it",
        client,
        ask.clone(),
        Expect::status(200).json("/state", "revoked"),
    )
    .await;
    tour.ask(
        "it is refused at once",
        client,
        key.on(Ask::get("/api/whoami")),
        Expect::bad_token(),
    )
    .await;
    tour.ask("revoking it again", client, ask, Expect::status(200))
        .await;
    let trail = client.ask(&Ask::get("/api/audit").bearer(manager)).await;
    tour.note(
        "a manager without audit:read and the trail",
        "403",
        trail.status.to_string(),
    );
}
