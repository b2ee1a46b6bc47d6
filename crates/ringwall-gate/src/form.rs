//! What must hold of any request, whoever sends it.

use ringwall_core::request::{HeaderValues, RequestView};

use crate::gate::Gate;
use crate::path;

/// The options of a connection that honest clients list (RFC 9110 §7.6.1). Whoever lists another
/// field, such as `Connection: X-Forwarded-For`, makes a proxy on the way remove it, and with it
/// what we would have decided by.
const CONNECTION_OPTIONS: [&str; 9] = [
    "close",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "transfer-encoding",
    "http2-settings",
    "proxy-connection",
    "proxy-authenticate",
];

/// Checks the form of a request. Answers the length of the body that it states.
pub(crate) fn check(gate: &Gate, view: &RequestView<'_>) -> Result<Option<u64>, &'static str> {
    path::check(view.method, view.raw_path, gate.encoded_slashes())?;
    if matches!(view.header("host"), HeaderValues::Several(_)) {
        return Err("the request has several Host fields");
    }
    check_connection(view)?;
    check_spelling(gate, view)?;
    match view.header("content-length") {
        HeaderValues::Absent => Ok(None),
        HeaderValues::One(text) => match length(text) {
            Some(length) => Ok(Some(length)),
            None => Err("the Content-Length is not a number"),
        },
        HeaderValues::Several(_) => Err("the request has several Content-Length fields"),
    }
}

fn check_connection(view: &RequestView<'_>) -> Result<(), &'static str> {
    let mut all_known = true;
    view.headers.visit("connection", &mut |value| {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            all_known &= option.is_empty()
                || CONNECTION_OPTIONS
                    .iter()
                    .any(|known| option.eq_ignore_ascii_case(known.as_bytes()));
        }
    });
    if all_known {
        Ok(())
    } else {
        Err("the Connection field makes proxies remove another field")
    }
}

/// Servers that hand fields on as variables (CGI, WSGI) take `_` and `-` for the same, so a proxy
/// that removes `x-client-id` lets `x_client_id` pass to whoever reads both as one.
fn check_spelling(gate: &Gate, view: &RequestView<'_>) -> Result<(), &'static str> {
    if gate.proxy_headers().names().is_empty() {
        return Ok(());
    }
    let mut is_clear = true;
    view.headers.visit_names(&mut |name| {
        is_clear &= !(name.contains('_') && gate.proxy_headers().contains(name));
    });
    if is_clear {
        Ok(())
    } else {
        Err("a field that only a proxy may set is spelled with an underscore")
    }
}

/// RFC 9110 §8.6: digits alone; `str::parse` would also take a sign.
fn length(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}
