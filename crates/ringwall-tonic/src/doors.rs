//! The doors of one service, each bound to a whole path.

use std::collections::HashMap;
use std::sync::Arc;

use ringwall_gate::{Access, Door, Gate, RoutePolicy};

/// Under which name calls of a method without a policy are recorded, below their service.
pub(crate) const UNLISTED: &str = "(unlisted method)";

/// Under which name calls of no service at all are recorded.
pub(crate) const UNKNOWN: &str = "(unknown path)";

/// The doors of one service.
///
/// The generated server finds its method by comparing the path of the URI with literals
/// (`match req.uri().path() { "/package.Service/Method" => … }`). The table is asked with the same
/// bytes of the same request, which nobody changes in between, and compares them whole, without
/// decoding, folding or trimming. So a path that is not in the table letter by letter is none of the
/// methods with a policy for the generated code either, and a path that is in it is that one method.
pub(crate) struct Doors {
    named: HashMap<Box<str>, Door>,
    /// Such as `/package.Service/`, with the door of whatever follows it.
    every: Option<(Box<str>, Door)>,
    unlisted: Door,
}

/// What stands behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The service.
    Service,
    /// Nothing: whoever may come through is told that there is no such method.
    Nothing,
}

impl Doors {
    pub(crate) const fn new(
        named: HashMap<Box<str>, Door>,
        every: Option<(Box<str>, Door)>,
        unlisted: Door,
    ) -> Self {
        Self {
            named,
            every,
            unlisted,
        }
    }

    /// The one door of every path that no service has.
    pub(crate) fn unknown(gate: &Gate) -> Arc<Self> {
        let policy = RoutePolicy::new(UNKNOWN, Access::Authenticated);
        Arc::new(Self::new(HashMap::new(), None, gate.door(policy)))
    }

    /// The door of `path`, the URI's as the service will see it.
    pub(crate) fn find(&self, path: &str) -> (&Door, Behind) {
        if let Some(door) = self.named.get(path) {
            return (door, Behind::Service);
        }
        match &self.every {
            Some((prefix, door)) if path.strip_prefix(&**prefix).is_some_and(is_name) => {
                (door, Behind::Service)
            }
            Some(_) | None => (&self.unlisted, Behind::Nothing),
        }
    }
}

/// Whether `text` can be the name of a method or a service: characters of which no router, decoder or
/// proxy makes another one, and which no template gives a meaning.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !text.is_empty() && text.bytes().all(plain)
}
