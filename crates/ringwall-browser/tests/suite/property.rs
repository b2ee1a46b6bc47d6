use std::str::FromStr;

use proptest::prelude::*;
use ringwall_browser::{
    About, ContentSecurityPolicy, CorsPolicy, CorsVerdict, Origin, OriginPattern, SecurityHeaders,
    Source,
};
use ringwall_core::request::RequestView;

/// Texts that are nearly origins: made of what origins, wildcards and attacks are made of.
fn near_origin() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("https://"),
        Just("http://"),
        Just("example"),
        Just("app"),
        Just("evil"),
        Just("com"),
        Just("."),
        Just("*"),
        Just(":443"),
        Just(":8443"),
        Just("/"),
        Just("@"),
        Just("null"),
        Just(" "),
        Just(","),
        Just(";"),
        Just("\""),
        Just("'"),
        Just("%2e"),
        Just("ü"),
        Just("A"),
        Just("_"),
        Just("-"),
        Just("[::1]"),
        Just("127.0.0.1"),
        Just("\u{0}"),
    ];
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        near_origin(),
        near_origin().prop_map(|text| format!("https://{text}")),
        ".{0,40}",
    ]
}

/// What a pattern means, said a second time: by the parts of a parsed origin.
fn means(pattern: &str, received: &str) -> bool {
    let Ok(origin) = Origin::received(received.as_bytes()) else {
        return false;
    };
    let Some((scheme, rest)) = pattern.split_once("://*.") else {
        return origin.as_str() == pattern;
    };
    let base: Origin = format!("{scheme}://{rest}").parse().expect("an origin");
    let Some((label, parent)) = origin.host().split_once('.') else {
        return false;
    };
    origin.scheme() == base.scheme()
        && origin.port() == base.port()
        && parent == base.host()
        && !label.is_empty()
}

fn verdict(policy: &CorsPolicy, method: &str, headers: &[(&str, &str)]) -> CorsVerdict {
    policy.judge(&RequestView {
        method,
        scheme: None,
        authority: None,
        raw_path: "/",
        raw_query: None,
        socket_peer: None,
        client_address: None,
        tls_peer: None,
        headers: &headers,
    })
}

const PATTERNS: [&str; 4] = [
    "https://app.example.com",
    "https://*.example.com",
    "http://*.example.com:8443",
    "https://example.com:8443",
];

proptest! {
    #[test]
    fn an_origin_that_was_read_is_read_the_same_again(text in text()) {
        if let Ok(origin) = Origin::from_str(&text) {
            prop_assert_eq!(Origin::received(origin.as_str().as_bytes()), Ok(origin.clone()));
            let is_plain = |character: char| character.is_ascii_alphanumeric() || ":/.-_[]".contains(character);
            prop_assert!(origin.as_str().chars().all(is_plain), "{}", origin);
            let whole = format!("{}://{}:{}", origin.scheme(), origin.host(), origin.port());
            prop_assert!(whole.starts_with(origin.as_str()));
        }
    }

    #[test]
    fn a_pattern_accepts_what_it_means_and_nothing_else(
        pattern in prop::sample::select(PATTERNS.to_vec()),
        text in text(),
    ) {
        let parsed: OriginPattern = pattern.parse().expect("a pattern");
        if let Ok(origin) = Origin::from_str(&text) {
            prop_assert_eq!(parsed.matches(&origin), means(pattern, origin.as_str()));
        }
    }

    /// What is echoed was on the list, in the form in which it is there.
    #[test]
    fn only_what_a_pattern_means_is_ever_echoed(
        text in text(),
        method in prop_oneof![Just("GET"), Just("OPTIONS")],
        asks in any::<bool>(),
    ) {
        let policy = CorsPolicy::builder()
            .with_defaults()
            .origin(PATTERNS[0])
            .origin(PATTERNS[1])
            .allow_credentials()
            .build()
            .expect("a policy");
        let mut headers = vec![("origin", text.as_str())];
        if asks {
            headers.push(("access-control-request-method", "GET"));
        }
        let mut lines: Vec<(String, String)> = Vec::new();
        verdict(&policy, method, &headers).apply(&mut lines);
        let allowed: Vec<&String> = lines
            .iter()
            .filter(|(name, _)| name == "access-control-allow-origin")
            .map(|(_, value)| value)
            .collect();
        let is_judged = method == "GET" || asks;
        let is_meant = means(PATTERNS[0], &text) || means(PATTERNS[1], &text);
        if is_judged && is_meant {
            prop_assert_eq!(allowed, [&text]);
        } else {
            prop_assert!(allowed.is_empty(), "{:?}", lines);
            prop_assert!(lines.iter().all(|(name, _)| name == "vary"), "{:?}", lines);
        }
    }

    /// Nothing of a preflight's list comes back, whatever stands there.
    #[test]
    fn nothing_that_a_preflight_asks_for_is_echoed(asked in ".{0,60}", wanted in ".{0,12}") {
        let policy = CorsPolicy::builder().with_defaults().origin(PATTERNS[0]);
        let policy = policy.build().expect("a policy");
        let headers = [
            ("origin", PATTERNS[0]),
            ("access-control-request-method", wanted.as_str()),
            ("access-control-request-headers", asked.as_str()),
        ];
        let mut lines: Vec<(String, String)> = Vec::new();
        verdict(&policy, "OPTIONS", &headers).apply(&mut lines);
        let known = [
            "https://app.example.com",
            "GET, POST, PATCH, DELETE, PUT",
            "content-type, authorization, x-api-key, x-provider-key",
            "600",
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        ];
        prop_assert!(lines.iter().all(|(_, value)| known.contains(&value.as_str())), "{:?}", lines);
    }

    /// Whatever text becomes a source, it ends no entry, no directive and no field.
    #[test]
    fn no_text_gets_out_of_its_place_in_a_policy(text in text(), endpoint in text(), name in ".{0,12}") {
        let sources = [Source::origin(&text), Source::websocket(&text.replace("https", "wss"))];
        for source in sources.into_iter().flatten() {
            let shown = source.to_string();
            prop_assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?}");
            prop_assert!(!shown.contains([';', ',', '\'', '"', '/']) || shown.matches('/').count() == 2, "{shown:?}");
            let policy = ContentSecurityPolicy::builder().connect_src([source]).build();
            let policy = policy.expect("a policy");
            prop_assert_eq!(policy.value(None).split("; ").count(), 5);
        }
        let policy = ContentSecurityPolicy::builder().report_to(&name, &format!("/{endpoint}"));
        if let Ok(policy) = policy.build() {
            prop_assert_eq!(policy.value(None).split(';').count(), 6);
            prop_assert!(!policy.value(None).contains(','));
        }
    }

    /// Adapters rely on it: what is not a header field's value would be left out.
    #[test]
    fn every_value_is_visible_ascii(texts in prop::collection::vec(text(), 0..6)) {
        let sources = texts.iter().filter_map(|text| Source::origin(text).ok());
        let csp = ContentSecurityPolicy::builder().img_src(sources).build();
        let origins = texts.iter().filter(|text| text.parse::<OriginPattern>().is_ok());
        let cors = origins.fold(CorsPolicy::builder().with_defaults(), |builder, text| builder.origin(text));
        let mut lines: Vec<(String, String)> = Vec::new();
        if let Ok(csp) = csp {
            let about = About { is_secure: true, status: 200, nonce: None };
            SecurityHeaders::page(csp).apply(about, &mut lines);
        }
        if let Ok(cors) = cors.build() {
            for text in &texts {
                verdict(&cors, "GET", &[("origin", text)]).apply(&mut lines);
            }
        }
        for (name, value) in lines {
            prop_assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{name}: {value:?}");
        }
    }
}
