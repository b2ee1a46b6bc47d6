//! What a request is answered, and what is reported.

use ringwall_authn::ApiKeyAuthenticator;
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::AuthenticationMethod;
use ringwall_core::request::RequestView;

use super::scripted_store::ScriptedStore;
use super::*;

fn view<'a>(headers: &'a [(&'a str, &'a str)]) -> RequestView<'a> {
    // A slice of pairs is a look-up; the reference to it is one too.
    RequestView {
        method: "GET",
        scheme: Some("https"),
        authority: Some("api.example"),
        raw_path: "/",
        raw_query: Some("api_key=pak_x"),
        socket_peer: None,
        client_address: Some("192.0.2.1".parse().unwrap()),
        tls_peer: None,
        headers: Box::leak(Box::new(headers)),
    }
}

fn authenticator(bench: &Bench, events: &Arc<MemoryEvents>) -> ApiKeyAuthenticator {
    ApiKeyAuthenticator::builder(bench.keys.clone())
        .realm("cases")
        .clock(bench.clock.clone())
        .events(events.clone())
        .build()
}

#[tokio::test]
async fn every_success_and_every_failure_is_an_event_with_its_cause() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder);
    let events = Arc::new(MemoryEvents::new(100));
    let authenticator = authenticator(&bench, &events);
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    let cases: [(&[(&str, &str)], u16, EventKind); 6] = [
        (
            &[("x-api-key", text)],
            200,
            EventKind::AuthenticationSucceeded,
        ),
        (&[], 401, EventKind::CredentialsMissing),
        (&[("x-api-key", "")], 400, EventKind::CredentialsAmbiguous),
        (
            &[("x-api-key", text), ("X-Api-Key", text)],
            400,
            EventKind::CredentialsAmbiguous,
        ),
        (
            &[("x-api-key", "pak_nonsense")],
            401,
            EventKind::AuthenticationFailed,
        ),
        (
            &[("x-api-key", &format!("{text}, {text}"))],
            401,
            EventKind::AuthenticationFailed,
        ),
    ];
    for (n, (headers, status, kind)) in cases.iter().enumerate() {
        let answer = authenticator.authenticate(&view(headers)).await;
        let got = answer.as_ref().map_or_else(Denial::http_status, |_| 200);
        assert_eq!(got, *status, "{n}");
        let all = events.snapshot();
        assert_eq!(all.len(), n + 1, "one event each");
        assert_eq!(all[n].kind, *kind);
        assert_eq!(all[n].source, Some("192.0.2.1".parse().unwrap()));
        assert!(
            !format!("{:?}", all[n]).contains(&text[21..]),
            "an event holds a key"
        );
    }
    store.fail(true);
    let answer = authenticator
        .authenticate(&view(&[("x-api-key", &threats::another_key())]))
        .await;
    let Err(Denial::Unavailable { retry_after }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(retry_after.as_secs(), 7);
    assert_eq!(events.count(EventKind::ApiKeysUnavailable), 1);
}

#[tokio::test]
async fn the_answers_to_all_bad_keys_are_the_same() {
    let bench = bench();
    let events = Arc::new(MemoryEvents::new(100));
    let authenticator = authenticator(&bench, &events);
    let revoked = bench.create(request()).await;
    bench
        .keys
        .revoke(&tenant("acme"), revoked.key.id())
        .await
        .unwrap();
    let bound = bench
        .create(request().networks(["198.51.100.0/24".parse().unwrap()]))
        .await;
    let unknown = threats::another_key();
    let mut answers = Vec::new();
    for text in [
        revoked.key.text().expose(),
        bound.key.text().expose(),
        &unknown,
        "x",
    ] {
        answers.push(
            authenticator
                .authenticate(&view(&[("x-api-key", text)]))
                .await
                .unwrap_err(),
        );
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let causes: std::collections::HashSet<_> =
        events.snapshot().iter().map(|event| event.cause).collect();
    assert_eq!(causes.len(), 4, "the operator sees which was which");
}

#[tokio::test]
async fn a_key_in_the_query_is_not_looked_at() {
    let bench = bench();
    let events = Arc::new(MemoryEvents::new(10));
    assert!(!authenticator(&bench, &events).presented(&view(&[])));
}

#[tokio::test]
async fn another_field_can_hold_the_key_but_not_one_of_other_credentials() {
    let bench = bench();
    let builder = || ApiKeyAuthenticator::builder(bench.keys.clone());
    for name in [
        "authorization",
        "Authorization",
        "cookie",
        "DPoP",
        "",
        "x api",
        "x_api_key",
        "x\n",
        "ä",
    ] {
        assert!(builder().header(name).is_err(), "{name:?}");
    }
    let authenticator = builder().header("X-Service-Key").unwrap().build();
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    let principal = authenticator
        .authenticate(&view(&[("x-service-key", text)]))
        .await
        .unwrap();
    assert_eq!(
        principal.authentication.method,
        AuthenticationMethod::ApiKey
    );
    assert!(!authenticator.presented(&view(&[("x-api-key", text)])));
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let bench = bench();
    let events = Arc::new(MemoryEvents::new(10));
    let authenticator = authenticator(&bench, &events);
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    let principal = authenticator
        .authenticate(&view(&[("x-api-key", text)]))
        .await
        .unwrap();
    assert!(authenticator.recheck(&principal).await.is_ok());
    bench
        .keys
        .revoke(&tenant("acme"), created.key.id())
        .await
        .unwrap();
    assert!(authenticator.recheck(&principal).await.is_err());
}

#[tokio::test]
async fn making_rotating_and_revoking_keys_is_reported_by_their_ids() {
    let events = Arc::new(MemoryEvents::new(10));
    let bench = bench_with(Arc::new(MemoryApiKeys::new(10)), |builder| {
        builder.events(events.clone())
    });
    let created = bench.create(request()).await;
    let new = bench
        .keys
        .rotate(
            &tenant("acme"),
            created.key.id(),
            user(),
            std::time::Duration::ZERO,
        )
        .await
        .unwrap();
    bench
        .keys
        .revoke(&tenant("acme"), new.key.id())
        .await
        .unwrap();
    let seen: Vec<_> = events
        .snapshot()
        .into_iter()
        .map(|event| (event.kind, event.about.unwrap().to_string()))
        .collect();
    let (old, new) = (created.key.id().to_string(), new.key.id().to_string());
    assert_eq!(
        seen,
        [
            (EventKind::ApiKeyCreated, old.clone()),
            (EventKind::ApiKeyRotated, old),
            (EventKind::ApiKeyRevoked, new),
        ]
    );
}
