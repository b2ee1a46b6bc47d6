//! Every way to say no, with its HTTP and gRPC rendering.

use core::fmt;
use core::time::Duration;

pub use crate::challenge::{BearerError, Challenge, ChallengeScheme};
use crate::limits::LimitReport;

/// Why a request is refused, in the words that its caller may hear.
///
/// The enum is exhaustive on purpose: each crate maps its errors onto it, and each adapter
/// renders it, without a wildcard arm. A new variant must break them all, so that somebody looks.
///
/// A denial says what the caller can do next, never which check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The request itself is ill-formed: ambiguous credentials, an ambiguous path. 400.
    Malformed {
        /// The challenge to answer with, when the fault concerns credentials (RFC 6750 §3.1).
        challenge: Option<Box<Challenge>>,
    },
    /// Nobody was authenticated. 401.
    Unauthenticated {
        /// How to authenticate.
        challenge: Box<Challenge>,
    },
    /// Somebody was authenticated, and may not do this. 403.
    Forbidden {
        /// What would be needed, when saying so helps (RFC 6750 `insufficient_scope`).
        challenge: Option<Box<Challenge>>,
    },
    /// There is no such thing, or none that this caller may know of. 404.
    NotFound,
    /// The resource exists, but not for this method. 405.
    MethodNotAllowed {
        /// The value of the `Allow` header field, such as `GET, HEAD`.
        allow: Box<str>,
    },
    /// The action waits for somebody's approval. 403: nothing has happened, and a client that
    /// treats every 2xx as success must not believe that it has.
    ApprovalRequired {
        /// The id under which the approval can be followed.
        approval: Option<Box<str>>,
    },
    /// The state does not permit the action now. 409.
    Conflict,
    /// There was such a thing. 410.
    Gone,
    /// A condition that the request states does not hold. 412.
    PreconditionFailed,
    /// The body is longer than the route permits. 413.
    PayloadTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The request came over plain HTTP, and the service answers over TLS alone. 308 to where the
    /// same is served over TLS, or 403 where the client must not be led on: what it sent was read by
    /// whoever listened, and a client that is redirected never learns that.
    PlainHttp {
        /// The same resource over TLS, for the `Location` header field. `None` refuses.
        location: Option<Box<str>>,
    },
    /// Too many requests. 429.
    RateLimited {
        /// When to try again. `None` when that is of no use, because the request costs more than its limit ever
        /// holds: a client that were told to wait would do it for ever.
        retry_after: Option<Duration>,
        /// What the answer tells of the limits, if it tells anything.
        limits: Option<Box<LimitReport>>,
    },
    /// No decision could be reached: a key source, a store or the clock is unavailable. 503,
    /// never 401, because the credentials may be perfectly good.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Denial {
    /// A bare 401 in `realm`: no credentials were presented.
    #[must_use]
    pub fn unauthenticated(realm: &str) -> Self {
        Self::Unauthenticated {
            challenge: Box::new(Challenge::new(realm)),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Malformed { .. } => 400,
            Self::Unauthenticated { .. } => 401,
            Self::Forbidden { .. } | Self::ApprovalRequired { .. } => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge { .. } => 413,
            Self::PlainHttp { location: Some(_) } => 308,
            Self::PlainHttp { location: None } => 403,
            Self::RateLimited { .. } => 429,
            Self::Unavailable { .. } => 503,
        }
    }

    /// The gRPC status code. gRPC answers HTTP 200 and puts this code into `grpc-status`.
    #[must_use]
    pub const fn grpc_code(&self) -> u32 {
        match self {
            Self::Malformed { .. } => 3,      // INVALID_ARGUMENT
            Self::NotFound | Self::Gone => 5, // NOT_FOUND
            Self::Forbidden { .. } => 7,      // PERMISSION_DENIED
            Self::PayloadTooLarge { .. } | Self::RateLimited { .. } => 8, // RESOURCE_EXHAUSTED
            // FAILED_PRECONDITION
            Self::ApprovalRequired { .. } | Self::PreconditionFailed | Self::PlainHttp { .. } => 9,
            Self::Conflict => 10,                // ABORTED
            Self::MethodNotAllowed { .. } => 12, // UNIMPLEMENTED
            Self::Unavailable { .. } => 14,      // UNAVAILABLE
            Self::Unauthenticated { .. } => 16,  // UNAUTHENTICATED
        }
    }

    /// The standard reason phrase (RFC 9110 §15), which is also the title of the problem document.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "Bad Request",
            Self::Unauthenticated { .. } => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed { .. } => "Method Not Allowed",
            Self::ApprovalRequired { .. } => "Approval Required",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::PreconditionFailed => "Precondition Failed",
            Self::PayloadTooLarge { .. } => "Content Too Large",
            Self::PlainHttp { .. } => "HTTPS Required",
            Self::RateLimited { .. } => "Too Many Requests",
            Self::Unavailable { .. } => "Service Unavailable",
        }
    }

    /// Calls `field` with the name (lower case) and value of each header field of the answer.
    pub fn headers(&self, mut field: impl FnMut(&'static str, String)) {
        match self {
            Self::Malformed { challenge } | Self::Forbidden { challenge } => {
                if let Some(challenge) = challenge {
                    challenge.headers(field);
                }
            }
            Self::Unauthenticated { challenge } => challenge.headers(field),
            Self::MethodNotAllowed { allow } => field("allow", allow.to_string()),
            Self::PlainHttp {
                location: Some(location),
            } => field("location", location.to_string()),
            Self::RateLimited {
                retry_after,
                limits,
            } => {
                if let Some(retry_after) = retry_after {
                    field("retry-after", retry_after_seconds(*retry_after).to_string());
                }
                if let Some(limits) = limits {
                    limits.headers(field);
                }
            }
            Self::Unavailable { retry_after } => {
                field("retry-after", retry_after_seconds(*retry_after).to_string());
            }
            Self::NotFound
            | Self::ApprovalRequired { .. }
            | Self::Conflict
            | Self::Gone
            | Self::PreconditionFailed
            | Self::PlainHttp { location: None }
            | Self::PayloadTooLarge { .. } => {}
        }
    }
}

/// Whole seconds, rounded up and at least one: a client that is told to wait zero seconds
/// hammers.
fn retry_after_seconds(duration: Duration) -> u64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(up).max(1)
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.http_status(), self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(denial: &Denial) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        denial.headers(|name, value| all.push((name, value)));
        all
    }

    #[test]
    fn no_credentials_get_a_bare_challenge() {
        let denial = Denial::unauthenticated("ringwall");
        assert_eq!(denial.http_status(), 401);
        assert_eq!(
            headers(&denial),
            [("www-authenticate", "Bearer realm=\"ringwall\"".to_owned())]
        );
    }

    #[test]
    fn insufficient_scope_names_the_scope() {
        let challenge = Challenge::new("api")
            .error(BearerError::InsufficientScope)
            .scope("cases:read cases:write");
        let denial = Denial::Forbidden {
            challenge: Some(Box::new(challenge)),
        };
        let expected =
            "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"cases:read cases:write\"";
        assert_eq!(
            headers(&denial),
            [("www-authenticate", expected.to_owned())]
        );
    }

    #[test]
    fn a_hostile_scope_cannot_leave_its_quotes() {
        let challenge = Challenge::new("api").scope("a\", error=\"none\r\nSet-Cookie: x=\\");
        let shown = challenge.to_string();
        assert_eq!(shown.matches('"').count(), 4, "{shown}");
        assert!(!shown.contains(['\r', '\n', '\\']), "{shown}");
    }

    #[test]
    fn a_step_up_names_what_a_login_must_be_like() {
        let challenge = Challenge::new("api")
            .error(BearerError::InsufficientUserAuthentication)
            .scope("cases:write")
            .acr_values("gold silver")
            .max_age(Duration::from_millis(5_999))
            .resource_metadata("https://api.example.com/.well-known/oauth-protected-resource");
        assert_eq!(
            challenge.to_string(),
            "Bearer realm=\"api\", error=\"insufficient_user_authentication\", \
             scope=\"cases:write\", acr_values=\"gold silver\", max_age=\"5\", \
             resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\""
        );
    }

    #[test]
    fn hostile_context_classes_and_urls_cannot_leave_their_quotes() {
        let hostile = "a\", error=\"none\r\nSet-Cookie: x=\\";
        let challenge = Challenge::new("api")
            .acr_values(hostile)
            .resource_metadata(hostile);
        let shown = challenge.to_string();
        assert_eq!(shown.matches('"').count(), 6, "{shown}");
        assert!(!shown.contains(['\r', '\n', '\\']), "{shown}");
    }

    #[test]
    fn a_hostile_realm_cannot_leave_its_quotes() {
        let challenge = Challenge::new("a\", error=\"none\r\nSet-Cookie: x=\\");
        let shown = challenge.to_string();
        assert_eq!(shown.matches('"').count(), 2, "{shown}");
        assert!(!shown.contains(['\r', '\n', '\\']), "{shown}");
    }

    #[test]
    fn a_service_that_takes_both_schemes_says_what_went_wrong_in_the_one_that_was_used() {
        let both = Challenge::new("api").dpop("ES256 EdDSA", false);
        assert_eq!(
            both.to_string(),
            r#"Bearer realm="api", DPoP realm="api", algs="ES256 EdDSA""#
        );
        let used = both
            .clone()
            .scheme(ChallengeScheme::Dpop)
            .error(BearerError::InvalidToken);
        assert_eq!(
            used.to_string(),
            r#"DPoP realm="api", algs="ES256 EdDSA", error="invalid_token", Bearer realm="api""#
        );
        let alone = Challenge::new("api").dpop("ES256", true);
        assert_eq!(alone.to_string(), r#"DPoP realm="api", algs="ES256""#);
        let alone = alone.scheme(ChallengeScheme::Bearer);
        assert_eq!(alone.to_string(), r#"DPoP realm="api", algs="ES256""#);
        let bearer = Challenge::new("api").scheme(ChallengeScheme::Dpop);
        assert_eq!(bearer.to_string(), r#"Bearer realm="api""#);
    }

    #[test]
    fn a_nonce_is_a_field_of_its_own_and_cannot_leave_it() {
        let challenge = Challenge::new("api")
            .dpop("ES256", true)
            .error(BearerError::UseDpopNonce)
            .dpop_nonce("abc\r\nSet-Cookie: x=y");
        let denial = Denial::Unauthenticated {
            challenge: Box::new(challenge),
        };
        let expected = r#"DPoP realm="api", algs="ES256", error="use_dpop_nonce""#;
        assert_eq!(
            headers(&denial),
            [
                ("www-authenticate", expected.to_owned()),
                ("dpop-nonce", "abc  Set-Cookie: x=y".to_owned())
            ]
        );
        let hostile = Challenge::new("api").dpop("a\", error=\"none\r\nX: \\", true);
        let shown = hostile.to_string();
        assert_eq!(shown.matches('"').count(), 4, "{shown}");
        assert!(!shown.contains(['\r', '\n', '\\']), "{shown}");
    }

    #[test]
    fn too_many_requests_tell_when_to_come_back_and_by_which_limit() {
        let limits = LimitReport {
            limits: vec![crate::limits::ReportedLimit {
                name: "burst".into(),
                quota: 100,
                window: 60,
                remaining: 0,
                reset: 30,
                is_violated: true,
            }],
        };
        let denial = |retry_after| Denial::RateLimited {
            retry_after,
            limits: Some(Box::new(limits.clone())),
        };
        let told = headers(&denial(Some(Duration::from_millis(30_001))));
        assert_eq!(told[0], ("retry-after", "31".to_owned()));
        assert_eq!(
            told[1..].iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            LimitReport::FIELDS
        );
        // What costs more than the limit ever holds is not to be tried again.
        let told = headers(&denial(None));
        assert!(
            told.iter().all(|(name, _)| *name != "retry-after"),
            "{told:?}"
        );
        assert_eq!(told.len(), LimitReport::FIELDS.len());
    }

    #[test]
    fn an_unavailable_key_source_answers_503_with_retry_after_and_no_challenge() {
        for (wait, expected) in [
            (0, "1"),
            (1, "1"),
            (1_000, "1"),
            (1_001, "2"),
            (30_000, "30"),
        ] {
            let denial = Denial::Unavailable {
                retry_after: Duration::from_millis(wait),
            };
            assert_eq!(denial.http_status(), 503);
            assert_eq!(headers(&denial), [("retry-after", expected.to_owned())]);
        }
    }
}
