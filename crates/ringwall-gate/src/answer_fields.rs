//! What the gate tells a caller with its answer.

use ringwall_core::request::HeaderLookup;

use crate::limits::LimitFields;
use crate::renewal::{DPOP_NONCE, NonceRenewal};

/// What the gate tells a caller with a handler's answer: the nonce of its next proof ([`NonceRenewal`]), and what
/// is left of its limits ([`LimitFields`]). Adapters keep it while the handler runs, and put it into the answer.
#[derive(Clone, Debug)]
pub struct AnswerFields {
    renewal: Option<NonceRenewal>,
    limits: Option<LimitFields>,
}

impl AnswerFields {
    /// `None` when there is nothing to tell.
    pub(crate) fn new(renewal: Option<NonceRenewal>, limits: Option<LimitFields>) -> Option<Self> {
        (renewal.is_some() || limits.is_some()).then_some(Self { renewal, limits })
    }

    /// Calls `field` with the name (lower case) and value of each header field that the answer gets; each takes
    /// the place of any that the handler set. `answer` is what the handler said.
    pub fn headers(&self, answer: &dyn HeaderLookup, mut field: impl FnMut(&'static str, String)) {
        if let Some(renewal) = &self.renewal {
            renewal.headers(answer, &mut field);
        }
        if let Some(limits) = &self.limits {
            limits.headers(answer, field);
        }
    }

    /// The same for gRPC, as metadata. No cache keeps the answer to a `POST` that does not say so (RFC 9110
    /// §9.3.3), as every call is, so nothing is said of caches.
    pub fn metadata(&self, answer: &dyn HeaderLookup, mut field: impl FnMut(&'static str, String)) {
        if let Some(nonce) = self.renewal.as_ref().and_then(NonceRenewal::nonce) {
            field(DPOP_NONCE, nonce);
        }
        if let Some(limits) = &self.limits {
            limits.headers(answer, field);
        }
    }
}
