//! What is accepted of an answer.

use core::time::Duration;

use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};

use super::fault::fetch_error;
use super::freshness::{delta_seconds, max_age};
use crate::fetch::{EntityTag, FetchError, FetchErrorKind, Fetched};

/// What an answer is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The longest body in bytes.
    pub(super) max_bytes: usize,
    /// Whether a version was named in the request.
    pub(super) is_conditional: bool,
    /// Whether the content type is left unread.
    pub(super) any_content_type: bool,
}

/// Reads an answer whose head has arrived. The body is read after all else was accepted.
pub(super) async fn read(response: Response, expected: Expected) -> Result<Fetched, FetchError> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED && expected.is_conditional {
        let max_age = max_age(response.headers());
        return Ok(Fetched::NotModified { max_age });
    }
    check_status(status, response.headers())?;
    check_encoding(response.headers())?;
    if !expected.any_content_type {
        check_type(response.headers())?;
    }
    let max_age = max_age(response.headers());
    let entity_tag = entity_tag(response.headers());
    let body = body(response, expected.max_bytes).await?;
    Ok(Fetched::Document {
        body,
        max_age,
        entity_tag,
    })
}

/// 200 and nothing else: neither 203, which somebody on the way has changed, nor a part (206).
fn check_status(status: StatusCode, headers: &HeaderMap) -> Result<(), FetchError> {
    if status == StatusCode::OK {
        return Ok(());
    }
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        return Err(FetchError::new(FetchErrorKind::Redirected));
    }
    let error = FetchError::new(FetchErrorKind::Status(status.as_u16()));
    Err(match pause(status, headers) {
        Some(pause) => error.retry_after(pause),
        None => error,
    })
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3). Its other form, a date, presumes that both clocks
/// agree, and is not looked at.
fn pause(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let is_asked =
        status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    let text = only(headers, &RETRY_AFTER)
        .filter(|_| is_asked)?
        .to_str()
        .ok()?;
    delta_seconds(text).map(Duration::from_secs)
}

/// Nothing that would have to be decompressed, which was not asked for: a few bytes can stand for
/// as many as one likes.
fn check_encoding(headers: &HeaderMap) -> Result<(), FetchError> {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        Ok(())
    } else {
        Err(FetchError::new(FetchErrorKind::ContentEncoding))
    }
}

/// `application/json`, or a type that is JSON by its suffix (RFC 6839 §3.1), such as
/// `application/jwk-set+json`: an error page, or a file that somebody uploaded to the host, is not.
fn check_type(headers: &HeaderMap) -> Result<(), FetchError> {
    let is_json = only(headers, &CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_json);
    if is_json {
        Ok(())
    } else {
        Err(FetchError::new(FetchErrorKind::ContentType))
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let Some(subtype) = essence.strip_prefix("application/") else {
        return false;
    };
    match subtype.strip_suffix("+json") {
        // The characters of RFC 6838 §4.2, among which there is no comma: two types in one line
        // are two claims.
        Some(name) => {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        }
        None => subtype == "json",
    }
}

/// The version; of several, none is believed.
fn entity_tag(headers: &HeaderMap) -> Option<EntityTag> {
    EntityTag::new(only(headers, &ETAG)?.to_str().ok()?)
}

/// The value of a header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The body, if it is not longer than `max_bytes`.
async fn body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
    let too_large = || FetchError::new(FetchErrorKind::TooLarge);
    let is_longer = |length: u64| usize::try_from(length).map_or(true, |length| length > max_bytes);
    if response.content_length().is_some_and(is_longer) {
        return Err(too_large());
    }
    // Grows with what arrives: an announced length costs the server nothing.
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fetch_error)? {
        if chunk.len() > max_bytes.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                name.clone(),
                HeaderValue::from_bytes(value.as_bytes()).expect(value),
            );
        }
        headers
    }

    #[test]
    fn json_is_known_by_its_type_or_its_suffix() {
        for good in [
            "application/json",
            "APPLICATION/JSON",
            "application/json;charset=utf-8",
            "application/json ; charset=\"utf-8\"",
            "application/jwk-set+json",
            "Application/Vnd.a-b.C+JSON; v=1",
        ] {
            assert!(
                check_type(&headers(CONTENT_TYPE, &[good])).is_ok(),
                "{good}"
            );
        }
        for bad in [
            &[][..],
            &[""],
            &["application"],
            &["application/"],
            &["json"],
            &["text/html"],
            &["text/json"],
            &["text/plain; application/json"],
            &["application/jsonp"],
            &["application/javascript"],
            &["application/octet-stream"],
            &["application/+json"],
            &["application/x,y+json"],
            &["application/a b+json"],
            &["application/json, text/html"],
            &["text/html, application/json"],
            &["application/json\u{e4}"],
            &["application/json", "text/html"],
            &["application/json", "application/json"],
        ] {
            let error = check_type(&headers(CONTENT_TYPE, bad)).expect_err("refused");
            assert_eq!(error.kind(), FetchErrorKind::ContentType, "{bad:?}");
        }
    }

    #[test]
    fn an_encoding_other_than_none_is_refused() {
        for good in [
            &[][..],
            &["identity"],
            &["Identity"],
            &["identity", "identity"],
        ] {
            assert!(
                check_encoding(&headers(CONTENT_ENCODING, good)).is_ok(),
                "{good:?}"
            );
        }
        for bad in [
            &["gzip"][..],
            &["br"],
            &["identity, gzip"],
            &["identity", "gzip"],
            &[""],
            &["x-unknown"],
        ] {
            let error = check_encoding(&headers(CONTENT_ENCODING, bad)).expect_err("refused");
            assert_eq!(error.kind(), FetchErrorKind::ContentEncoding, "{bad:?}");
        }
    }

    #[test]
    fn of_several_entity_tags_none_is_believed() {
        for (values, expected) in [
            (&["\"a\""][..], Some("\"a\"")),
            (&["W/\"a\""], Some("W/\"a\"")),
            (&["a"], None),
            (&["\"a\", \"b\""], None),
            (&["\"a\"", "\"a\""], None),
            (&[], None),
        ] {
            let found = entity_tag(&headers(ETAG, values));
            assert_eq!(
                found.as_ref().map(EntityTag::as_str),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn a_pause_is_a_number_of_seconds_beside_429_and_503() {
        for (status, values, expected) in [
            (429, &["120"][..], Some(120)),
            (503, &["0"], Some(0)),
            (503, &["99999999999999999999"], Some(1 << 31)),
            (500, &["120"], None),
            (301, &["120"], None),
            (429, &["Fri, 31 Dec 1999 23:59:59 GMT"], None),
            (429, &["-1"], None),
            (429, &["1.5"], None),
            (429, &[""], None),
            (429, &["1", "1"], None),
            (429, &[], None),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let found = pause(status, &headers(RETRY_AFTER, values));
            assert_eq!(
                found.map(|pause| pause.as_secs()),
                expected,
                "{status} {values:?}"
            );
        }
    }
}
