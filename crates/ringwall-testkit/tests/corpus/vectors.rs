//! The files of the cases, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::case::{By, Case, Framing, Kind, Protocol, Request, Seen, Verdict};

/// Where the files are, from this crate.
const FOLDER: &str = "../ringwall-gate/tests/vectors";

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    about: String,
    /// How many of its cases leave each protocol out. It stands in the file, so that whoever leaves
    /// a protocol out shows it to a reviewer twice.
    excluded: BTreeMap<Protocol, usize>,
    cases: Vec<Case>,
}

/// The cases read so far, each with the name of its file, and what is wrong with them.
#[derive(Debug, Default)]
struct Reader {
    cases: Vec<(String, Case)>,
    names: BTreeSet<String>,
    wrong: Vec<String>,
}

/// All cases, each with the name of its file; or everything that is wrong with the files.
pub(crate) fn load() -> Result<Vec<(String, Case)>, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let entries = std::fs::read_dir(&folder).expect("the folder of the vectors");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let mut reader = Reader::default();
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        reader.read(&name, &text);
    }
    reader.finish()
}

impl Reader {
    fn read(&mut self, file: &str, text: &str) {
        let vectors: Vectors = match serde_json::from_str(text) {
            Ok(vectors) => vectors,
            Err(error) => {
                self.wrong.push(format!("{file}: {error}"));
                return;
            }
        };
        if vectors.about.is_empty() {
            self.wrong
                .push(format!("{file}: it does not say what it is about"));
        }
        let mut counted: BTreeMap<Protocol, usize> = BTreeMap::new();
        for case in vectors.cases {
            let name = &case.name;
            for protocol in case.excluded.keys() {
                let count = counted.entry(*protocol).or_default();
                *count = count.saturating_add(1);
            }
            if !self.names.insert(name.clone()) {
                self.wrong
                    .push(format!("{file}: two cases are named {name:?}"));
            }
            let faults = faults(&case).map(|fault| format!("{file}: {name:?} {fault}"));
            self.wrong.extend(faults);
            self.cases.push((file.to_owned(), case));
        }
        let said = vectors.excluded;
        if counted != said {
            self.wrong.push(format!(
                "{file}: it says that it excludes {said:?}, and its cases exclude {counted:?}"
            ));
        }
    }

    fn finish(self) -> Result<Vec<(String, Case)>, Vec<String>> {
        if self.wrong.is_empty() {
            Ok(self.cases)
        } else {
            Err(self.wrong)
        }
    }
}

/// What a case contradicts itself in, or leaves out.
fn faults(case: &Case) -> impl Iterator<Item = &'static str> {
    let Request {
        target,
        raw,
        pseudo,
        ..
    } = &case.request;
    let excludes = |protocol| case.excluded.contains_key(&protocol);
    let by_gate = match &case.verdict {
        Verdict::Denied(denied) => denied.by == By::Gate,
        Verdict::Admitted
        | Verdict::Refused
        | Verdict::CutOff
        | Verdict::Ended
        | Verdict::Misconfigured => false,
    };
    let is_limited = match &case.verdict {
        Verdict::Denied(denied) => denied.kind == Kind::RateLimited,
        Verdict::Admitted
        | Verdict::Refused
        | Verdict::CutOff
        | Verdict::Ended
        | Verdict::Misconfigured => false,
    };
    let says_seen = case.seen != Seen::default();
    [
        (
            !excludes(Protocol::Grpc) && case.request.grpc_path().is_none(),
            "has no gRPC method, and does not exclude gRPC",
        ),
        (
            !case.request.trailers.is_empty() && case.request.framing != Framing::Stream,
            "has trailers, which follow a streamed body alone",
        ),
        (
            case.name.is_empty() || case.why.is_empty(),
            "has no name, or no reason",
        ),
        (
            case.excluded.values().any(String::is_empty),
            "excludes a protocol without a reason",
        ),
        (case.excluded.len() >= 3, "excludes every protocol"),
        (
            target.is_none() && raw.is_none() && !excludes(Protocol::Http1),
            "has no target",
        ),
        (
            raw.is_some() && !(excludes(Protocol::Http2) && excludes(Protocol::Grpc)),
            "is raw HTTP/1.1, and does not exclude the others",
        ),
        (
            pseudo.is_some() && !excludes(Protocol::Http1),
            "has pseudo-header fields, and does not exclude HTTP/1.1",
        ),
        (
            case.before.as_ref().is_some_and(|before| {
                (before.target.is_none() && !excludes(Protocol::Http1))
                    || (before.grpc_path().is_none() && !excludes(Protocol::Grpc))
            }),
            "says what was sent before, and does not say where to",
        ),
        (
            case.earlier.iter().any(|earlier| {
                earlier.times == 0
                    || (earlier.request.grpc_path().is_none() && !excludes(Protocol::Grpc))
            }),
            "says what was sent earlier, and does not say how often, or where to",
        ),
        (
            !case.earlier.is_empty() && !case.gate.counts(),
            "says what was sent earlier to a gate that does not count",
        ),
        (
            case.limits.is_some() && !case.gate.counts(),
            "says what is told of limits by a gate that has none",
        ),
        (
            case.limits
                .as_ref()
                .is_some_and(|limits| limits.violated.is_empty() == is_limited),
            "names limits that refuse it and is not refused by one, or the other way round",
        ),
        (
            case.before.is_some() != asks(&case.request, ":answered}"),
            "sends something before, and does not use the nonce of its answer, or the other way round",
        ),
        (
            by_gate && case.cause.is_none(),
            "is denied by the gate, and does not say the cause",
        ),
        (
            says_seen && case.request.method() == "HEAD",
            "says what the handler sees, and HEAD has no body that tells it",
        ),
        (
            says_seen && case.verdict != Verdict::Admitted,
            "says what the handler sees, and is not admitted",
        ),
    ]
    .into_iter()
    .filter_map(|(is_wrong, fault)| is_wrong.then_some(fault))
}

/// Whether a header field of `request` has this in its value.
fn asks(request: &Request, part: &str) -> bool {
    request
        .headers
        .iter()
        .any(|(_, value)| value.contains(part))
}

fn read(files: &[&str]) -> Vec<String> {
    let mut reader = Reader::default();
    for text in files {
        reader.read("f.json", text);
    }
    reader.finish().err().unwrap_or_default()
}

/// A file with one case, of which `members` are a part.
fn file(excluded: &str, members: &str) -> String {
    format!(
        r#"{{"about": "x", "excluded": {excluded}, "cases": [{{"name": "n", "why": "w", {members}}}]}}"#
    )
}

const GOOD: &str = r#""request": {"target": "/me"}, "verdict": "admitted""#;

#[test]
fn a_case_that_is_whole_is_taken() {
    assert_eq!(read(&[&file("{}", GOOD)]), Vec::<String>::new());
}

#[test]
fn unknown_members_and_verdicts_are_faults() {
    for members in [
        r#""request": {"target": "/me"}, "verdict": "admitted", "verdikt": "x""#,
        r#""request": {"target": "/me", "hedders": []}, "verdict": "admitted""#,
        r#""request": {"target": "/me"}, "verdict": "admited""#,
        r#""request": {"target": "/me"}, "verdict": {"denied": "unauthenticatd"}, "cause": "x""#,
        r#""request": {"target": "/me"}, "verdict": {"denied": "gone", "eror": "x"}, "cause": "x""#,
        r#""request": {"target": "/me"}, "verdict": "admitted", "seen": {"calller": "x"}"#,
        r#""request": {"target": "/me"}, "verdict": "admitted", "gate": "proxid""#,
        r#""request": {"target": "/me"}, "verdict": "admitted", "excluded": {"http3": "x"}"#,
        r#""request": {"target": "/me"}"#,
    ] {
        assert_eq!(read(&[&file("{}", members)]).len(), 1, "{members}");
    }
}

#[test]
fn two_cases_of_one_name_are_a_fault_in_two_files_too() {
    let one = file("{}", GOOD);
    let wrong = read(&[&one, &one]);
    assert_eq!(wrong, [r#"f.json: two cases are named "n""#]);
}

#[test]
fn a_protocol_that_is_left_out_is_counted_in_the_file_and_has_a_reason() {
    let left_out = |reason: &str| format!(r#"{GOOD}, "excluded": {{"grpc": "{reason}"}}"#);
    assert_eq!(read(&[&file(r#"{"grpc": 1}"#, &left_out("x"))]).len(), 0);
    assert_eq!(read(&[&file("{}", &left_out("x"))]).len(), 1);
    assert_eq!(read(&[&file(r#"{"grpc": 2}"#, &left_out("x"))]).len(), 1);
    assert_eq!(read(&[&file(r#"{"grpc": 1}"#, &left_out(""))]).len(), 1);
    assert_eq!(read(&[&file(r#"{"grpc": 1}"#, GOOD)]).len(), 1);
}

#[test]
fn a_case_that_cannot_show_what_it_says_is_a_fault() {
    for members in [
        r#""request": {"target": "/nowhere"}, "verdict": "admitted""#,
        r#""request": {"target": "/me"}, "verdict": {"denied": "unauthenticated"}"#,
        r#""request": {"target": "/me"}, "verdict": "refused", "seen": {"caller": "x"}"#,
        r#""request": {"target": "/me", "grpc": "/x", "method": "HEAD"}, "verdict": "admitted", "seen": {"caller": "x"}"#,
        r#""request": {"target": "/me", "raw": "x"}, "verdict": "admitted""#,
        r#""request": {"target": "/me", "pseudo": []}, "verdict": "admitted""#,
        r#""request": {"target": "/me", "trailers": [["a", "b"]]}, "verdict": "admitted""#,
        r#""request": {"grpc": "/x"}, "verdict": "admitted""#,
        r#""request": {"target": "/me"}, "before": {"target": "/me"}, "verdict": "admitted""#,
        r#""request": {"target": "/me", "headers": [["dpop", "{proof:good:bound:answered}"]]}, "verdict": "admitted""#,
        r#""request": {"target": "/me", "headers": [["dpop", "{proof:good:bound:answered}"]]}, "before": {"target": "/nowhere"}, "verdict": "admitted""#,
        r#""request": {"target": "/me"}, "earlier": [{"request": {"target": "/me"}}], "verdict": "admitted""#,
        r#""gate": "limited", "request": {"target": "/me"}, "earlier": [{"request": {"target": "/nowhere"}}], "verdict": "admitted""#,
        r#""gate": "limited", "request": {"target": "/me"}, "earlier": [{"times": 0, "request": {"target": "/me"}}], "verdict": "admitted""#,
        r#""request": {"target": "/me"}, "limits": {"policy": "x", "state": "x", "tightest": [1, 1, 1]}, "verdict": "admitted""#,
        r#""gate": "limited", "request": {"target": "/me"}, "limits": {"policy": "x", "state": "x", "tightest": [1, 1, 1], "violated": ["x"]}, "verdict": "admitted""#,
        r#""gate": "limited", "request": {"target": "/me"}, "limits": {"policy": "x", "state": "x", "tightest": [1, 1, 1]}, "cause": "x", "verdict": {"denied": "rate_limited"}"#,
    ] {
        assert_eq!(read(&[&file("{}", members)]).len(), 1, "{members}");
    }
}
