//! What went wrong, out of what the HTTP client says.

use core::error::Error;
use std::io::{self, ErrorKind};

use super::resolver::OutOfReach;
use crate::fetch::{FetchError, FetchErrorKind};

/// The error of an attempt. The cause is kept without the URL, whose query may hold identifiers.
pub(super) fn fetch_error(error: reqwest::Error) -> FetchError {
    let kind = kind(&error);
    FetchError::new(kind).caused_by(error.without_url())
}

fn kind(error: &reqwest::Error) -> FetchErrorKind {
    if causes(error).any(|cause| cause.is::<OutOfReach>()) {
        FetchErrorKind::AddressRefused
    } else if causes(error).any(|cause| cause.is::<rustls::Error>()) {
        // Also after the handshake: under TLS 1.3 a server's refusal arrives with the answer.
        FetchErrorKind::Tls
    } else if error.is_timeout() {
        FetchErrorKind::TimedOut
    } else if error.is_dns() {
        FetchErrorKind::Connect
    } else if error.is_connect() {
        // Whoever breaks off before the request was sent broke off the handshake: a TCP connection
        // that is not made is refused or unreachable.
        let was_accepted = causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| {
                matches!(
                    cause.kind(),
                    ErrorKind::UnexpectedEof
                        | ErrorKind::ConnectionReset
                        | ErrorKind::ConnectionAborted
                        | ErrorKind::BrokenPipe
                )
            });
        if was_accepted {
            FetchErrorKind::Tls
        } else {
            FetchErrorKind::Connect
        }
    } else if error.is_builder() {
        FetchErrorKind::Other
    } else {
        FetchErrorKind::Interrupted
    }
}

/// The error and its causes, from the outside in.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    core::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        // `source` of an error that wraps another leaves out the wrapped one.
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}
