//! The corpus of what browsers are told: read here, and replayed by the neutral crate and by each
//! adapter.

use std::time::Duration;

use ringwall_browser::{
    ContentSecurityPolicy, CorsPolicy, Directive, EmbedderPolicy, Feature, Hsts, OpenerPolicy,
    PermissionsPolicy, ReferrerPolicy, ResourcePolicy, SecurityField, SecurityHeaders, Source,
};
use ringwall_core::profile::Profile;
use serde_json::Value;

/// The address of the proxy that replays trust.
pub(crate) const PROXY: &str = "192.0.2.1:4000";

/// The address of everybody else.
pub(crate) const CLIENT: &str = "198.51.100.9:4000";

/// The field in which a handler of a replay answers the nonce that it was given.
pub(crate) const NONCE_FIELD: &str = "x-nonce-of-the-request";

/// The field that a handler of a replay sets, so that its answers can be told from others.
pub(crate) const HANDLER_FIELD: &str = "x-handler";

/// What an answer is compared by, beside the fields of `SecurityField`.
const WATCHED: [&str; 10] = [
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
    "vary",
    "content-security-policy-report-only",
    "x-xss-protection",
];

pub(crate) type Lines = Vec<(String, String)>;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    ClientWithTls,
    ClientWithout,
    ClientUnknown,
    TrustedProxy,
    Nobody,
}

/// One request, and what its answer must be.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) cors: Option<CorsPolicy>,
    pub(crate) headers: Option<SecurityHeaders>,
    pub(crate) method: String,
    pub(crate) request: Lines,
    pub(crate) whose: Whose,
    /// What the handler answers.
    pub(crate) status: u16,
    pub(crate) handler: Lines,
    pub(crate) gets_nonce: bool,
    pub(crate) reaches_handler: bool,
    answer: Lines,
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) lines: Lines,
    pub(crate) is_empty: bool,
}

/// All cases of all files.
pub(crate) fn cases() -> Vec<Case> {
    let files = [
        include_str!("../vectors/cors.json"),
        include_str!("../vectors/headers.json"),
    ];
    let cases: Vec<Case> = files.into_iter().flat_map(read).collect();
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
    assert!(cases.len() > 100, "the corpus is not there");
    cases
}

impl Case {
    /// What makes the answer a wrong one.
    pub(crate) fn check(&self, seen: &Seen) -> Result<(), String> {
        let value = |name: &str| seen.lines.iter().find(|(other, _)| other == name);
        let reached = value(HANDLER_FIELD).is_some();
        let status = if self.reaches_handler {
            self.status
        } else {
            204
        };
        if reached != self.reaches_handler {
            return Err(format!("{}: the handler ran: {reached}", self.name));
        }
        if seen.status != status || !(reached || seen.is_empty) {
            return Err(format!("{}: {seen:?}", self.name));
        }
        let nonce = value(NONCE_FIELD).map(|(_, nonce)| nonce.as_str());
        if nonce.is_some() != self.gets_nonce {
            return Err(format!("{}: the handler had {nonce:?}", self.name));
        }
        if nonce.is_some_and(|nonce| nonce.len() < 22) {
            return Err(format!("{}: {nonce:?} is too short", self.name));
        }
        let filled = |(name, value): &(String, String)| {
            let value = value.replace("{nonce}", nonce.unwrap_or("?"));
            (name.clone(), value)
        };
        let mut expected: Lines = self.answer.iter().map(filled).collect();
        let mut lines: Lines = seen
            .lines
            .iter()
            .filter(|(name, _)| {
                WATCHED.contains(&name.as_str()) || name.parse::<SecurityField>().is_ok()
            })
            .cloned()
            .collect();
        expected.sort();
        lines.sort();
        if lines == expected {
            Ok(())
        } else {
            Err(format!(
                "{}:\n  expected {expected:?}\n  received {lines:?}",
                self.name
            ))
        }
    }
}

/// Fails with every case that was answered wrongly.
pub(crate) fn report(outcomes: Vec<Result<(), String>>) {
    let wrong: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn read(file: &str) -> Vec<Case> {
    let file: Value = serde_json::from_str(file).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    cases.iter().map(|case| read_case(&file, case)).collect()
}

fn read_case(file: &Value, case: &Value) -> Case {
    let name = text(&case["name"]);
    let named = |kind: &str| {
        let policy = case[kind].as_str()?;
        let policy = file[kind].get(policy);
        Some(policy.unwrap_or_else(|| panic!("{name}: no such policy")))
    };
    let whose = match case["peer"].as_str() {
        Some("tls") => Whose::ClientWithTls,
        Some("plain") | None => Whose::ClientWithout,
        Some("unknown") => Whose::ClientUnknown,
        Some("proxy") => Whose::TrustedProxy,
        Some("none") => Whose::Nobody,
        Some(other) => panic!("{name}: {other}"),
    };
    Case {
        cors: named("cors").map(cors),
        headers: named("headers").map(headers),
        method: case["method"].as_str().unwrap_or("GET").to_owned(),
        request: lines(&case["request"]),
        whose,
        status: case["status"]
            .as_u64()
            .map_or(200, |status| u16::try_from(status).expect("a status")),
        handler: lines(&case["handler"]),
        gets_nonce: case["nonce"].as_bool().unwrap_or(false),
        reaches_handler: case["reaches_handler"].as_bool().unwrap_or(true),
        answer: lines(&case["answer"]),
        name,
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .map(|all| all.iter().map(text).collect())
        .unwrap_or_default()
}

fn lines(value: &Value) -> Lines {
    value
        .as_array()
        .map(|all| {
            all.iter()
                .map(|line| (text(&line[0]), text(&line[1])))
                .collect()
        })
        .unwrap_or_default()
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or(false)
}

fn cors(policy: &Value) -> CorsPolicy {
    let mut builder = CorsPolicy::builder()
        .methods(texts(&policy["methods"]))
        .exposed_headers(texts(&policy["exposed"]));
    if flag(&policy["defaults"]) {
        builder = builder.with_defaults();
    }
    if flag(&policy["dpop"]) {
        builder = builder.with_dpop();
    }
    if flag(&policy["development"]) {
        builder = builder.profile(Profile::Development);
    }
    if flag(&policy["any"]) {
        builder = builder.any_origin();
    }
    if flag(&policy["credentials"]) {
        builder = builder.allow_credentials();
    }
    if let Some(seconds) = policy["max_age"].as_u64() {
        builder = builder.max_age(Duration::from_secs(seconds));
    }
    builder = builder.request_headers(texts(&policy["request_headers"]));
    builder = builder.origin_list(&texts(&policy["origins"]).join(","));
    for origin in texts(&policy["loopback"]) {
        builder = builder.loopback_origin(&origin);
    }
    builder.build().expect("a policy")
}

fn csp(policy: &Value) -> ContentSecurityPolicy {
    let mut builder = ContentSecurityPolicy::builder();
    let directives = policy["csp"].as_object().expect("directives");
    for (name, sources) in directives {
        builder = builder.allow(
            directive(name),
            texts(sources).iter().map(|text| source(text)),
        );
    }
    if let [name, endpoint] = texts(&policy["report_to"]).as_slice() {
        builder = builder.report_to(name, endpoint);
    }
    if flag(&policy["report_only"]) {
        builder = builder.report_only();
    }
    builder.build().expect("a policy")
}

fn directive(name: &str) -> Directive {
    let known = [
        Directive::DefaultSrc,
        Directive::ScriptSrc,
        Directive::StyleSrc,
        Directive::ImgSrc,
        Directive::ConnectSrc,
        Directive::FormAction,
        Directive::FrameAncestors,
    ];
    let found = known.into_iter().find(|known| known.as_str() == name);
    found.unwrap_or_else(|| panic!("{name}"))
}

fn source(text: &str) -> Source {
    match text {
        "self" => Source::self_origin(),
        "data" => Source::data(),
        "nonce" => Source::nonce(),
        "strict-dynamic" => Source::strict_dynamic(),
        origin => Source::origin(origin).expect("an origin"),
    }
}

fn headers(policy: &Value) -> SecurityHeaders {
    let mut headers = match policy["preset"].as_str().expect("a preset") {
        "api" => SecurityHeaders::api(),
        "strict" => SecurityHeaders::strict(),
        "page" => SecurityHeaders::page(csp(policy)),
        other => panic!("{other}"),
    };
    match policy["hsts"].as_str() {
        None => {}
        Some("include_sub_domains") => {
            headers = headers.hsts(Hsts::one_year().include_sub_domains());
        }
        Some("preload") => headers = headers.hsts(Hsts::preload()),
        Some("forget") => headers = headers.hsts(Hsts::seconds(0)),
        Some(other) => panic!("{other}"),
    }
    if policy["resource"] == "cross-origin" {
        headers = headers.resource_policy(ResourcePolicy::CrossOrigin);
    }
    if policy["opener"] == "same-origin-allow-popups" {
        headers = headers.opener_policy(OpenerPolicy::SameOriginAllowPopups);
    }
    if policy["referrer"] == "no-referrer" {
        headers = headers.referrer_policy(ReferrerPolicy::NoReferrer);
    }
    if policy["embedder"] == "credentialless" {
        headers = headers.embedder_policy(EmbedderPolicy::Credentialless);
    }
    if texts(&policy["permissions"]) == ["microphone"] {
        headers = headers.permissions_policy(&PermissionsPolicy::none().allow(Feature::Microphone));
    }
    let edge = texts(&policy["edge"]);
    let edge = edge
        .iter()
        .map(|field| field.parse::<SecurityField>().expect("a field"));
    headers.edge_sets(edge).expect("fields")
}
