//! Requests of any method, path and header fields: without a good token nobody passes a door that
//! is not public, no path that two parsers read differently passes any, and what somebody says who is no
//! trusted proxy moves nothing.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ringwall_authn::jose::{KeySet, StaticKeys};
use ringwall_authn::{IssuerPolicy, TokenVerifier};
use ringwall_core::audit::MemoryAudit;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_gate::{Access, Admitted, Door, Gate, HttpsOnly, RoutePolicy, TrustedProxies};

struct Doors {
    public: Door,
    optional: Door,
    authenticated: Door,
    /// Of a gate that serves over TLS alone, and believes one proxy.
    encrypted: Door,
}

static DOORS: LazyLock<Doors> = LazyLock::new(|| {
    // The key of RFC 8037, appendix A.2.
    let document = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let keys = StaticKeys::new(
        KeySet::builder()
            .document(document)
            .unwrap()
            .build()
            .unwrap(),
    );
    let policy = IssuerPolicy::builder(
        "https://issuer.example",
        "https://api.example",
        Arc::new(keys),
    );
    let verifier = TokenVerifier::builder()
        .issuer(policy.build().unwrap())
        .build()
        .unwrap();
    let gate = Gate::builder("fuzz")
        .tokens(verifier)
        .audit(Arc::new(MemoryAudit::new(16)))
        .build()
        .unwrap();
    let proxies = TrustedProxies::builder()
        .network("192.0.2.1")
        .build()
        .unwrap();
    let strict = Gate::builder("fuzz")
        .without_authenticators()
        .without_audit()
        .trusted_proxies(proxies)
        .https_only(HttpsOnly::redirect_to(["api.example.com"]).unwrap())
        .build()
        .unwrap();
    Doors {
        encrypted: strict.door(RoutePolicy::new("encrypted", Access::Public)),
        public: gate.door(RoutePolicy::new("public", Access::Public)),
        optional: gate.door(RoutePolicy::new("optional", Access::Optional)),
        authenticated: gate.door(RoutePolicy::new("authenticated", Access::Authenticated)),
    }
});

fn admitted(door: &Door, view: &RequestView<'_>) -> bool {
    enter(door, view).is_some()
}

fn enter(door: &Door, view: &RequestView<'_>) -> Option<Admitted> {
    match door.enter(view) {
        Step::Done(answer) => answer.ok().map(|(admitted, _exit)| admitted),
        Step::Wait(_) => panic!("nothing waits here"),
    }
}

fuzz_target!(|data: &[u8]| {
    let doors = &*DOORS;
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let (Some(method), Some(path)) = (lines.next(), lines.next()) else {
        return;
    };
    let headers: Vec<(&str, &str)> = lines
        .take(16)
        .filter_map(|line| line.split_once(':'))
        .collect();
    let view = RequestView {
        method,
        scheme: None,
        authority: None,
        raw_path: path,
        raw_query: None,
        socket_peer: None,
        client_address: None,
        tls_peer: None,
        headers: &headers,
    };
    assert!(!admitted(&doors.authenticated, &view));
    // A stranger's word of the scheme or of an address, and a proxy's.
    let stranger = RequestView {
        socket_peer: Some(([198, 51, 100, 7], 4711).into()),
        ..view
    };
    assert!(
        !admitted(&doors.encrypted, &stranger),
        "believed a stranger"
    );
    let encrypted = RequestView {
        scheme: Some("https"),
        ..stranger
    };
    if let Some(admitted) = enter(&doors.encrypted, &encrypted) {
        assert_eq!(admitted.client_address(), Some([198, 51, 100, 7].into()));
        assert!(admitted.is_stripped("X_Forwarded-For"));
    }
    let proxied = RequestView {
        socket_peer: Some(([192, 0, 2, 1], 4711).into()),
        scheme: Some("http"),
        ..view
    };
    if let Some(admitted) = enter(&doors.encrypted, &proxied) {
        let says = headers.iter().filter(|(name, value)| {
            name.eq_ignore_ascii_case("x-forwarded-proto")
                && value.trim().eq_ignore_ascii_case("https")
        });
        assert_eq!(says.count(), 1, "nobody said that it was encrypted");
        assert_eq!(admitted.scheme(), Some("https"));
    }
    let has_authorization = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    if admitted(&doors.optional, &view) {
        assert!(!has_authorization, "wrong credentials became none");
    }
    if admitted(&doors.public, &view) {
        let lower = path.to_ascii_lowercase();
        assert!(path.starts_with('/') || (method == "OPTIONS" && path == "*"));
        for part in ["//", "%2f", "%5c", "\\", "%00"] {
            assert!(!lower.contains(part), "{part} in {path:?}");
        }
        let decoded = lower.replace("%2e", ".");
        for segment in decoded.split('/') {
            assert!(segment != "." && segment != "..", "{path:?}");
        }
    }
});
