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

    /// `Authorization: DPoP TOKEN` (RFC 9449 §7.1).
    pub(crate) fn dpop() -> Self {
        Self::header("authorization", Some("dpop"))
    }

    /// Whether the request presents something that is meant for this source, good or bad. It
    /// does not look at the token.
    pub(crate) fn is_claimed(&self, view: &RequestView<'_>) -> bool {
        match view.header(&self.header) {
            HeaderValues::Absent => false,
            HeaderValues::One(value) => self.strip_scheme(value).is_some(),
            HeaderValues::Several(_) => true,
        }
    }

    pub(crate) fn presented<'a>(&self, view: &RequestView<'a>) -> Presented<'a> {
        let value = match view.header(&self.header) {
            HeaderValues::Absent => return Presented::Nothing,
            HeaderValues::One(value) => value,
            // Which one counts? A proxy in front may have judged the other one.
            HeaderValues::Several(_) => return Presented::Malformed,
        };
        let Some(token) = self.strip_scheme(value) else {
            return Presented::OtherScheme;
        };
        if !is_token(token) {
            return Presented::Malformed;
        }
        // A token is ASCII.
        core::str::from_utf8(token).map_or(Presented::Malformed, Presented::Token)
    }

    /// What follows the scheme and one space; empty when nothing does. `None` under another
    /// scheme.
    fn strip_scheme<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        let Some(scheme) = &self.scheme else {
            return Some(value);
        };
        let (name, rest) = value.split_at_checked(scheme.len())?;
        let is_ours = name.eq_ignore_ascii_case(scheme.as_bytes());
        match rest {
            [] if is_ours => Some(rest),
            [b' ', token @ ..] if is_ours => Some(token),
            _ => None,
        }
    }
}

/// Whether the text has the form of a token. RFC 6750 §2.1:
/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
/// White space and commas, by which a second credential could ride along, are not in it.
fn is_token(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let (body, _) = text.split_at(text.len().saturating_sub(padding));
    // Without an early exit within a part, so that the parts are judged in vectors.
    let is_listed = |part: &[u8]| {
        part.iter()
            .fold(true, |all, byte| all & is_token_byte(*byte))
    };
    !body.is_empty() && body.chunks(32).all(is_listed)
}

/// Without a branch: letters of both cases; `-`, `.`, `/` and the digits, which follow each other;
/// the other three.
const fn is_token_byte(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'-') < 13)
        | (byte == b'_')
        | (byte == b'~')
        | (byte == b'+')
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
            client_address: None,
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
    fn a_token_is_made_of_the_bytes_of_the_standard_wherever_they_stand() {
        for byte in 0..=u8::MAX {
            let permitted = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_token(&[byte]), permitted, "{byte:#x}");
        }
        let long = "a".repeat(200);
        assert!(is_token(long.as_bytes()));
        for place in 0..long.len() {
            let mut bad = long.clone();
            bad.replace_range(place..=place, ",");
            assert!(!is_token(bad.as_bytes()), "{place}");
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
