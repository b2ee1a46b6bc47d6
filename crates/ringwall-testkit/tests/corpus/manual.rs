//! The manual's table of denials, held against what the corpus expects of every protocol.

use std::collections::{BTreeMap, BTreeSet};

use ringwall_core::denial::Denial;
use ringwall_core::limits::LimitReport;

use crate::case::{Denied, Kind, Verdict};
use crate::expect::{grpc_metadata, http_fields};
use crate::render::rendering;
use crate::vectors;

const MANUAL: &str = include_str!("../../../ringwall/src/manual/denials.md");

/// What each protocol says beside the status, gathered from all cases of one kind.
#[derive(Default)]
struct Said {
    http: BTreeSet<String>,
    grpc: BTreeSet<String>,
}

/// What `denied` says beside the status.
fn gather(denied: &Denied, said: &mut Said) {
    let shown = rendering(denied.kind, denied);
    let sent = |(name, value): (&str, Option<String>)| value.map(|_| format!("`{name}`"));
    said.http
        .extend(http_fields(denied, shown).into_iter().filter_map(sent));
    said.grpc
        .extend(grpc_metadata(denied, shown).into_iter().filter_map(sent));
    if denied.limit.is_some() {
        said.http.insert("member `limit`".to_owned());
        said.grpc.insert("the limit in the message".to_owned());
    }
    if denied.approval.is_some() {
        said.http.insert("member `approval`".to_owned());
        said.grpc
            .insert("`PreconditionFailure` with the id".to_owned());
    }
    if denied.retry_after.is_some() {
        said.grpc.insert("`RetryInfo`".to_owned());
    }
}

/// The table, from the cases.
fn table() -> Vec<String> {
    let cases = vectors::load().unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    let mut rows: BTreeMap<(Kind, u16), (Said, Box<Denied>)> = BTreeMap::new();
    for (_, case) in cases {
        let Verdict::Denied(denied) = case.verdict else {
            continue;
        };
        let status = rendering(denied.kind, &denied).status;
        let row = rows.entry((denied.kind, status));
        let (said, _) = row.or_insert_with(|| (Said::default(), denied.clone()));
        gather(&denied, said);
        if case.limits.is_some() {
            for name in LimitReport::FIELDS {
                said.http.insert(format!("`{name}`"));
                said.grpc.insert(format!("`{name}`"));
            }
            said.http.insert("member `violated-policies`".to_owned());
            said.grpc.insert("`QuotaFailure` with the names".to_owned());
        }
        if case.nonce {
            said.http.insert("`dpop-nonce`".to_owned());
            said.grpc.insert("`dpop-nonce`".to_owned());
        }
    }
    rows.iter()
        .map(|((kind, _), (said, denied))| {
            let shown = rendering(*kind, denied);
            let joined = |all: &BTreeSet<String>| match all.is_empty() {
                true => "–".to_owned(),
                false => all.iter().cloned().collect::<Vec<_>>().join(", "),
            };
            format!(
                "| {} | {} {} | {} | {} `{}` | {} |",
                name(*kind),
                shown.status,
                shown.title,
                joined(&said.http),
                shown.grpc,
                code(shown.grpc),
                joined(&said.grpc),
            )
        })
        .collect()
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Malformed => "`Malformed`",
        Kind::Unauthenticated => "`Unauthenticated`",
        Kind::Forbidden => "`Forbidden`",
        Kind::NotFound => "`NotFound`",
        Kind::UnknownRoute => "nobody registered the path",
        Kind::MethodNotAllowed => "`MethodNotAllowed`",
        Kind::ApprovalRequired => "`ApprovalRequired`",
        Kind::Conflict => "`Conflict`",
        Kind::Gone => "`Gone`",
        Kind::PreconditionFailed => "`PreconditionFailed`",
        Kind::PayloadTooLarge => "`PayloadTooLarge`",
        Kind::PlainHttp => "`PlainHttp`",
        Kind::RateLimited => "`RateLimited`",
        Kind::Unavailable => "`Unavailable`",
    }
}

/// The names of the codes (gRPC status codes).
fn code(number: u32) -> &'static str {
    match number {
        3 => "INVALID_ARGUMENT",
        5 => "NOT_FOUND",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        9 => "FAILED_PRECONDITION",
        10 => "ABORTED",
        12 => "UNIMPLEMENTED",
        14 => "UNAVAILABLE",
        16 => "UNAUTHENTICATED",
        other => panic!("{other} has no name here"),
    }
}

/// The kind of each denial: a new variant breaks this, so that somebody adds cases for it.
fn kind(denial: &Denial) -> Kind {
    match denial {
        Denial::Malformed { .. } => Kind::Malformed,
        Denial::Unauthenticated { .. } => Kind::Unauthenticated,
        Denial::Forbidden { .. } => Kind::Forbidden,
        Denial::NotFound => Kind::NotFound,
        Denial::MethodNotAllowed { .. } => Kind::MethodNotAllowed,
        Denial::ApprovalRequired { .. } => Kind::ApprovalRequired,
        Denial::Conflict => Kind::Conflict,
        Denial::Gone => Kind::Gone,
        Denial::PreconditionFailed => Kind::PreconditionFailed,
        Denial::PayloadTooLarge { .. } => Kind::PayloadTooLarge,
        Denial::PlainHttp { .. } => Kind::PlainHttp,
        Denial::RateLimited { .. } => Kind::RateLimited,
        Denial::Unavailable { .. } => Kind::Unavailable,
    }
}

#[test]
fn the_manual_says_how_each_denial_is_rendered() {
    let table = table();
    let said: Vec<&str> = MANUAL
        .lines()
        .skip_while(|line| *line != "| denial | HTTP | beside it | gRPC | beside it |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(said, table, "the manual should say:\n{}", table.join("\n"));
}

#[test]
fn the_corpus_knows_every_denial() {
    // Those that a handler can be asked for are all of them but the one of the router.
    let all: BTreeSet<Kind> = crate::echo::DENIALS
        .iter()
        .filter_map(|name| crate::echo::denial(name.as_bytes()))
        .map(|denial| kind(&denial))
        .chain([Kind::MethodNotAllowed, Kind::UnknownRoute])
        .collect();
    let cases = vectors::load().unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    let denied: BTreeSet<Kind> = cases
        .into_iter()
        .filter_map(|(_, case)| match case.verdict {
            Verdict::Denied(denied) => Some(denied.kind),
            Verdict::Admitted
            | Verdict::Refused
            | Verdict::CutOff
            | Verdict::Ended
            | Verdict::Misconfigured => None,
        })
        .collect();
    assert_eq!(all.len(), 14, "a denial has no handler that says it");
    assert_eq!(denied, all);
}
