//! What the handlers of every framework answer: what they see.

use std::time::Duration;

use ringwall_core::denial::Denial;
use ringwall_gate::{Admitted, Caller};
use serde_json::{Value, json};
use tokio::sync::mpsc::channel;
use tokio_stream::wrappers::ReceiverStream;

use crate::credentials::REALM;

/// The field by which a caller chooses how the handler of the route for denials refuses.
pub(crate) const DENIAL: &str = "x-denial";

/// What stands before the name of a header field that the caller lets the handler say.
const SAYS: &str = "x-say-";

/// The header fields that the caller lets the handler say.
pub(crate) fn said<'a>(
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    fields.filter_map(|(name, value)| Some((name.strip_prefix(SAYS)?, value)))
}

/// How many parts the answer of the route that streams has.
const PARTS: usize = 3;

/// The parts of the answer of the route that streams. Nobody knows its length, and there is a while
/// between two of them.
pub(crate) fn parts<E: Send + 'static>() -> ReceiverStream<Result<String, E>> {
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        for _ in 0..PARTS {
            if sender.send(Ok("part\n".to_owned())).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    ReceiverStream::new(receiver)
}

/// What a handler sees, as JSON.
pub(crate) fn echo<'a>(
    admitted: &Admitted,
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    body: usize,
) -> String {
    let caller = match admitted.caller() {
        Caller::NotAsked => "not asked",
        Caller::Anonymous => "anonymous",
        Caller::Verified(principal) => principal.subject.as_str(),
    };
    let scheme = admitted.scheme().unwrap_or("unknown");
    let address = admitted
        .client_address()
        .map_or("unknown".to_owned(), |address| address.to_string());
    let fields: Vec<Value> = fields
        .map(|(name, value)| {
            let value: String = value.iter().copied().map(char::from).collect();
            json!([name, value])
        })
        .collect();
    json!({
        "caller": caller,
        "client_address": address,
        "scheme": scheme,
        "via_proxy": admitted.is_via_proxy(),
        "route": &**admitted.route(),
        "body": body,
        "fields": fields,
    })
    .to_string()
}

/// The names of all of them.
pub(crate) const DENIALS: [&str; 14] = [
    "anonymous",
    "briefly",
    "malformed",
    "forbidden",
    "not found",
    "approval",
    "approval without id",
    "conflict",
    "gone",
    "precondition",
    "too large",
    "plain http",
    "limited",
    "unavailable",
];

/// The denial that `name` asks the handler for.
pub(crate) fn denial(name: &[u8]) -> Option<Denial> {
    let retry_after = Duration::from_millis(2500);
    Some(match name {
        b"anonymous" => Denial::unauthenticated(REALM),
        b"briefly" => Denial::Unavailable {
            retry_after: Duration::from_millis(1),
        },
        b"malformed" => Denial::Malformed { challenge: None },
        b"forbidden" => Denial::Forbidden { challenge: None },
        b"not found" => Denial::NotFound,
        b"approval" => Denial::ApprovalRequired {
            approval: Some("a-17".into()),
        },
        b"approval without id" => Denial::ApprovalRequired { approval: None },
        b"conflict" => Denial::Conflict,
        b"gone" => Denial::Gone,
        b"precondition" => Denial::PreconditionFailed,
        b"too large" => Denial::PayloadTooLarge { limit: 5 },
        b"plain http" => Denial::PlainHttp { location: None },
        b"limited" => Denial::RateLimited {
            retry_after: Some(retry_after),
            limits: None,
        },
        b"unavailable" => Denial::Unavailable { retry_after },
        _ => return None,
    })
}
