//! Where requests carry a token.

use ringwall_authn::BearerSource;

use super::section::Section;

/// Where requests carry the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenPlace {
    pub(super) header: String,
    /// `None` when the token is there alone.
    pub(super) scheme: Option<String>,
}

impl TokenPlace {
    pub(super) fn source(&self) -> BearerSource {
        BearerSource::header(&self.header, self.scheme.as_deref())
    }

    /// Takes the settings. `None` when there is a fault.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let header = section.text("header").map(|name| name.to_ascii_lowercase());
        section.unless_set("header", "authorization");
        let header = header.unwrap_or_else(|| "authorization".to_owned());
        let mut is_good = true;
        if !is_header_name(&header) || !is_free(&header) {
            let problem = "is not the name of a header field that tokens can come in";
            section.fault("header", problem, "write a name such as x-access-token");
            is_good = false;
        }
        let prefix = section.text("bearer_prefix");
        section.unless_set("bearer_prefix", "bearer ");
        let prefix = prefix.unwrap_or_else(|| "bearer ".to_owned());
        // One space separates it from the token, and belongs to neither.
        let scheme = prefix.strip_suffix(' ').unwrap_or(&prefix);
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if scheme.len() > 64 || !scheme.bytes().all(is_token) {
            let problem = "is not the name of a scheme and a space";
            section.fault("bearer_prefix", problem, "write bearer, or leave it out");
            is_good = false;
        } else if scheme.is_empty() && header == "authorization" {
            let problem = "is empty, and Authorization always has a scheme";
            section.fault("bearer_prefix", problem, "write bearer, or leave it out");
            is_good = false;
        }
        let scheme = (!scheme.is_empty()).then(|| scheme.to_ascii_lowercase());
        is_good.then_some(Self { header, scheme })
    }
}

/// Fields that mean something else to somebody on the way.
const TAKEN: [&str; 12] = [
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dpop",
    "expect",
    "host",
    "origin",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a credential can come in this field, which is in lower case.
pub(super) fn is_free(header: &str) -> bool {
    !TAKEN.contains(&header)
}

/// RFC 9110 §5.1, in lower case, without the underscore that some take for a hyphen.
pub(super) fn is_header_name(name: &str) -> bool {
    let is_listed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(is_listed)
}
