//! Threat line 35 and the answers of RFC 6750, at the level of requests.

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, Health, KeySet, KeySetRef, KeySource, KeysUnavailable};
use ringwall_authn::{IssuerPolicy, TokenAuthenticator, TokenVerifier, VerifiedToken};
use ringwall_core::clock::{ManualClock, WallClock};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;

use crate::support::*;

struct Service {
    authenticator: TokenAuthenticator,
    clock: Arc<ManualClock>,
    events: Arc<MemoryEvents>,
}

fn service(verifier: TokenVerifier) -> Service {
    let clock = Arc::new(ManualClock::new(now()));
    let events = Arc::new(MemoryEvents::new(64));
    let authenticator = TokenAuthenticator::builder(verifier)
        .realm("ringwall")
        .clock(Arc::<ManualClock>::clone(&clock))
        .events(Arc::<MemoryEvents>::clone(&events))
        .build();
    Service {
        authenticator,
        clock,
        events,
    }
}

impl Service {
    fn authenticate(&self, headers: &[(&str, &str)]) -> Result<Arc<VerifiedToken>, Denial> {
        match self.authenticator.authenticate(&view(&headers)) {
            Step::Done(answer) => answer,
            Step::Wait(_) => panic!("nothing to wait for"),
        }
    }
}

fn view<'a>(headers: &'a &'a [(&'a str, &'a str)]) -> RequestView<'a> {
    RequestView {
        method: "GET",
        scheme: None,
        authority: None,
        raw_path: "/",
        raw_query: None,
        // A proxy in front, for which the gate found the client.
        socket_peer: Some("10.0.0.1:1234".parse().unwrap()),
        client_address: Some("192.0.2.7".parse().unwrap()),
        tls_peer: None,
        headers,
    }
}

fn rendered(denial: &Denial) -> (u16, Vec<String>) {
    let mut fields = Vec::new();
    denial.headers(|name, value| fields.push(format!("{name}: {value}")));
    (denial.http_status(), fields)
}

#[test]
fn line_35_refuses_ambiguous_and_empty_credentials_with_400() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let service = service(verifier(&[&key]));
    let good = key.token(&claims());
    let bearer = format!("Bearer {good}");
    let joined = format!("Bearer {good}, Bearer {good}");
    let with_comma = format!("Bearer {good},");
    let cases: [&[(&str, &str)]; 6] = [
        &[("authorization", &bearer), ("authorization", &bearer)],
        &[("authorization", &bearer), ("Authorization", "Basic YTpi")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", &joined)],
        &[("authorization", &with_comma)],
    ];
    for headers in cases {
        let (status, fields) = rendered(&service.authenticate(headers).unwrap_err());
        assert_eq!(status, 400, "{headers:?}");
        assert_eq!(
            fields,
            [r#"www-authenticate: Bearer realm="ringwall", error="invalid_request""#]
        );
        assert!(service.authenticator.presented(&view(&headers)));
    }
    assert_eq!(
        service.events.count(EventKind::CredentialsAmbiguous),
        cases.len()
    );
}

#[test]
fn no_credentials_are_answered_with_a_bare_challenge() {
    let service = service(verifier(&[&Key::new("k1", Algorithm::EdDsa)]));
    let cases: [&[(&str, &str)]; 3] = [
        &[],
        &[("authorization", "Basic YTpi")],
        &[("cookie", "a=b")],
    ];
    for headers in cases {
        let (status, fields) = rendered(&service.authenticate(headers).unwrap_err());
        assert_eq!(
            (status, fields),
            (
                401,
                vec![r#"www-authenticate: Bearer realm="ringwall""#.to_owned()]
            )
        );
        assert!(!service.authenticator.presented(&view(&headers)));
    }
    assert_eq!(
        service.events.count(EventKind::CredentialsMissing),
        cases.len()
    );
}

#[test]
fn a_good_token_is_presented_and_reported_with_its_principal() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let service = service(verifier(&[&key]));
    let header = format!("Bearer {}", key.token(&claims()));
    let headers: &[(&str, &str)] = &[("authorization", &header)];
    assert!(service.authenticator.presented(&view(&headers)));
    let verified = service.authenticate(headers).unwrap();
    let events = service.events.snapshot();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::AuthenticationSucceeded);
    assert_eq!(events[0].at, Some(now()));
    assert_eq!(events[0].principal.as_ref(), Some(verified.principal()));
    // Neither the token nor what it says beyond the principal is shown.
    let with_secret = key.token(&with("ssn", "078-05-1120"));
    let verified = service
        .authenticate(&[("authorization", &format!("Bearer {with_secret}"))])
        .unwrap();
    let shown = format!(
        "{verified:?} {:?} {:?} {:?} {:?}",
        verified.claims(),
        service.authenticator,
        service.authenticator.verifier(),
        service.events.snapshot()
    );
    let signature = with_secret.rsplit('.').next().unwrap();
    for secret in ["078-05-1120", "eyJ", signature] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn a_caller_is_never_told_the_cause() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let texts = [
        Key::new("k1", Algorithm::EdDsa).token(&claims()),
        key.token(&with("aud", "other")),
        key.token(&with("iss", "other")),
        "a.b.c".to_owned(),
    ]
    .map(|token| verifier.verify(&token, now()).unwrap_err().to_string());
    assert!(
        texts
            .iter()
            .all(|text| text == "the token is not acceptable"),
        "{texts:?}"
    );
}

#[test]
fn unavailable_revocations_are_answered_with_503_and_reported_as_such() {
    #[derive(Debug)]
    struct Down;
    impl ringwall_authn::Revocations for Down {
        fn is_revoked(
            &self,
            _token: &ringwall_authn::TokenFacts<'_>,
        ) -> Result<bool, ringwall_authn::RevocationsUnavailable> {
            Err(ringwall_authn::RevocationsUnavailable {
                retry_after: Duration::from_secs(9),
            })
        }
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    let service = service(
        TokenVerifier::builder()
            .issuer(policy(&[&key]).build().unwrap())
            .revocations(Arc::new(Down))
            .build()
            .unwrap(),
    );
    let header = format!("Bearer {}", key.token(&claims()));
    let denial = service
        .authenticate(&[("authorization", &header)])
        .unwrap_err();
    assert_eq!(rendered(&denial), (503, vec!["retry-after: 9".to_owned()]));
    assert_eq!(service.events.count(EventKind::RevocationUnavailable), 1);
}

#[test]
fn bad_tokens_are_all_answered_alike() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let service = service(verifier(&[&key]));
    let stranger = Key::new("k1", Algorithm::EdDsa);
    let tokens = [
        stranger.token(&claims()),
        key.token(&with("aud", "other")),
        key.token(&with("iss", "other")),
        key.token(&with("exp", NOW - 61)),
        Key::new("k2", Algorithm::EdDsa).token(&claims()),
        "abc".to_owned(),
        "a.b.c".to_owned(),
    ];
    for token in &tokens {
        let header = format!("Bearer {token}");
        let (status, fields) = rendered(
            &service
                .authenticate(&[("authorization", &header)])
                .unwrap_err(),
        );
        assert_eq!(status, 401);
        assert_eq!(
            fields,
            [r#"www-authenticate: Bearer realm="ringwall", error="invalid_token""#]
        );
    }
    // The operator sees what the caller does not, and never the token.
    let events = service.events.snapshot();
    assert_eq!(events.len(), tokens.len());
    assert!(
        events
            .iter()
            .all(|event| event.kind == EventKind::AuthenticationFailed)
    );
    assert_eq!(events[0].cause, "the signature does not verify");
    assert_eq!(events[0].source, Some("192.0.2.7".parse().unwrap()));
    let shown = format!("{events:?}");
    assert!(
        tokens
            .iter()
            .filter(|token| token.len() > 8)
            .all(|token| !shown.contains(token.as_str()))
    );
}

#[test]
fn unavailable_keys_and_clock_are_answered_with_503_and_retry_after() {
    #[derive(Debug)]
    struct NoKeys;
    impl KeySource for NoKeys {
        fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
            Err(KeysUnavailable {
                retry_after: Duration::from_secs(30),
            })
        }
        fn generation(&self) -> Result<u64, KeysUnavailable> {
            Err(KeysUnavailable {
                retry_after: Duration::from_secs(30),
            })
        }
        fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
            Step::Done(Ok(false))
        }
        fn health(&self) -> Health {
            Health::Unavailable
        }
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    let header = format!("Bearer {}", key.token(&claims()));
    let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::new(NoKeys))
        .build()
        .unwrap();
    let verifier_without_keys = TokenVerifier::builder().issuer(policy).build().unwrap();
    assert_eq!(
        verifier_without_keys.health(),
        [(ISSUER.into(), Health::Unavailable)]
    );
    let without_keys = service(verifier_without_keys);
    let denial = without_keys
        .authenticate(&[("authorization", &header)])
        .unwrap_err();
    assert_eq!(rendered(&denial), (503, vec!["retry-after: 30".to_owned()]));
    assert_eq!(without_keys.events.count(EventKind::KeysUnavailable), 1);

    let service = service(verifier(&[&key]));
    service.clock.fail(true);
    let denial = service
        .authenticate(&[("authorization", &header)])
        .unwrap_err();
    assert_eq!(rendered(&denial), (503, vec!["retry-after: 5".to_owned()]));
    assert_eq!(service.events.count(EventKind::ClockUnavailable), 1);
    service.clock.fail(false);
    assert_eq!(
        service
            .authenticate(&[("authorization", &header)])
            .unwrap()
            .principal()
            .subject,
        "user-1"
    );
    assert_eq!(service.events.count(EventKind::AuthenticationSucceeded), 1);
}

/// A source that finds the missing key when it is asked to look.
#[derive(Debug)]
struct Refreshing {
    keys: ringwall_authn::jose::StaticKeys,
    waits: bool,
    asked: std::sync::atomic::AtomicUsize,
    next: std::sync::Mutex<Option<KeySet>>,
}

impl KeySource for &'static Refreshing {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        self.keys.keys()
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        self.keys.generation()
    }

    fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        let source: &'static Refreshing = self;
        source
            .asked
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let look = move || match source.next.lock().unwrap().take() {
            Some(next) => {
                source.keys.replace(next);
                Ok(true)
            }
            None => Ok(false),
        };
        if self.waits {
            Step::wait(async move { look() })
        } else {
            Step::Done(look())
        }
    }

    fn health(&self) -> Health {
        Health::Fresh
    }
}

#[test]
fn a_source_that_cannot_look_for_a_key_leaves_the_token_unjudged() {
    #[derive(Debug)]
    struct CannotLook(ringwall_authn::jose::StaticKeys, bool);
    impl KeySource for CannotLook {
        fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
            self.0.keys()
        }
        fn generation(&self) -> Result<u64, KeysUnavailable> {
            self.0.generation()
        }
        fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
            let retry_after = Duration::from_secs(12);
            let answer = Err(KeysUnavailable { retry_after });
            if self.1 {
                Step::wait(async move { answer })
            } else {
                Step::Done(answer)
            }
        }
        fn health(&self) -> Health {
            Health::Stale
        }
    }
    let (old, new) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    let clock: Arc<dyn WallClock> = Arc::new(ManualClock::new(now()));
    for waits in [false, true] {
        let keys = ringwall_authn::jose::StaticKeys::new(key_set(&[&old]));
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::new(CannotLook(keys, waits)));
        let verifier = TokenVerifier::builder()
            .issuer(policy.build().unwrap())
            .build()
            .unwrap();
        let token = new.token(&claims());
        let error = match verifier.verify_refreshing(&token, &clock) {
            Step::Done(answer) => answer.unwrap_err(),
            step @ Step::Wait(_) => waited(step, || {}).unwrap_err(),
        };
        assert_eq!(
            error.kind(),
            ringwall_authn::TokenErrorKind::Unavailable {
                retry_after: Duration::from_secs(12)
            }
        );
        assert_eq!(error.refusal(), ringwall_authn::Refusal::KeysUnavailable);
        // Without looking, the key is simply not there.
        let error = verifier.verify(&token, now()).unwrap_err();
        assert_eq!(error.refusal(), ringwall_authn::Refusal::KeyUnknown);
    }
}

#[test]
fn a_missing_key_is_looked_for_once_and_the_token_judged_again() {
    let (old, new) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    for waits in [false, true] {
        let source: &'static Refreshing = Box::leak(Box::new(Refreshing {
            keys: ringwall_authn::jose::StaticKeys::new(key_set(&[&old])),
            waits,
            asked: Default::default(),
            next: std::sync::Mutex::new(Some(key_set(&[&old, &new]))),
        }));
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::new(source))
            .build()
            .unwrap();
        let verifier = TokenVerifier::builder().issuer(policy).build().unwrap();
        let clock: Arc<dyn WallClock> = Arc::new(ManualClock::new(now()));
        let answer = |token: &str| match verifier.verify_refreshing(token, &clock) {
            Step::Done(answer) => answer,
            Step::Wait(mut future) => {
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                match future.as_mut().poll(&mut context) {
                    std::task::Poll::Ready(answer) => answer,
                    std::task::Poll::Pending => panic!("nothing pends"),
                }
            }
        };
        assert!(answer(&old.token(&claims())).is_ok());
        assert!(answer(&new.token(&claims())).is_ok());
        // A forged token under a known key asks for nothing.
        let forged = Key::new("k1", Algorithm::EdDsa).token(&claims());
        assert!(answer(&forged).is_err());
        assert_eq!(source.asked.load(std::sync::atomic::Ordering::SeqCst), 1);
        assert!(answer(&Key::new("k3", Algorithm::EdDsa).token(&claims())).is_err());
        assert_eq!(source.asked.load(std::sync::atomic::Ordering::SeqCst), 2);
    }
}

/// A verifier that has to look for `new`, and waits for it.
pub(crate) fn waiting_for(old: &Key, new: &Key) -> TokenVerifier {
    let source: &'static Refreshing = Box::leak(Box::new(Refreshing {
        keys: ringwall_authn::jose::StaticKeys::new(key_set(&[old])),
        waits: true,
        asked: Default::default(),
        next: std::sync::Mutex::new(Some(key_set(&[old, new]))),
    }));
    let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::new(source)).build();
    TokenVerifier::builder()
        .issuer(policy.unwrap())
        .build()
        .unwrap()
}

/// The answer of a step that waits, after `meanwhile`.
pub(crate) fn waited<T>(step: Step<T>, meanwhile: impl FnOnce()) -> T {
    let Step::Wait(mut future) = step else {
        panic!("it does not wait")
    };
    meanwhile();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("nothing pends"),
    }
}

#[test]
fn a_token_that_expires_while_its_key_is_looked_for_is_refused() {
    let (old, new) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    for (seconds, expected) in [
        (0, None),
        (659, None),
        (660, Some(ringwall_authn::Refusal::Expired)),
    ] {
        let verifier = waiting_for(&old, &new);
        let manual = Arc::new(ManualClock::new(now()));
        let clock: Arc<dyn WallClock> = Arc::<ManualClock>::clone(&manual);
        let token = new.token(&claims());
        let step = verifier.verify_refreshing(&token, &clock);
        let answer = waited(step, || manual.advance(Duration::from_secs(seconds)));
        assert_eq!(answer.err().map(|error| error.refusal()), expected);
    }
}

#[test]
fn a_clock_that_fails_while_a_key_is_looked_for_is_no_decision() {
    let (old, new) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    let verifier = waiting_for(&old, &new);
    let manual = Arc::new(ManualClock::new(now()));
    let clock: Arc<dyn WallClock> = Arc::<ManualClock>::clone(&manual);
    let token = new.token(&claims());
    let step = verifier.verify_refreshing(&token, &clock);
    let error = waited(step, || manual.fail(true)).unwrap_err();
    assert_eq!(error.refusal(), ringwall_authn::Refusal::ClockUnavailable);
    assert!(error.is_retryable());
    // And one that fails before.
    let Step::Done(answer) = verifier.verify_refreshing(&token, &clock) else {
        panic!("it waits")
    };
    assert!(answer.unwrap_err().is_retryable());
}

#[test]
fn a_wait_for_a_key_is_answered_and_reported_by_the_time_after_it() {
    let (old, new) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    let header = format!("Bearer {}", new.token(&claims()));
    let headers: &[(&str, &str)] = &[("authorization", &header)];
    let late = service(waiting_for(&old, &new));
    let denial = waited(late.authenticator.authenticate(&view(&headers)), || {
        late.clock.advance(Duration::from_secs(660));
    });
    assert_eq!(denial.unwrap_err().http_status(), 401);
    assert_eq!(late.events.snapshot()[0].at, Some(at(NOW + 660)));
    let blind = service(waiting_for(&old, &new));
    let denial = waited(blind.authenticator.authenticate(&view(&headers)), || {
        blind.clock.fail(true);
    });
    assert_eq!(denial.unwrap_err().http_status(), 503);
    assert_eq!(blind.events.count(EventKind::ClockUnavailable), 1);
}
