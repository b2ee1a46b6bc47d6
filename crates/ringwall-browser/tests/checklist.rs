//! What header scanners ask: the ten tests of the MDN HTTP Observatory (version 1.4.8 of its analyzer; the
//! numbers are its own order) as far as header fields answer them, and OWASP's list of secure headers. The
//! scanner itself was run once against the example service; see `docs/browsers.md`.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringwall_browser::{
        About, ContentSecurityPolicy, ContentSecurityPolicyBuilder, CorsPolicy, CorsVerdict,
        SecurityHeaders, Source,
    };
    use ringwall_core::request::RequestView;

    type Fields = BTreeMap<String, String>;

    /// What each preset sends over TLS.
    fn presets() -> Vec<(&'static str, Fields)> {
        let own = || [Source::self_origin()];
        let nonces = ContentSecurityPolicy::builder()
            .script_src([Source::nonce(), Source::strict_dynamic()])
            .style_src([Source::nonce()]);
        let page = |builder: ContentSecurityPolicyBuilder| {
            SecurityHeaders::page(builder.build().expect("a policy"))
        };
        let own_page = ContentSecurityPolicy::builder()
            .script_src(own())
            .style_src(own())
            .connect_src(own())
            .img_src([Source::self_origin(), Source::data()]);
        [
            ("api", SecurityHeaders::api()),
            ("strict", SecurityHeaders::strict()),
            ("page", page(own_page)),
            ("nonces", page(nonces)),
        ]
        .map(|(name, headers)| (name, sent(&headers)))
        .into()
    }

    fn sent(headers: &SecurityHeaders) -> Fields {
        let nonce = headers.begin().expect("random bytes");
        let about = About {
            is_secure: true,
            status: 200,
            nonce: nonce.as_ref(),
        };
        let mut lines = Vec::new();
        headers.apply(about, &mut lines);
        let count = lines.len();
        let fields: Fields = lines.into_iter().collect();
        assert_eq!(fields.len(), count, "a field stands there twice");
        fields
    }

    /// The sources of a directive; those of `default-src` where it is not there.
    fn sources<'a>(policy: &'a str, directive: &str) -> Vec<&'a str> {
        let of = |wanted: &str| {
            let mut directives = policy.split("; ").map(|part| part.split(' '));
            directives.find_map(|mut words| (words.next() == Some(wanted)).then_some(words))
        };
        let found = of(directive).or_else(|| of("default-src"));
        found.expect("a default").collect()
    }

    #[test]
    fn content_security_policy_has_nothing_unsafe_and_allows_nothing_by_default() {
        for (name, fields) in presets() {
            let policy = &fields["content-security-policy"];
            assert_eq!(sources(policy, "default-src"), ["'none'"], "{name}");
            for active in [
                "script-src",
                "object-src",
                "style-src",
                "frame-src",
                "worker-src",
            ] {
                for source in sources(policy, active) {
                    let is_unsafe = source.contains("unsafe") || source.ends_with(':');
                    assert!(!is_unsafe && source != "*", "{name}: {active} {source}");
                }
            }
            for document in ["base-uri", "form-action", "frame-ancestors"] {
                assert_eq!(sources(policy, document), ["'none'"], "{name}: {document}");
                assert!(policy.contains(document), "{name} has no {document}");
            }
        }
    }

    #[test]
    fn cross_origin_resource_sharing_is_closed_to_an_origin_that_is_not_on_the_list() {
        let listed = CorsPolicy::builder()
            .with_defaults()
            .origin("https://app.example.com")
            .allow_credentials();
        for policy in [CorsPolicy::closed(), listed.build().expect("a policy")] {
            for method in ["GET", "OPTIONS"] {
                let headers = [
                    ("origin", "https://http-observatory.security.mozilla.org"),
                    ("access-control-request-method", "GET"),
                ];
                let view = RequestView {
                    method,
                    scheme: Some("https"),
                    authority: Some("api.example.com"),
                    raw_path: "/",
                    raw_query: None,
                    socket_peer: None,
                    client_address: None,
                    tls_peer: None,
                    headers: &headers,
                };
                match policy.judge(&view) {
                    CorsVerdict::Actual(fields) | CorsVerdict::Preflight(fields) => {
                        assert!(!fields.is_permitted());
                    }
                    CorsVerdict::NotCors => panic!("an origin was there"),
                }
            }
        }
    }

    #[test]
    fn referrer_policy_is_private() {
        for (name, fields) in presets() {
            let policy = fields["referrer-policy"].as_str();
            assert_eq!(policy, "strict-origin-when-cross-origin", "{name}");
        }
    }

    #[test]
    fn strict_transport_security_is_for_half_a_year_at_least() {
        for (name, fields) in presets() {
            let value = &fields["strict-transport-security"];
            let seconds = value.strip_prefix("max-age=").expect("an age");
            assert!(
                seconds.parse::<u32>().is_ok_and(|age| age >= 15_768_000),
                "{name}"
            );
        }
    }

    #[test]
    fn x_content_type_options_is_nosniff() {
        for (name, fields) in presets() {
            assert_eq!(fields["x-content-type-options"], "nosniff", "{name}");
        }
    }

    #[test]
    fn x_frame_options_is_deny() {
        for (name, fields) in presets() {
            assert_eq!(fields["x-frame-options"], "DENY", "{name}");
        }
    }

    #[test]
    fn cross_origin_resource_policy_is_same_origin() {
        for (name, fields) in presets() {
            let policy = fields["cross-origin-resource-policy"].as_str();
            assert_eq!(policy, "same-origin", "{name}");
        }
    }

    #[test]
    fn what_owasp_lists_beyond_that_is_there_and_what_it_warns_of_is_not() {
        for (name, fields) in presets() {
            let policy = fields["cross-origin-opener-policy"].as_str();
            assert_eq!(policy, "same-origin", "{name}");
            let permissions = &fields["permissions-policy"];
            for feature in ["camera", "geolocation", "microphone", "payment", "usb"] {
                assert!(permissions.contains(&format!("{feature}=()")), "{name}");
            }
            for warned in ["x-xss-protection", "public-key-pins", "expect-ct", "server"] {
                assert!(!fields.contains_key(warned), "{name}: {warned}");
            }
        }
        let strict = sent(&SecurityHeaders::default());
        assert_eq!(strict["cross-origin-embedder-policy"], "require-corp");
    }
}
