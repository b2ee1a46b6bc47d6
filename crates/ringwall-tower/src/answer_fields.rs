//! What the gate tells a caller, put into an answer.

use http::{HeaderMap, HeaderName, HeaderValue};
use ringwall_gate::AnswerFields;

use crate::view::Headers;

/// How many fields there are to tell, mostly.
const FIELDS: usize = 8;

/// Puts into the header fields of a handler's answer what the gate tells its caller with it: the nonce of the next
/// DPoP proof (RFC 9449 §8.2) in place of one that the handler set, and what is left of its limits, unless the
/// answer tells of limits itself. For adapters.
pub fn tell(headers: &mut HeaderMap, fields: &AnswerFields) {
    let mut told = Vec::with_capacity(FIELDS);
    fields.headers(&Headers(headers), |name, value| told.push((name, value)));
    put(headers, told);
}

/// The same for an answer of gRPC, as metadata.
pub fn tell_grpc(headers: &mut HeaderMap, fields: &AnswerFields) {
    let mut told = Vec::with_capacity(FIELDS);
    fields.metadata(&Headers(headers), |name, value| told.push((name, value)));
    put(headers, told);
}

fn put(headers: &mut HeaderMap, told: Vec<(&'static str, String)>) {
    for (name, value) in told {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
