//! What is left of a client's limits, put into an answer.

use http::{HeaderMap, HeaderName, HeaderValue};
use ringwall_gate::LimitFields;

use crate::view::Headers;

/// Puts into the header fields of a handler's answer what is left of its caller's limits (`RateLimit` and its kin),
/// unless the answer tells of limits itself. For adapters.
pub fn tell_limits(headers: &mut HeaderMap, limits: &LimitFields) {
    let mut fields = Vec::new();
    limits.headers(&Headers(headers), |name, value| fields.push((name, value)));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
