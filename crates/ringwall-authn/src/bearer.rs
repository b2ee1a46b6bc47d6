//! The token in a request (RFC 6750 §2.1).

use ringwall_core::request::{HeaderValues, RequestView};

/// Where requests carry the token: `Authorization: Bearer TOKEN` unless set.
///
/// Tokens in the query or in a form (RFC 6750 §2.2, §2.3) are never looked at: they end in logs,
/// histories and `Referer` fields.
#[derive(Clone, Debug)]
pub struct BearerSource {
    header: Box<str>,
    /// The scheme in lower case; `None` when the header holds the bare token.
    scheme: Option<Box<str>>,
}

impl Default for BearerSource {
    fn default() -> Self {
        Self {
            header: "authorization".into(),
            scheme: Some("bearer".into()),
        }
    }
}

/// What a request presents to this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    /// Nothing.
    Nothing,
    /// Something under another scheme, which may be somebody else's.
    OtherScheme,
    /// Something that is meant for us and is not one token.
    Malformed,
    /// A text that has the form of a token.
    Token(&'a str),
}

impl BearerSource {
    /// Takes the token from another header field (lower case), under `scheme` or, with `None`,
    /// bare. A proxy that sets such a field must remove what clients send under its name.
    #[must_use]
    pub fn header(name: &str, scheme: Option<&str>) -> Self {
        Self {
            header: name.to_ascii_lowercase().into(),
            scheme: scheme.map(|scheme| scheme.to_ascii_lowercase().into()),
        }
    }

    pub(crate) fn presented<'a>(&self, view: &RequestView<'a>) -> Presented<'a> {
        let value = match view.header(&self.header) {
            HeaderValues::Absent => return Presented::Nothing,
            HeaderValues::One(value) => value,
            // Which one counts? A proxy in front may have judged the other one.
            HeaderValues::Several(_) => return Presented::Malformed,
        };
        let token = match &self.scheme {
            None => value,
            Some(scheme) => {
                let end = value
                    .iter()
                    .position(|byte| *byte == b' ')
                    .unwrap_or(value.len());
                let (name, rest) = value.split_at_checked(end).unwrap_or((value, &[]));
                if !name.eq_ignore_ascii_case(scheme.as_bytes()) {
                    return Presented::OtherScheme;
                }
                rest.strip_prefix(b" ").unwrap_or_default()
            }
        };
        match core::str::from_utf8(token) {
            Ok(token) if is_token(token) => Presented::Token(token),
            Ok(_) | Err(_) => Presented::Malformed,
        }
    }
}

/// RFC 6750 §2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
/// White space and commas, by which a second credential could ride along, are not among them.
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = Vec<(&'a str, &'a str)>;

    fn present<'a>(source: &BearerSource, headers: &'a Headers<'a>) -> Presented<'a> {
        let view = RequestView {
            method: "GET",
            scheme: None,
            authority: None,
            raw_path: "/",
            raw_query: Some("access_token=abc"),
            socket_peer: None,
            tls_peer: None,
            headers,
        };
        source.presented(&view)
    }

    #[test]
    fn takes_exactly_one_token() {
        let source = BearerSource::default();
        for value in ["Bearer abc.def", "bearer abc.def", "BEARER abc.def"] {
            assert_eq!(
                present(&source, &vec![("Authorization", value)]),
                Presented::Token("abc.def"),
                "{value}"
            );
        }
    }

    #[test]
    fn a_query_parameter_is_no_credential() {
        assert_eq!(
            present(&BearerSource::default(), &vec![]),
            Presented::Nothing
        );
    }

    #[test]
    fn line_35_refuses_two_authorization_headers_empty_and_joined_values() {
        let source = BearerSource::default();
        let two = vec![("authorization", "Bearer a"), ("Authorization", "Bearer a")];
        assert_eq!(present(&source, &two), Presented::Malformed);
        let mixed = vec![("authorization", "Bearer a"), ("authorization", "Basic b")];
        assert_eq!(present(&source, &mixed), Presented::Malformed);
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer a ",
            "Bearer a b",
            "Bearer a,Bearer b",
            "Bearer a, Bearer b",
            "Bearer a,b",
            "Bearer \"a\"",
            "Bearer a=b",
            "Bearer =",
            "Bearer \ta",
            "Bearer ä",
        ] {
            assert_eq!(
                present(&source, &vec![("authorization", value)]),
                Presented::Malformed,
                "{value:?}"
            );
        }
    }

    #[test]
    fn another_scheme_is_somebody_elses() {
        let source = BearerSource::default();
        for value in [
            "Basic YTpi",
            "BearerX a",
            "Bearera",
            "Bearer,a",
            "",
            " Bearer a",
            "DPoP a",
        ] {
            assert_eq!(
                present(&source, &vec![("authorization", value)]),
                Presented::OtherScheme,
                "{value:?}"
            );
        }
    }

    #[test]
    fn another_header_can_hold_the_bare_token() {
        let source = BearerSource::header("X-Access-Token", None);
        assert_eq!(
            present(&source, &vec![("x-access-token", "abc")]),
            Presented::Token("abc")
        );
        assert_eq!(
            present(&source, &vec![("authorization", "Bearer abc")]),
            Presented::Nothing
        );
        assert_eq!(
            present(&source, &vec![("x-access-token", "Bearer abc")]),
            Presented::Malformed
        );
        assert_eq!(
            present(&source, &vec![("x-access-token", "")]),
            Presented::Malformed
        );
    }
}
