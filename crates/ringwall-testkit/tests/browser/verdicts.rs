//! Where the journey goes, and what must have been seen there.

use serde_json::{Value, json};

use crate::journey::Journey;

/// The origins that may read, and the step at which each tries.
const ALLOWED: [(&str, &str); 3] = [
    ("allowed", "https://app.example.com"),
    ("allowed-port", "https://tool.example.com:8443"),
    ("allowed-wildcard", "https://pr-17.preview.example.com"),
];

/// The origins that may not.
const REFUSED: [(&str, &str); 7] = [
    ("other-domain", "https://evilexample.com"),
    ("longer-domain", "https://app.example.com.evil.test"),
    ("plain", "http://app.example.com"),
    ("other-port", "https://app.example.com:8443"),
    ("usual-port", "https://tool.example.com"),
    ("apex", "https://preview.example.com"),
    ("two-labels", "https://a.b.preview.example.com"),
];

/// The pages in order, each under the name of its step.
pub(crate) fn steps() -> Vec<(&'static str, String)> {
    let api = |scheme: &str, path: &str, step: &str| {
        format!("{scheme}://api.example.com{path}?step={step}")
    };
    let mut steps = vec![
        // Before the browser was told to come back over TLS alone, and after.
        ("before", api("http", "/page", "before")),
        ("page", api("https", "/page", "page")),
    ];
    let probes = ALLOWED.into_iter().chain(REFUSED);
    steps.extend(probes.map(|(step, origin)| (step, format!("{origin}/probe?step={step}"))));
    let app = |path: &str, step: &str| format!("https://app.example.com{path}?step={step}");
    steps.extend([
        ("null", app("/sandbox", "null")),
        ("framing", app("/framing", "framing")),
        ("injected", api("https", "/injected", "injected")),
        ("after", api("http", "/page", "after")),
    ]);
    steps
}

/// Fails when anything was seen that should not have been, or not seen that should have been.
pub(crate) fn check(journey: &Journey) {
    for (step, origin) in ALLOWED {
        let seen = journey.at(step);
        assert_eq!(seen["origin"], origin);
        check_allowed(journey, step, seen);
    }
    for (step, origin) in REFUSED {
        let seen = journey.at(step);
        assert_eq!(seen["origin"], origin);
        check_refused(journey, step, seen);
        assert_eq!(seen["everybody"]["text"], "none", "{step}");
    }
    check_null(journey);
    check_page(journey);
    check_injected(journey);
    check_framing(journey);
    check_hsts(journey);
    check_log(journey);
}

fn check_allowed(journey: &Journey, step: &str, seen: &Value) {
    let read = |text: &str, exposed: Value| json!({"status": 200, "text": text, "exposed": exposed, "hidden": null});
    // The cookie goes along when it is asked for, and only the named field can be read.
    assert_eq!(seen["plain"], read("none", json!("r-1")), "{step}");
    assert_eq!(seen["cookie"], read("cookie", json!("r-1")), "{step}");
    assert_eq!(seen["token"], read("GET ran", Value::Null), "{step}");
    assert_eq!(seen["patch"], read("PATCH ran", Value::Null), "{step}");
    assert_eq!(seen["form"], read("POST ran", Value::Null), "{step}");
    // Without a token the gate refuses, and the page learns that.
    assert_eq!(seen["refused"]["status"], 401, "{step}");
    for denied in ["lowerCase", "foreignMethod", "foreignHeader"] {
        assert_eq!(seen[denied], "unreadable", "{step}: {denied}");
        assert_eq!(
            journey.ledger.of(&format!("{step}.{denied}")),
            [],
            "{denied}"
        );
    }
    if step == "allowed" {
        assert_eq!(seen["withoutCredentials"]["text"], "none", "{step}");
    }
    assert_eq!(seen["withCredentials"], "unreadable", "{step}");
    assert_eq!(seen["everybody"]["text"], "none", "{step}");
    assert_eq!(seen["everybodyCredentials"], "unreadable", "{step}");
    // Without `nosniff`, a text is a script.
    assert_eq!(seen["sniffed"], true, "{step}");
}

fn check_refused(journey: &Journey, step: &str, seen: &Value) {
    let requests = [
        "plain",
        "cookie",
        "token",
        "refused",
        "patch",
        "lowerCase",
        "foreignMethod",
        "foreignHeader",
        "form",
        "withoutCredentials",
        "withCredentials",
        "everybodyCredentials",
    ];
    for request in requests {
        assert_eq!(seen[request], "unreadable", "{step}: {request}");
    }
    // What needs a preflight is not even sent.
    for preflighted in [
        "token",
        "patch",
        "lowerCase",
        "foreignMethod",
        "foreignHeader",
    ] {
        let visits = journey.ledger.of(&format!("{step}.{preflighted}"));
        assert_eq!(visits, [], "{step}: {preflighted}");
    }
    // What a form could send is sent: CORS is no protection against that.
    assert_eq!(
        journey.ledger.of(&format!("{step}.form")).len(),
        1,
        "{step}"
    );
}

fn check_null(journey: &Journey) {
    let seen = journey.at("null");
    assert_eq!(seen["origin"], "null");
    check_refused(journey, "null", seen);
    assert_eq!(seen["everybody"], "unreadable");
}

/// A page under its own policy does everything that it should, without one violation.
fn check_page(journey: &Journey) {
    let seen = journey.at("page");
    assert_eq!(seen["protocol"], "https:");
    assert_eq!(seen["violations"], json!([]));
    assert_eq!(seen["inline"], "ran");
    assert_eq!(seen["color"], "rgb(1, 2, 3)");
    assert_eq!(seen["image"], 3);
    assert_eq!(seen["features"], json!([]));
    // Browsers hide the nonce from style sheets and selectors, so that none can read it out.
    assert_eq!(seen["hasNonce"], false);
    let referrers = journey.ledger.of("page");
    let referrer = referrers.iter().find(|visit| visit.path == "/referrer");
    let referrer = referrer.and_then(|visit| visit.referrer.as_deref());
    assert_eq!(referrer, Some("https://api.example.com/"));
}

/// Nothing of what was smuggled into a page happens.
fn check_injected(journey: &Journey) {
    let seen = journey.at("injected");
    assert_eq!(seen["inline"], "ran", "its own script must run");
    assert_eq!(seen["injected"], json!([]));
    assert_eq!(seen["tried"], json!(["EvalError", "TypeError"]));
    assert_eq!(seen["sniffed"], false, "a text was taken for a script");
    assert_eq!(seen["styled"], "rgb(1, 2, 3)");
    assert_eq!(seen["base"], true);
    let violations = seen["violations"].as_array().expect("a list");
    for directive in [
        "script-src-elem",
        "script-src-attr",
        "script-src",
        "style-src-attr",
        "connect-src",
        "form-action",
        "frame-src",
        "object-src",
        "base-uri",
    ] {
        assert!(
            violations.iter().any(|violated| violated == directive),
            "{directive} is not among {violations:?}"
        );
    }
}

fn check_framing(journey: &Journey) {
    let ran = |step: &str| {
        let visits = journey.ledger.of(step);
        visits.iter().any(|visit| visit.path == "/ran")
    };
    let seen = journey.at("framing");
    assert!(!ran("framed"), "a page was shown in a frame: {seen}");
    assert!(ran("embedded"), "no page was shown in a frame: {seen}");
    assert_eq!(seen["closedImage"], "error");
    assert_eq!(seen["openImage"], "load");
}

/// Once it was there over TLS, the browser comes back over TLS, whatever the address says.
fn check_hsts(journey: &Journey) {
    assert_eq!(journey.at("before")["protocol"], "http:");
    assert_eq!(journey.at("after")["protocol"], "https:");
}

/// The browser understood each field.
fn check_log(journey: &Journey) {
    let complaints: Vec<&str> = journey
        .log
        .lines()
        .filter(|line| {
            line.contains("CONSOLE")
                // Without TLS there is no isolation of windows to ask for.
                && !line.contains("origin was untrustworthy")
                && [
                    "Permissions-Policy",
                    "Unrecognized",
                    "Content-Security-Policy directive",
                    "is invalid",
                    "Strict-Transport-Security",
                    "Cross-Origin-",
                ]
                .iter()
                .any(|word| line.contains(word))
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
