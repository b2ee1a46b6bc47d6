//! Each verdict as every protocol shows it, held against what came.

use http::{HeaderMap, HeaderName, HeaderValue};
use ringwall_core::audit::AuditOutcome;
use serde_json::{Value, json};
use tonic_types::StatusExt as _;

use crate::answer::{Answer, End};
use crate::case::{By, Case, Denied, GateName, Protocol, Verdict};
use crate::credentials::REALM;
use crate::gates::Told;
use crate::limits;
use crate::proofs;
use crate::render::{Rendering, rendering};

/// The header fields by which a denial speaks. All of them are compared, those that are absent too.
const SPOKEN: [&str; 7] = [
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "www-authenticate",
    "grpc-status-details-bin",
];

/// What a parser answers to what it does not take, if it answers at all.
const REFUSALS: [u16; 9] = [400, 405, 411, 413, 414, 417, 431, 501, 505];

/// How much is shown of what came, in characters.
const SHOWN: usize = 300;

/// One case in one protocol, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) case: &'a Case,
    pub(crate) protocol: Protocol,
    pub(crate) answer: &'a Answer,
    pub(crate) told: &'a Told,
}

/// How it is recorded that a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    Completed { status: u16, grpc: Option<u32> },
    Denied { status: u16 },
}

impl Outcome<'_> {
    /// Everything that is not as the verdict says.
    pub(crate) fn differences(self) -> Vec<String> {
        let mut all = Vec::new();
        match &self.case.verdict {
            Verdict::Admitted => self.admitted(&mut all),
            Verdict::Denied(denied) => self.denied(denied, &mut all),
            Verdict::Refused => self.refused(&mut all),
            Verdict::CutOff => self.failed(413, 8, &mut all),
            Verdict::Ended => self.ended(&mut all),
            Verdict::Misconfigured => self.failed(500, 13, &mut all),
        }
        self.cause(&mut all);
        self.nonce(&mut all);
        all.extend(limits::differences(self.case.limits.as_ref(), self.answer));
        all
    }

    /// The nonce of the next proof, which stands in one field, and in an answer that no cache keeps.
    fn nonce(self, all: &mut Vec<String>) {
        let current = proofs::nonce("current", None);
        let expected: Vec<&str> = match self.case.nonce {
            true => current.as_deref().into_iter().collect(),
            false => Vec::new(),
        };
        compare(
            "dpop-nonce",
            &expected,
            &self.answer.values("dpop-nonce"),
            all,
        );
        if self.case.caching.is_some()
            || (self.case.nonce && self.case.verdict == Verdict::Admitted)
        {
            let caching: &[&str] = match &self.case.caching {
                Some(said) => &[said.as_str()],
                None if self.case.nonce && !self.is_grpc() => &["no-store"],
                None => &[],
            };
            let found = self.answer.values("cache-control");
            compare("cache-control", &caching, &found.as_slice(), all);
        }
    }

    fn is_grpc(self) -> bool {
        self.protocol == Protocol::Grpc
    }

    fn is_head(self) -> bool {
        !self.is_grpc() && self.case.request.method() == "HEAD"
    }

    fn status(self, http: u16, grpc: u32, all: &mut Vec<String>) {
        let told: Vec<&str> = self.answer.values("grpc-status");
        if self.is_grpc() {
            compare("the HTTP status", &200, &self.answer.status, all);
            compare("grpc-status", &vec![grpc.to_string().as_str()], &told, all);
        } else {
            compare("the status", &http, &self.answer.status, all);
            compare("grpc-status", &Vec::<&str>::new(), &told, all);
        }
    }

    fn completed(self, http: u16, grpc: u32) -> Record {
        if self.is_grpc() {
            Record::Completed {
                status: 200,
                grpc: Some(grpc),
            }
        } else {
            Record::Completed {
                status: http,
                grpc: None,
            }
        }
    }

    fn admitted(self, all: &mut Vec<String>) {
        self.status(200, 0, all);
        compare("the end", &End::Whole, &self.answer.end, all);
        self.recorded(self.completed(200, 0), all);
        self.seen(all);
    }

    /// In HTTP the answer breaks off, or never begins: a server that has sent nothing yet drops the
    /// connection. A gRPC call ends with its status.
    fn ended(self, all: &mut Vec<String>) {
        if self.is_grpc() || self.answer.status != 0 {
            self.status(200, 16, all);
        }
        let is_whole = self.answer.end == End::Whole;
        compare(
            "whether the answer is whole",
            &self.is_grpc(),
            &is_whole,
            all,
        );
        if self.answer.text().contains("part") {
            all.push(format!("something came: {:?}", self.answer.text()));
        }
        self.recorded(self.completed(200, 16), all);
    }

    /// A handler that could not answer. In which words it says so is not the gate's.
    fn failed(self, http: u16, grpc: u32, all: &mut Vec<String>) {
        self.status(http, grpc, all);
        self.recorded(self.completed(http, grpc), all);
    }

    fn refused(self, all: &mut Vec<String>) {
        let Answer { end, status, .. } = self.answer;
        let grpc = self.answer.values("grpc-status");
        let by_parser = *end == End::Nothing || REFUSALS.contains(status);
        let by_gate = self.is_grpc() && grpc == ["3"];
        if !by_parser && !by_gate {
            all.push(format!(
                "it was not refused: {end:?}, status {status}, grpc-status {grpc:?}"
            ));
        }
        all.extend(admissions(self.told));
    }

    fn denied(self, denied: &Denied, all: &mut Vec<String>) {
        let shown = rendering(denied.kind, denied);
        let Rendering { status, grpc, .. } = shown;
        self.status(status, grpc, all);
        compare("the end", &End::Whole, &self.answer.end, all);
        let record = match denied.by {
            By::Gate => Record::Denied { status },
            By::Handler => self.completed(status, grpc),
        };
        self.recorded(record, all);
        if self.is_grpc() {
            self.denied_grpc(denied, shown, all);
        } else {
            self.denied_http(denied, shown, all);
        }
    }

    fn denied_http(self, denied: &Denied, shown: Rendering, all: &mut Vec<String>) {
        let mut expected = http_fields(denied, shown);
        expected.push(("cache-control", Some("no-store".to_owned())));
        expected.push(("content-type", Some("application/problem+json".to_owned())));
        self.spoken(&expected, all);
        if self.is_head() {
            compare("the body of HEAD", &"", &self.answer.text().as_str(), all);
            return;
        }
        let mut document = json!({
            "type": "about:blank",
            "title": shown.title,
            "status": shown.status,
        });
        if let Some(limit) = denied.limit {
            document["limit"] = limit.into();
        }
        if let Some(limits) = &self.case.limits {
            let kind = "https://iana.org/assignments/http-problem-types#quota-exceeded";
            document["type"] = kind.into();
            document["violated-policies"] = limits.violated.clone().into();
        }
        if let Some(approval) = &denied.approval {
            document["approval"] = approval.as_str().into();
        }
        let body: Value = serde_json::from_slice(&self.answer.body).unwrap_or_default();
        compare("the problem document", &document, &body, all);
    }

    fn denied_grpc(self, denied: &Denied, shown: Rendering, all: &mut Vec<String>) {
        let mut status = HeaderMap::new();
        for (name, value) in self.answer.fields.iter().chain(&self.answer.trailers) {
            let name: HeaderName = name.parse().expect("a name");
            status.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let Some(status) = tonic::Status::from_header_map(&status) else {
            all.push("there is no status".to_owned());
            return;
        };
        let message = match denied.limit {
            // What gRPC puts in front of a message counts too.
            Some(limit) if denied.by == By::Gate => too_large(limit.saturating_add(5)),
            Some(limit) => too_large(limit),
            None => shown.message.to_owned(),
        };
        compare("grpc-message", &message.as_str(), &status.message(), all);
        compare("the message", &"", &self.answer.text().as_str(), all);
        let details = status.get_error_details();
        let pause = details.retry_info().and_then(|info| info.retry_delay);
        let pause = pause.map(|pause| pause.as_secs());
        compare("RetryInfo", &denied.retry_after, &pause, all);
        let refuse = details.quota_failure().map(|failure| {
            let violations = failure.violations.iter();
            violations
                .map(|one| one.subject.clone())
                .collect::<Vec<_>>()
        });
        let violated = self
            .case
            .limits
            .as_ref()
            .map(|limits| limits.violated.clone());
        compare("QuotaFailure", &violated, &refuse, all);
        let waits = details.precondition_failure().map(|failure| {
            let violation = failure.violations.first();
            violation.map(|violation| (violation.r#type.clone(), violation.subject.clone()))
        });
        let approval = denied.approval.clone();
        let approval = approval.map(|id| Some(("APPROVAL_REQUIRED".to_owned(), id)));
        compare("PreconditionFailure", &approval, &waits, all);
        let mut expected = grpc_metadata(denied, shown);
        expected.push(("content-type", Some("application/grpc".to_owned())));
        // Compared above.
        let details = self.first("grpc-status-details-bin");
        expected.push(("grpc-status-details-bin", details));
        self.spoken(&expected, all);
    }

    fn first(self, name: &str) -> Option<String> {
        let values = self.answer.values(name);
        values.first().map(|value| (*value).to_owned())
    }

    /// Holds each field by which a denial speaks against what is expected of it: nothing, if nothing
    /// is said.
    fn spoken(self, expected: &[(&str, Option<String>)], all: &mut Vec<String>) {
        for name in SPOKEN {
            let said = expected.iter().find(|(other, _)| *other == name);
            let said = said.and_then(|(_, value)| value.as_deref());
            let expected: Vec<&str> = said.into_iter().collect();
            compare(name, &expected, &self.answer.values(name), all);
        }
    }

    fn recorded(self, expected: Record, all: &mut Vec<String>) {
        let records = &self.told.records;
        let found: Vec<Option<Record>> = records
            .iter()
            .map(|record| {
                Some(match record.outcome? {
                    AuditOutcome::Completed { status, grpc } => Record::Completed { status, grpc },
                    AuditOutcome::Denied { status, .. } => Record::Denied { status },
                    AuditOutcome::Cancelled => return None,
                })
            })
            .collect();
        let expected = match self.case.recorded {
            true => vec![Some(expected)],
            false => Vec::new(),
        };
        compare("the audit trail", &expected, &found, all);
        let [record] = records.as_slice() else {
            return;
        };
        if let Some(target) = self.target() {
            compare(
                "the target recorded",
                &target.as_str(),
                &&*record.intent.target,
                all,
            );
        }
        if self.case.gate == GateName::Direct {
            let source = record.intent.source.map(|source| source.to_string());
            compare(
                "the source recorded",
                &Some("127.0.0.1"),
                &source.as_deref(),
                all,
            );
        }
        if self.is_grpc() && self.case.verdict == Verdict::Admitted {
            let path = self.case.request.grpc_path().unwrap_or_default();
            let path = path.split(['?', '#']).next().unwrap_or_default();
            let is_named = *record.intent.action == *path || record.intent.action.ends_with("/*");
            if !is_named {
                all.push(format!("the call is recorded as {}", record.intent.action));
            }
        }
    }

    /// The path as it was sent, where it is a plain one.
    fn target(self) -> Option<String> {
        let target = match self.protocol {
            Protocol::Grpc => self.case.request.grpc_path()?,
            Protocol::Http1 | Protocol::Http2 => self.case.request.target(),
        };
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let is_plain = path.starts_with('/') && !path.contains('{') && path.is_ascii();
        (is_plain && self.case.request.pseudo.is_none()).then(|| path.to_owned())
    }

    fn seen(self, all: &mut Vec<String>) {
        let expected = &self.case.seen;
        let is_said = *expected != crate::case::Seen::default();
        if self.is_head() {
            compare("the body of HEAD", &"", &self.answer.text().as_str(), all);
            return;
        }
        if !is_said {
            return;
        }
        let body = match self.protocol {
            Protocol::Grpc => self.answer.body.get(5..).unwrap_or_default(),
            Protocol::Http1 | Protocol::Http2 => &self.answer.body,
        };
        let Ok(seen) = serde_json::from_slice::<Value>(body) else {
            all.push(format!(
                "the handler did not say what it sees: {}",
                self.answer.text()
            ));
            return;
        };
        let mut member = |name: &str, expected: Option<Value>| {
            if let Some(expected) = expected {
                compare(name, &expected, &seen[name], all);
            }
        };
        member("caller", expected.caller.clone().map(Value::from));
        member(
            "client_address",
            expected.client_address.clone().map(Value::from),
        );
        member("scheme", expected.scheme.clone().map(Value::from));
        member("via_proxy", expected.via_proxy.map(Value::from));
        member("body", expected.body.map(Value::from));
        if !self.is_grpc() {
            member("route", expected.route.clone().map(Value::from));
        }
        for (name, values) in &expected.fields {
            let found: Vec<&str> = seen["fields"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|field| field[0].as_str() == Some(name))
                .filter_map(|field| field[1].as_str())
                .collect();
            compare(&format!("the field {name}"), values, &found, all);
        }
    }

    fn cause(self, all: &mut Vec<String>) {
        let Some(cause) = &self.case.cause else {
            return;
        };
        let causes: Vec<&str> = self.told.events.iter().map(|event| event.cause).collect();
        if !causes.contains(&cause.as_str()) {
            all.push(format!("the cause is not {cause:?} but {causes:?}"));
        }
    }
}

/// What was told that is no refusal of a malformed request.
pub(crate) fn admissions(told: &Told) -> Vec<String> {
    let mut all = Vec::new();
    for record in &told.records {
        match record.outcome {
            Some(AuditOutcome::Denied { status: 400, .. }) => {}
            other => all.push(format!("a request came through: {other:?}")),
        }
    }
    all
}

/// A field and its value, if it is sent.
type Field = (&'static str, Option<String>);

/// What a denial says in header fields of HTTP, beside those that every denial has.
pub(crate) fn http_fields(denied: &Denied, shown: Rendering) -> Vec<Field> {
    let mut fields = grpc_metadata(denied, shown);
    fields.push(("allow", denied.allow.clone()));
    fields.push(("location", denied.location.clone()));
    fields
}

/// What a denial says in metadata of gRPC.
pub(crate) fn grpc_metadata(denied: &Denied, shown: Rendering) -> Vec<Field> {
    let pause = denied.retry_after.map(|wait| wait.to_string());
    vec![
        ("www-authenticate", challenge(denied, shown)),
        ("retry-after", pause),
    ]
}

fn too_large(limit: u64) -> String {
    format!("Content Too Large: at most {limit} bytes")
}

/// RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1.
fn challenge(denied: &Denied, shown: Rendering) -> Option<String> {
    if let Some(challenge) = &denied.challenge {
        return Some(challenge.clone());
    }
    if denied.error.is_none() && !shown.challenges {
        return None;
    }
    let max_age = denied.max_age.map(|age| age.to_string());
    let said = [
        ("realm", Some(REALM)),
        ("error", denied.error.as_deref()),
        ("scope", denied.scope.as_deref()),
        ("acr_values", denied.acr_values.as_deref()),
        ("max_age", max_age.as_deref()),
        ("resource_metadata", denied.resource_metadata.as_deref()),
    ];
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}=\"{}\"", value?)));
    Some(format!("Bearer {}", said.collect::<Vec<_>>().join(", ")))
}

fn compare<A, B>(what: &str, expected: &A, found: &B, all: &mut Vec<String>)
where
    A: PartialEq<B> + core::fmt::Debug,
    B: core::fmt::Debug,
{
    if expected != found {
        let found: String = format!("{found:?}").chars().take(SHOWN).collect();
        all.push(format!("{what}: expected {expected:?}, found {found}"));
    }
}
