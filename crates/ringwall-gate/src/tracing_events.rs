//! Events as log lines.

use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use tracing::Level;

/// Writes each event as one `tracing` event with the target `ringwall`.
///
/// The field names are stable: alerts are written against them.
///
/// | field | what |
/// |---|---|
/// | `kind` | the name of the [`EventKind`], such as `access_denied` |
/// | `cause` | the precise cause, a fixed text |
/// | `about` | the route, the issuer or the rate limit concerned |
/// | `decision` | what the authorization policy refused, why, by which rules, and its hash |
/// | `source` | the address of the socket peer |
/// | `subject` | the subject of the authenticated caller |
/// | `issuer` | who vouches for that subject |
/// | `count` | for how many events the line stands, if not for one |
///
/// A field that is not known is left out. The levels: `ERROR` when no decision could be reached or
/// the service is put together wrongly, `WARN` when somebody was refused for what they presented or
/// asked, and when keys could not be refreshed or used, `INFO` when keys changed, a rate limit is nearly used up or
/// only tried out, or no credential was presented (any crawler does that), `DEBUG`
/// for each success.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingEvents;

impl EventSink for TracingEvents {
    fn emit(&self, event: SecurityEvent) {
        macro_rules! line {
            ($level:expr) => {{
                let principal = event.principal.as_ref();
                tracing::event!(
                    target: "ringwall",
                    $level,
                    kind = event.kind.as_str(),
                    cause = event.cause,
                    about = event.about.as_deref(),
                    decision = event.decision.as_deref(),
                    source = event.source.as_ref().map(tracing::field::display),
                    subject = principal.map(|principal| principal.subject.as_str()),
                    issuer = principal.and_then(|principal| principal.issuer.as_deref()),
                    count = (event.count != 1).then_some(event.count),
                    "security event"
                );
            }};
        }
        match event.kind {
            EventKind::KeysUnavailable
            | EventKind::RevocationUnavailable
            | EventKind::ReplayStoreUnavailable
            | EventKind::ClockUnavailable
            | EventKind::AuditFailed
            | EventKind::RateLimitsUnavailable
            | EventKind::SubjectsUnavailable
            | EventKind::PolicyRefused
            | EventKind::Misconfigured => line!(Level::ERROR),
            EventKind::CredentialsMissing
            | EventKind::RateLimitNear
            | EventKind::RateLimitWouldDeny
            | EventKind::PolicyReplaced
            | EventKind::KeysReloaded
            | EventKind::CertificatesReloaded => line!(Level::INFO),
            EventKind::AuthenticationSucceeded => line!(Level::DEBUG),
            // A kind that is newer than this crate is loud rather than lost.
            EventKind::AuthenticationFailed
            | EventKind::CredentialsAmbiguous
            | EventKind::CredentialReplayed
            | EventKind::GrantsLeftOut
            | EventKind::AccessDenied
            | EventKind::RequestRefused
            | EventKind::KeysRefused
            | EventKind::KeysRefreshFailed
            | _ => line!(Level::WARN),
        }
    }
}
