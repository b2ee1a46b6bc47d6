use ringwall_browser::{
    About, ContentSecurityPolicy, Error, Feature, Hsts, Loosened, OpenerPolicy, Origin,
    PermissionsPolicy, ReferrerPolicy, ResourcePolicy, SecurityField, SecurityHeaders, Source,
};

fn sent(headers: &SecurityHeaders, is_secure: bool) -> Vec<(String, String)> {
    let about = About {
        is_secure,
        status: 200,
        nonce: None,
    };
    let mut lines = Vec::new();
    headers.apply(about, &mut lines);
    lines
}

fn value(headers: &SecurityHeaders, name: &str) -> Option<String> {
    let lines = sent(headers, true);
    let found = lines.into_iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value)
}

#[test]
fn the_default_is_the_strictest_and_loosens_nothing() {
    let default = SecurityHeaders::default();
    assert_eq!(sent(&default, true), sent(&SecurityHeaders::strict(), true));
    assert_eq!(sent(&default, true).len(), 9);
    for headers in [default, SecurityHeaders::api()] {
        assert!(headers.loosened().is_empty());
        assert_eq!(headers.begin(), Ok(None));
    }
}

#[test]
fn what_is_loosened_is_told() {
    let loose = SecurityHeaders::api()
        .hsts(Hsts::seconds(300))
        .opener_policy(OpenerPolicy::UnsafeNone)
        .resource_policy(ResourcePolicy::CrossOrigin)
        .edge_sets([SecurityField::ReferrerPolicy])
        .expect("fields");
    let expected = [
        Loosened::LeftToTheEdge(SecurityField::ReferrerPolicy),
        Loosened::ShortHsts,
        Loosened::SharedWindow,
        Loosened::AnyEmbedder,
    ];
    assert_eq!(loose.loosened(), expected);
    let preloaded = SecurityHeaders::api().hsts(Hsts::preload());
    assert_eq!(preloaded.loosened(), [Loosened::HstsPreload]);
    let trial = ContentSecurityPolicy::builder().report_only();
    let trial = SecurityHeaders::page(trial.build().expect("a policy"));
    assert_eq!(trial.loosened(), [Loosened::ReportOnly]);
    assert!(expected.iter().all(|one| one.to_string().len() > 20));
}

#[test]
fn hsts_is_of_the_owners_making() {
    let forms = [
        (Hsts::default(), "max-age=31536000"),
        (Hsts::seconds(0), "max-age=0"),
        (
            Hsts::one_year().include_sub_domains(),
            "max-age=31536000; includeSubDomains",
        ),
        (
            Hsts::preload(),
            "max-age=63072000; includeSubDomains; preload",
        ),
    ];
    for (hsts, text) in forms {
        let headers = SecurityHeaders::api().hsts(hsts);
        assert_eq!(
            value(&headers, "strict-transport-security").as_deref(),
            Some(text)
        );
        assert!(
            !sent(&headers, false)
                .iter()
                .any(|(name, _)| name.starts_with("strict"))
        );
    }
    assert!(
        SecurityHeaders::api()
            .hsts(Hsts::one_year())
            .loosened()
            .is_empty()
    );
}

#[test]
fn nonces_cannot_be_left_to_the_edge() {
    let nonces = ContentSecurityPolicy::builder().script_src([Source::nonce()]);
    let headers = SecurityHeaders::page(nonces.build().expect("a policy"));
    let edge = [SecurityField::ContentSecurityPolicy];
    let refused = headers.clone().edge_sets(edge).map(|_| ());
    assert_eq!(refused, Err(Error::NonceAtEdge));
    assert!(headers.edge_sets([SecurityField::FrameOptions]).is_ok());
    assert!(SecurityHeaders::api().edge_sets(edge).is_ok());
}

#[test]
fn a_policy_that_the_edge_sets_is_not_told_about() {
    let loose = ContentSecurityPolicy::builder().allow_unsafe_eval();
    let headers = SecurityHeaders::page(loose.build().expect("a policy"));
    let headers = headers.edge_sets([SecurityField::ContentSecurityPolicy]);
    let told = headers.expect("fields").loosened();
    let field = SecurityField::ContentSecurityPolicy;
    assert_eq!(told, [Loosened::LeftToTheEdge(field)]);
}

#[test]
fn fields_are_read_by_their_names() {
    for field in SecurityField::ALL {
        assert_eq!(field.as_str().parse(), Ok(field));
        assert_eq!(field.as_str().to_uppercase().parse(), Ok(field));
    }
    for text in ["", "server", "x-frame-options ", "strict"] {
        assert_eq!(text.parse::<SecurityField>(), Err(Error::UnknownField));
    }
}

#[test]
fn leaving_every_field_to_the_edge_sends_none() {
    let headers = SecurityHeaders::strict().edge_sets(SecurityField::ALL);
    assert_eq!(sent(&headers.expect("fields"), true), []);
}

#[test]
fn each_policy_is_sent_as_named() {
    for (policy, text) in [
        (
            ReferrerPolicy::StrictOriginWhenCrossOrigin,
            "strict-origin-when-cross-origin",
        ),
        (ReferrerPolicy::StrictOrigin, "strict-origin"),
        (ReferrerPolicy::SameOrigin, "same-origin"),
        (ReferrerPolicy::NoReferrer, "no-referrer"),
    ] {
        let headers = SecurityHeaders::api().referrer_policy(policy);
        assert_eq!(value(&headers, "referrer-policy").as_deref(), Some(text));
    }
    let site = SecurityHeaders::api().resource_policy(ResourcePolicy::SameSite);
    assert_eq!(
        value(&site, "cross-origin-resource-policy").as_deref(),
        Some("same-site")
    );
    assert!(site.loosened().is_empty());
}

#[test]
fn a_page_may_ask_for_nothing_that_was_not_named() {
    let nothing = PermissionsPolicy::none().value();
    assert_eq!(nothing.matches("=()").count(), Feature::ALL.len());
    let pay: Origin = "https://pay.example".parse().expect("an origin");
    let some = PermissionsPolicy::none()
        .allow(Feature::Camera)
        .allow_with(Feature::Payment, [pay]);
    let headers = SecurityHeaders::api().permissions_policy(&some);
    let value = value(&headers, "permissions-policy").expect("a value");
    assert!(value.contains("camera=(self), "), "{value}");
    assert!(
        value.contains("payment=(self \"https://pay.example\"), "),
        "{value}"
    );
    assert_eq!(value.matches("=()").count(), Feature::ALL.len() - 2);
}
