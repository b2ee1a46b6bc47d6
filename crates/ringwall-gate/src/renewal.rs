//! The nonce of a client's next proof, told with a good answer.

use core::fmt;
use std::sync::Arc;

use ringwall_core::request::HeaderLookup;

use crate::authenticator::{Authenticated, Authenticator};
use crate::door::Door;

/// The header field of RFC 9449 §8.1, in lower case.
pub(crate) const DPOP_NONCE: &str = "dpop-nonce";

const CACHE_CONTROL: &str = "cache-control";

const NO_STORE: &str = "no-store";

/// Tells a client with its answer the nonce that its next DPoP proof has to contain (RFC 9449 §8.2), so that
/// a client that goes on asking never meets a refusal when the nonces change.
///
/// It is there for callers who showed a proof to a service that demands nonces, and it is told with every
/// answer to them, whatever its status: also to a client whose nonce is still good, for who tells it from one
/// whose nonce is about to end has to read the proof a second time, which costs as much as the nonce. Refusals
/// of the door that have a challenge tell it as well.
///
/// An answer that a cache keeps would hand out a nonce that is over (§8.2). So an answer whose handler says
/// nothing about caches is marked `Cache-Control: no-store`, and one that its handler lets be stored tells no
/// nonce: its client meets a refusal instead, which tells it.
#[derive(Clone)]
pub struct NonceRenewal {
    door: Door,
    authenticated: Authenticated,
    authenticator: Arc<dyn Authenticator>,
}

impl NonceRenewal {
    /// `None` for callers without a token that is bound to a key.
    pub(crate) fn new(
        door: &Door,
        authenticated: &Authenticated,
        authenticator: &Arc<dyn Authenticator>,
    ) -> Option<Self> {
        authenticated.is_bound_to_key().then(|| Self {
            door: door.clone(),
            authenticated: authenticated.clone(),
            authenticator: Arc::clone(authenticator),
        })
    }

    /// The nonce. `None` when none is demanded, and when the clock cannot tell the time. For gRPC, whose
    /// answers no cache keeps: it is the metadata `dpop-nonce`.
    #[must_use]
    pub fn nonce(&self) -> Option<String> {
        let now = self.door.gate().now()?;
        self.authenticator.dpop_nonce(&self.authenticated, now)
    }

    /// Calls `field` with the name (lower case) and value of each header field that the answer gets; each takes
    /// the place of any that the handler set. `answer` is what the handler said.
    pub fn headers(&self, answer: &dyn HeaderLookup, mut field: impl FnMut(&'static str, String)) {
        let caching = Caching::of(answer);
        if caching == Caching::Permitted {
            return;
        }
        let Some(nonce) = self.nonce() else {
            return;
        };
        field(DPOP_NONCE, nonce);
        if caching == Caching::Unsaid {
            field(CACHE_CONTROL, NO_STORE.to_owned());
        }
    }
}

/// What an answer says about being stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caching {
    Unsaid,
    Forbidden,
    /// Something else than that it must not be stored.
    Permitted,
}

impl Caching {
    fn of(answer: &dyn HeaderLookup) -> Self {
        let mut found = Self::Unsaid;
        answer.visit(CACHE_CONTROL, &mut |value| {
            // RFC 9111 §5.2: names of directives are compared without case.
            let forbids = value.split(|byte| *byte == b',').any(|directive| {
                directive
                    .trim_ascii()
                    .eq_ignore_ascii_case(NO_STORE.as_bytes())
            });
            if forbids {
                found = Self::Forbidden;
            } else if found == Self::Unsaid {
                found = Self::Permitted;
            }
        });
        found
    }
}

impl fmt::Debug for NonceRenewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceRenewal")
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_so_may_not_be_stored() {
        for (said, expected) in [
            (&[][..], Caching::Unsaid),
            (&["no-store"], Caching::Forbidden),
            (&["private, No-Store"], Caching::Forbidden),
            (&["max-age=60", "no-store"], Caching::Forbidden),
            (&["no-store", "max-age=60"], Caching::Forbidden),
            (&[""], Caching::Permitted),
            (&["max-age=60"], Caching::Permitted),
            (&["no-cache"], Caching::Permitted),
            (&["no-store-ever, xno-store"], Caching::Permitted),
        ] {
            let fields: Vec<(&str, &str)> =
                said.iter().map(|value| (CACHE_CONTROL, *value)).collect();
            assert!(Caching::of(&fields) == expected, "{said:?}");
        }
        assert!(Caching::of(&[("expires", "0")]) == Caching::Unsaid);
    }
}
