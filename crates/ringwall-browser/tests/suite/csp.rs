use ringwall_browser::{
    ContentSecurityPolicy, ContentSecurityPolicyBuilder, CspNonce, Directive, Error, Loosened,
    Source,
};

const CLOSED: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn builder() -> ContentSecurityPolicyBuilder {
    ContentSecurityPolicy::builder()
}

fn value(builder: ContentSecurityPolicyBuilder) -> String {
    builder.build().expect("a policy").value(None).into_owned()
}

fn refusal(builder: ContentSecurityPolicyBuilder) -> Error {
    builder.build().expect_err("no policy")
}

fn loosened(builder: ContentSecurityPolicyBuilder) -> Vec<Loosened> {
    builder.build().expect("a policy").loosened()
}

fn origin(text: &str) -> Source {
    Source::origin(text).expect("a source")
}

#[test]
fn begins_with_nothing() {
    assert_eq!(ContentSecurityPolicy::none().value(None), CLOSED);
    assert_eq!(value(builder()), CLOSED);
    assert!(ContentSecurityPolicy::none().loosened().is_empty());
    assert!(!ContentSecurityPolicy::none().uses_nonce());
    assert!(!ContentSecurityPolicy::none().is_report_only());
}

#[test]
fn each_source_is_sent_as_browsers_read_it() {
    let policy = builder()
        .script_src([
            Source::self_origin(),
            Source::sha256_of("alert(1)"),
            Source::sha256([0; 32]),
            Source::sha384([0; 48]),
            Source::sha512([0; 64]),
        ])
        .connect_src([
            origin("https://api.example.com:8443"),
            Source::websocket("wss://*.example.com").expect("a source"),
        ])
        .img_src([Source::any_https(), Source::data(), Source::blob()])
        .upgrade_insecure_requests()
        .require_trusted_types();
    // The hash was made by `printf 'alert(1)' | openssl dgst -sha256 -binary | base64`.
    assert_eq!(
        value(policy),
        format!(
            "default-src 'none'; script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=' \
             'sha256-{}=' 'sha384-{}' 'sha512-{}=='; img-src https: data: blob:; connect-src \
             https://api.example.com:8443 wss://*.example.com; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; upgrade-insecure-requests",
            "A".repeat(43),
            "A".repeat(64),
            "A".repeat(86),
        )
    );
}

#[test]
fn every_directive_has_its_method() {
    let own = || [Source::self_origin()];
    let all = builder()
        .default_src(own())
        .script_src(own())
        .style_src(own())
        .img_src(own())
        .font_src(own())
        .connect_src(own())
        .media_src(own())
        .object_src(own())
        .frame_src(own())
        .worker_src(own())
        .manifest_src(own())
        .base_uri(own())
        .form_action(own())
        .frame_ancestors(own());
    assert_eq!(
        value(all),
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
         connect-src 'self'; media-src 'self'; object-src 'self'; frame-src 'self'; worker-src 'self'; \
         manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    );
}

#[test]
fn an_empty_list_is_none_and_a_source_stands_once() {
    let policy = builder()
        .script_src([])
        .img_src([Source::self_origin(), Source::self_origin()])
        .img_src([Source::self_origin()]);
    let value = value(policy);
    assert!(value.contains("script-src 'none'; "), "{value}");
    assert!(value.contains("img-src 'self'; "), "{value}");
}

#[test]
fn without_its_nonce_a_policy_blocks_what_would_have_carried_it() {
    let policy = builder()
        .script_src([Source::nonce()])
        .style_src([Source::self_origin(), Source::nonce()])
        .build()
        .expect("a policy");
    assert!(policy.uses_nonce());
    let bare = policy.value(None);
    assert!(
        bare.contains("script-src 'none'; style-src 'self'; "),
        "{bare}"
    );
    assert!(!bare.contains("nonce"), "{bare}");
    let nonce = CspNonce::generate().expect("random bytes");
    let filled = policy.value(Some(&nonce)).into_owned();
    let expected = format!("script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; ");
    assert!(filled.contains(&expected), "{filled}");
    assert!(!filled.contains("script-src 'none'"), "{filled}");
}

#[test]
fn a_policy_without_nonces_ignores_one() {
    let nonce = CspNonce::generate().expect("random bytes");
    assert_eq!(ContentSecurityPolicy::none().value(Some(&nonce)), CLOSED);
}

#[test]
fn a_data_address_is_no_source_of_what_runs() {
    for directive in [
        Directive::DefaultSrc,
        Directive::ScriptSrc,
        Directive::ObjectSrc,
        Directive::FrameSrc,
        Directive::WorkerSrc,
        Directive::BaseUri,
        Directive::FormAction,
        Directive::FrameAncestors,
        Directive::StyleSrc,
    ] {
        let policy = builder().allow(directive, [Source::data()]);
        assert_eq!(refusal(policy), Error::SourceOutOfPlace, "{directive}");
    }
}

#[test]
fn nonces_hashes_and_strict_dynamic_are_for_scripts_and_styles() {
    for source in [
        Source::nonce(),
        Source::sha256([0; 32]),
        Source::strict_dynamic(),
    ] {
        for directive in [
            Directive::ImgSrc,
            Directive::ConnectSrc,
            Directive::FrameAncestors,
            Directive::BaseUri,
            Directive::FormAction,
            Directive::WorkerSrc,
        ] {
            let policy = builder().allow(directive, [source.clone()]);
            assert_eq!(
                refusal(policy),
                Error::SourceOutOfPlace,
                "{directive} {source}"
            );
        }
    }
    let styles = builder().style_src([Source::nonce(), Source::strict_dynamic()]);
    assert_eq!(refusal(styles), Error::SourceOutOfPlace);
    let socket = Source::websocket("wss://live.example.com").expect("a source");
    assert_eq!(
        refusal(builder().img_src([socket])),
        Error::SourceOutOfPlace
    );
    assert_eq!(
        refusal(builder().frame_ancestors([Source::blob()])),
        Error::SourceOutOfPlace
    );
}

#[test]
fn strict_dynamic_needs_a_nonce_or_a_hash_beside_it() {
    let alone = builder().script_src([Source::strict_dynamic(), Source::self_origin()]);
    assert_eq!(refusal(alone), Error::SourceOutOfPlace);
    let nonce = builder().script_src([Source::strict_dynamic(), Source::nonce()]);
    assert!(nonce.build().is_ok());
    let hash = builder().script_src([Source::strict_dynamic(), Source::sha256([0; 32])]);
    assert!(hash.build().is_ok());
}

#[test]
fn a_source_is_a_host_that_the_grammar_knows() {
    for text in [
        "",
        "*",
        "'unsafe-inline'",
        "'self'",
        "https:",
        "data:",
        "example.com",
        "https://example.com/lib/",
        "https://example.com; script-src *",
        "https://example.com script-src",
        "https://example.com,https://evil.test",
        "https://example.com\n",
        "https://[::1]",
        "https://my_app.example.com",
        "https://example.com.",
        "https://*.com",
        "https://example.com:*",
        "wss://example.com",
    ] {
        assert_eq!(Source::origin(text), Err(Error::InvalidSource), "{text:?}");
    }
    for text in [
        "ws://example.com",
        "https://example.com",
        "wss://",
        "wss://example.com/x",
        "WSS://example.com",
    ] {
        assert_eq!(
            Source::websocket(text),
            Err(Error::InvalidSource),
            "{text:?}"
        );
    }
}

#[test]
fn reports_go_to_a_clean_address_in_both_forms() {
    let policy = builder().report_to("csp", "https://reports.example.com/csp?a=b");
    let value = value(policy);
    let end = "; report-uri https://reports.example.com/csp?a=b; report-to csp";
    assert!(value.ends_with(end), "{value}");
    assert!(builder().report_to("csp", "/csp-reports").build().is_ok());
    let long = format!("/{}", "a".repeat(512));
    for endpoint in [
        "",
        "csp",
        "//evil.test/csp",
        "http://reports.example.com/",
        "https://",
        "https://user@reports.example.com/",
        "/csp; script-src *",
        "/csp, script-src *",
        "/csp script-src",
        "/csp\r\nset-cookie: a=b",
        "/\"csp",
        "/\\csp",
        "/ü",
        "javascript:alert(1)",
        &long,
    ] {
        let policy = builder().report_to("csp", endpoint);
        assert_eq!(
            refusal(policy),
            Error::InvalidReportEndpoint,
            "{endpoint:?}"
        );
    }
    let long = "a".repeat(65);
    for name in [
        "", "CSP", "c p", "csp;", "1csp", "csp\"", "csp=", "ü", &long,
    ] {
        let policy = builder().report_to(name, "/csp");
        assert_eq!(refusal(policy), Error::InvalidReportEndpoint, "{name:?}");
    }
}

#[test]
fn is_bounded() {
    let hosts = |count: usize| {
        (0..count)
            .map(|number| origin(&format!("https://host-{number}.example.com")))
            .collect::<Vec<_>>()
    };
    assert!(builder().img_src(hosts(64)).build().is_ok());
    assert_eq!(refusal(builder().img_src(hosts(65))), Error::TooMany);
    let wide = builder()
        .img_src(hosts(60))
        .media_src(hosts(60))
        .font_src(hosts(60));
    assert_eq!(refusal(wide), Error::PolicyTooLong);
    // What is sent counts, with a nonce in every place for one.
    let filled = |length: usize, nonces: &[Source]| {
        let address = format!("/{}", "a".repeat(length));
        builder()
            .img_src(hosts(64))
            .font_src(hosts(60))
            .script_src(nonces.iter().cloned())
            .style_src(nonces.iter().cloned())
            .report_to("csp", &address)
    };
    let rest = 4096 - value(filled(0, &[])).len();
    assert!(rest < 511, "{rest}");
    assert!(filled(rest, &[]).build().is_ok());
    assert_eq!(refusal(filled(rest + 1, &[])), Error::PolicyTooLong);
    let nonces = [Source::nonce()];
    // `'nonce-…'` with 24 characters stands in the place of `'none'`, twice.
    let longer = 2 * (24 + 8 - 6);
    assert!(filled(rest - longer, &nonces).build().is_ok());
    assert_eq!(
        refusal(filled(rest - longer + 1, &nonces)),
        Error::PolicyTooLong
    );
}

#[test]
fn what_is_unsafe_has_a_name_that_says_so_and_is_told() {
    let policy = builder()
        .script_src([Source::self_origin()])
        .allow_unsafe_inline_scripts()
        .allow_unsafe_inline_styles()
        .allow_unsafe_eval()
        .allow_wasm_unsafe_eval();
    assert_eq!(
        loosened(policy.clone()),
        [
            Loosened::UnsafeInlineScripts,
            Loosened::UnsafeEval,
            Loosened::WasmUnsafeEval,
            Loosened::UnsafeInlineStyles,
        ]
    );
    let value = value(policy);
    assert!(value.contains(
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; "
    ));
}

#[test]
fn what_stands_for_more_than_its_owner_knows_is_told() {
    let directives = [
        Directive::DefaultSrc,
        Directive::ScriptSrc,
        Directive::StyleSrc,
        Directive::ConnectSrc,
        Directive::FrameSrc,
        Directive::FormAction,
    ];
    for directive in directives {
        let policy = builder().allow(directive, [Source::any_https()]);
        let expected = Loosened::BroadSource {
            directive,
            source: "https:".into(),
        };
        assert_eq!(loosened(policy), [expected]);
    }
    let passive = builder()
        .img_src([Source::any_https(), Source::data(), Source::blob()])
        .font_src([Source::any_https()])
        .media_src([Source::any_https()]);
    assert!(loosened(passive).is_empty());
    let plain = builder().img_src([origin("http://images.example.com")]);
    let expected = Loosened::PlainSource {
        directive: Directive::ImgSrc,
        source: "http://images.example.com".into(),
    };
    assert_eq!(loosened(plain), [expected]);
    assert_eq!(loosened(builder().report_only()), [Loosened::ReportOnly]);
}

#[test]
fn a_model_provider_in_reach_of_a_page_is_told() {
    let reaches = [
        ("https://api.openai.com", "api.openai.com"),
        ("https://*.openai.com", "api.openai.com"),
        ("https://api.anthropic.com", "api.anthropic.com"),
        ("https://acme.openai.azure.com", "openai.azure.com"),
        ("https://*.openai.azure.com", "openai.azure.com"),
        (
            "https://europe-west1.aiplatform.googleapis.com",
            "aiplatform.googleapis.com",
        ),
        (
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
            "bedrock-runtime.amazonaws.com",
        ),
        ("https://api.openai.com:8443", "api.openai.com"),
    ];
    for (source, host) in reaches {
        let policy = builder().connect_src([origin(source)]);
        assert_eq!(
            loosened(policy),
            [Loosened::ModelProvider { host }],
            "{source}"
        );
    }
    let socket = Source::websocket("wss://api.openai.com").expect("a source");
    let policy = builder().connect_src([socket]);
    assert_eq!(loosened(policy).len(), 1);
    // What `connect-src` falls back to counts when it is not there, and only then.
    let default = || builder().default_src([origin("https://api.openai.com")]);
    assert_eq!(loosened(default()).len(), 1);
    assert!(loosened(default().connect_src([Source::self_origin()])).is_empty());
    for source in [
        "https://notapi.openai.com.example.com",
        "https://evilapi.openai.com",
        "https://api.example.com",
        "https://*.example.com",
        "https://s3.amazonaws.com",
    ] {
        let policy = builder().connect_src([origin(source)]);
        assert!(loosened(policy).is_empty(), "{source}");
    }
    // An image from there gives nobody a key.
    assert!(loosened(builder().img_src([origin("https://api.openai.com")])).is_empty());
}

#[test]
fn being_framed_is_told() {
    assert_eq!(
        loosened(builder().frame_ancestors([Source::self_origin()])),
        [Loosened::Framed]
    );
    let portal = builder().frame_ancestors([origin("https://portal.example.com")]);
    assert_eq!(loosened(portal), [Loosened::Framed]);
}

#[test]
fn on_trial_it_has_another_field() {
    let trial = builder().report_only().build().expect("a policy");
    assert_eq!(trial.field_name(), "content-security-policy-report-only");
    assert!(trial.is_report_only());
    assert_eq!(
        ContentSecurityPolicy::none().field_name(),
        "content-security-policy"
    );
}
