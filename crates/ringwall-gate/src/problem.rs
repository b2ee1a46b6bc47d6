//! The body of a refusal.

use core::fmt::Write as _;

use ringwall_core::denial::Denial;

/// The media type of [`document`] (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The type of the problem that a quota is used up (IETF draft `ietf-httpapi-ratelimit-headers`, the registry of
/// RFC 9457 §4.2).
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Renders `denial` as a problem document (RFC 9457): what the status line says, as JSON, and the
/// one fact that helps the caller go on. Adapters of every framework answer with the same bytes.
///
/// ```
/// use ringwall_core::denial::Denial;
///
/// assert_eq!(
///     ringwall_gate::problem::document(&Denial::NotFound),
///     r#"{"type":"about:blank","title":"Not Found","status":404}"#
/// );
/// ```
#[must_use]
pub fn document(denial: &Denial) -> String {
    let is_quota = matches!(
        denial,
        Denial::RateLimited {
            limits: Some(_),
            ..
        }
    );
    let kind = if is_quota {
        QUOTA_EXCEEDED
    } else {
        "about:blank"
    };
    let mut text = format!(
        r#"{{"type":"{kind}","title":"{}","status":{}"#,
        denial.title(),
        denial.http_status()
    );
    match denial {
        Denial::RateLimited {
            limits: Some(limits),
            ..
        } => {
            text.push_str(r#","violated-policies":["#);
            for (n, name) in limits.violated().enumerate() {
                text.push_str(if n == 0 { "\"" } else { ",\"" });
                escape(name, &mut text);
                text.push('"');
            }
            text.push(']');
        }
        Denial::ApprovalRequired {
            approval: Some(approval),
        } => {
            text.push_str(r#","approval":""#);
            escape(approval, &mut text);
            text.push('"');
        }
        Denial::PayloadTooLarge { limit } => {
            // Writing to a String cannot fail.
            write!(text, r#","limit":{limit}"#).ok();
        }
        Denial::ApprovalRequired { approval: None }
        | Denial::Malformed { .. }
        | Denial::Unauthenticated { .. }
        | Denial::Forbidden { .. }
        | Denial::NotFound
        | Denial::MethodNotAllowed { .. }
        | Denial::Conflict
        | Denial::Gone
        | Denial::PreconditionFailed
        | Denial::PlainHttp { .. }
        | Denial::RateLimited { limits: None, .. }
        | Denial::Unavailable { .. } => {}
    }
    text.push('}');
    text
}

/// JSON string escapes; everything but the plainest ASCII as `\u`, so that no page that embeds
/// the document unescaped can be broken by it either.
fn escape(value: &str, text: &mut String) {
    let mut units = [0; 2];
    for c in value.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/') {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            write!(text, "\\u{unit:04x}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_id_cannot_leave_its_quotes() {
        let denial = Denial::ApprovalRequired {
            approval: Some("a\",\"x\":1}</script>\n😀".into()),
        };
        let text = document(&denial);
        assert_eq!(text.matches('"').count(), 14, "{text}");
        assert!(!text.contains('<') && text.is_ascii(), "{text}");
        assert!(text.contains("\\ud83d\\ude00"), "{text}");
    }

    #[test]
    fn names_the_limits_that_are_used_up() {
        use ringwall_core::limits::{LimitReport, ReportedLimit};
        let limit = |name: &str, is_violated| ReportedLimit {
            name: name.into(),
            quota: 5,
            window: 60,
            remaining: 0,
            reset: 60,
            is_violated,
        };
        let limits = vec![limit("one", true), limit("two", false), limit("a\"<", true)];
        let text = document(&Denial::RateLimited {
            retry_after: None,
            limits: Some(Box::new(LimitReport { limits })),
        });
        assert_eq!(
            text,
            r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too Many Requests","status":429,"violated-policies":["one","a\u0022\u003c"]}"#
        );
        let text = document(&Denial::RateLimited {
            retry_after: None,
            limits: None,
        });
        assert_eq!(
            text,
            r#"{"type":"about:blank","title":"Too Many Requests","status":429}"#
        );
    }

    #[test]
    fn says_the_limit_that_was_passed() {
        let text = document(&Denial::PayloadTooLarge { limit: 7 });
        assert_eq!(
            text,
            r#"{"type":"about:blank","title":"Content Too Large","status":413,"limit":7}"#
        );
    }
}
