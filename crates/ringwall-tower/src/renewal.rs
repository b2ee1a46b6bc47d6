//! The nonce of a client's next proof, put into an answer.

use http::{HeaderMap, HeaderName, HeaderValue};
use ringwall_gate::NonceRenewal;

use crate::view::Headers;

/// Puts into the header fields of a handler's answer what the gate tells its caller with it: the nonce of the
/// next DPoP proof (RFC 9449 §8.2), in place of one that the handler set. For adapters.
pub fn renew(headers: &mut HeaderMap, renewal: &NonceRenewal) {
    let mut fields = Vec::new();
    renewal.headers(&Headers(headers), |name, value| fields.push((name, value)));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
