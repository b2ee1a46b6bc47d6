//! How each denial is told.

use std::time::Duration;

use ringwall_core::denial::{Challenge, Denial};
use ringwall_core::limits::{LimitReport, ReportedLimit};
use ringwall_tonic::{APPROVAL_REQUIRED, refusal};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::raw::Call;
use crate::support::Bench;

fn all() -> Vec<(Denial, Code)> {
    let challenge = || Box::new(Challenge::new("test"));
    let seconds = Duration::from_secs;
    vec![
        (Denial::Malformed { challenge: None }, Code::InvalidArgument),
        (
            Denial::Malformed {
                challenge: Some(challenge()),
            },
            Code::InvalidArgument,
        ),
        (
            Denial::Unauthenticated {
                challenge: challenge(),
            },
            Code::Unauthenticated,
        ),
        (
            Denial::Forbidden { challenge: None },
            Code::PermissionDenied,
        ),
        (Denial::NotFound, Code::NotFound),
        (
            Denial::MethodNotAllowed {
                allow: "POST".into(),
            },
            Code::Unimplemented,
        ),
        (
            Denial::ApprovalRequired { approval: None },
            Code::FailedPrecondition,
        ),
        (Denial::Conflict, Code::Aborted),
        (Denial::Gone, Code::NotFound),
        (Denial::PreconditionFailed, Code::FailedPrecondition),
        (
            Denial::PayloadTooLarge { limit: 7 },
            Code::ResourceExhausted,
        ),
        (
            Denial::PlainHttp { location: None },
            Code::FailedPrecondition,
        ),
        (
            Denial::PlainHttp {
                location: Some("https://a/".into()),
            },
            Code::FailedPrecondition,
        ),
        (
            Denial::RateLimited {
                retry_after: Some(seconds(3)),
                limits: None,
            },
            Code::ResourceExhausted,
        ),
        (
            Denial::Unavailable {
                retry_after: seconds(3),
            },
            Code::Unavailable,
        ),
    ]
}

#[test]
fn every_denial_has_its_code_and_its_title_and_fits_into_header_fields() {
    for (denial, code) in all() {
        let status = refusal(&denial);
        assert_eq!(status.code(), code, "{denial:?}");
        assert_eq!(i64::from(i32::from(code)), i64::from(denial.grpc_code()));
        assert!(status.message().starts_with(denial.title()), "{denial:?}");
        let response: http::Response<()> = status.into_http();
        assert_eq!(response.status(), 200);
        for absent in ["allow", "location"] {
            assert!(!response.headers().contains_key(absent), "{denial:?}");
        }
    }
}

#[test]
fn when_to_come_back_is_told_in_seconds_and_never_as_none() {
    for (wait, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (30_000, 30)] {
        let retry_after = Duration::from_millis(wait);
        for denial in [
            Denial::RateLimited {
                retry_after: Some(retry_after),
                limits: None,
            },
            Denial::Unavailable { retry_after },
        ] {
            let status = refusal(&denial);
            let info = status.get_details_retry_info().expect("a retry info");
            assert_eq!(info.retry_delay, Some(Duration::from_secs(seconds)));
            let field = status.metadata().get("retry-after").expect("a field");
            assert_eq!(field.to_str().ok(), Some(seconds.to_string().as_str()));
        }
    }
    let other = refusal(&Denial::NotFound);
    assert!(other.get_details_retry_info().is_none());
    assert!(other.details().is_empty());
}

#[test]
fn an_approval_is_told_as_the_precondition_that_fails() {
    let approval = "ap-7\r\nx: y".into();
    let status = refusal(&Denial::ApprovalRequired {
        approval: Some(approval),
    });
    let failure = status
        .get_details_precondition_failure()
        .expect("a precondition");
    assert_eq!(failure.violations.len(), 1);
    assert_eq!(failure.violations[0].r#type, APPROVAL_REQUIRED);
    assert_eq!(failure.violations[0].subject, "ap-7\r\nx: y");
    let response: http::Response<()> = status.into_http();
    let hostile = response.headers().values().any(|value| value == "y");
    assert!(!hostile, "the id is in the encoded details alone");
}

#[test]
fn the_limit_of_a_body_is_told() {
    let status = refusal(&Denial::PayloadTooLarge { limit: 4_096 });
    assert_eq!(status.message(), "Content Too Large: at most 4096 bytes");
}

#[tokio::test]
async fn an_unavailable_key_source_is_unavailable_with_a_retry_info_and_no_challenge() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let status = client.read(crate::support::ask_text("down", "")).await;
    let status = status.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    let info = status.get_details_retry_info().expect("a retry info");
    assert_eq!(info.retry_delay, Some(Duration::from_secs(7)));
    assert!(!status.metadata().contains_key("www-authenticate"));
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn a_refusal_is_header_fields_alone_with_an_escaped_message() {
    let bench = Bench::new();
    let site = bench.site().await;
    let answer = site.call(Call::of("Read").from("down")).await;
    assert!(answer.trailers_only);
    assert_eq!(answer.header("grpc-message"), Some("Service%20Unavailable"));
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert!(answer.header("grpc-status-details-bin").is_some());
    assert!(answer.body.is_empty() && answer.trailers.is_empty());
}

#[test]
fn a_limit_that_is_used_up_is_named_and_one_that_never_suffices_tells_no_pause() {
    let limit = ReportedLimit {
        name: "burst".into(),
        quota: 100,
        window: 60,
        remaining: 0,
        reset: 30,
        is_violated: true,
    };
    let limits = LimitReport {
        limits: vec![limit],
    };
    for (retry_after, pause) in [(Some(Duration::from_secs(33)), Some(33)), (None, None)] {
        let status = refusal(&Denial::RateLimited {
            retry_after,
            limits: Some(Box::new(limits.clone())),
        });
        assert_eq!(status.code(), Code::ResourceExhausted);
        let told = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        assert_eq!(told, pause.map(Duration::from_secs));
        let failure = status.get_details_quota_failure().expect("a quota failure");
        let subjects: Vec<_> = failure.violations.iter().map(|one| &*one.subject).collect();
        assert_eq!(subjects, ["burst"]);
        let field = |name| {
            status
                .metadata()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        assert_eq!(field("ratelimit"), Some(r#""burst";r=0;t=30"#));
        assert_eq!(field("ratelimit-policy"), Some(r#""burst";q=100;w=60"#));
        assert_eq!(field("x-ratelimit-reset"), Some("30"));
        assert_eq!(field("retry-after").is_some(), pause.is_some());
    }
}
