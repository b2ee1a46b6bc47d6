//! The metadata of an authorization server: OpenID Connect Discovery 1.0 and RFC 8414.

use core::fmt;
use std::sync::Arc;

use ringwall_core::profile::Profile;
use ringwall_jose::json::{Document, Limits};

use crate::endpoint::{Endpoint, EndpointError};

/// The name of an issuer, which is also the URL its metadata is found under: `https`, without
/// query and fragment (OpenID Connect Discovery 1.0 §3, RFC 8414 §2). Compared byte for byte,
/// trailing slash included.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    text: Arc<str>,
    profile: Profile,
}

impl IssuerUrl {
    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// [`EndpointError`].
    pub fn new(text: &str, profile: Profile) -> Result<Self, EndpointError> {
        let _url: Endpoint = Endpoint::new(text, profile)?;
        if text.contains('?') {
            return Err(EndpointError::Query);
        }
        Ok(Self {
            text: text.into(),
            profile,
        })
    }

    /// The text, as it was given.
    #[must_use]
    pub const fn as_str(&self) -> &Arc<str> {
        &self.text
    }

    /// What development permits is for issuers on this machine: one from elsewhere does not send
    /// anybody to it.
    fn profile_of_keys(&self) -> Profile {
        match Endpoint::new(&self.text, self.profile) {
            Ok(url) if url.is_this_machine() => self.profile,
            Ok(_) | Err(_) => Profile::Production,
        }
    }

    /// Where the metadata is, in the order in which to look: as OpenID Connect appends it
    /// (Discovery 1.0 §4), then as RFC 8414 §3.1 inserts it between host and path.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Malformed`] when the URL becomes too long.
    pub fn metadata_locations(&self) -> Result<[Endpoint; 2], EndpointError> {
        let base = self.text.strip_suffix('/').unwrap_or(&self.text);
        let appended = format!("{base}/.well-known/openid-configuration");
        let after_scheme = base
            .find("://")
            .and_then(|at| at.checked_add(3))
            .ok_or(EndpointError::Malformed)?;
        let (scheme, rest) = base
            .split_at_checked(after_scheme)
            .ok_or(EndpointError::Malformed)?;
        let (host, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
            Some(parts) => parts,
            None => (rest, ""),
        };
        let inserted = format!("{scheme}{host}/.well-known/oauth-authorization-server{path}");
        Ok([
            Endpoint::new(&appended, self.profile)?,
            Endpoint::new(&inserted, self.profile)?,
        ])
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// What the metadata of an issuer says of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    jwks_uri: Endpoint,
}

/// Why metadata is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not a JSON object within bounds.
    #[error("the metadata is not an acceptable JSON object")]
    Json,
    /// `issuer` is missing or is not the one that was asked for (Discovery 1.0 §4.3, RFC 8414
    /// §3.3): whoever answers speaks for somebody else.
    #[error("the metadata is of another issuer")]
    Issuer,
    /// `jwks_uri` is missing or not an acceptable URL.
    #[error("the metadata has no acceptable jwks_uri")]
    JwksUri,
}

impl ProviderMetadata {
    /// Reads the metadata that was fetched for `issuer`.
    ///
    /// # Errors
    ///
    /// [`MetadataError`].
    pub fn parse(bytes: Vec<u8>, issuer: &IssuerUrl) -> Result<Self, MetadataError> {
        let document = Document::parse(bytes, Limits::KEY_SET).map_err(|_| MetadataError::Json)?;
        let root = document.root();
        root.as_object().ok_or(MetadataError::Json)?;
        let text = |name| root.get(name).and_then(ringwall_jose::json::Value::as_str);
        if text("issuer") != Some(&*issuer.text) {
            return Err(MetadataError::Issuer);
        }
        let jwks_uri = text("jwks_uri")
            .and_then(|url| Endpoint::new(url, issuer.profile_of_keys()).ok())
            .ok_or(MetadataError::JwksUri)?;
        Ok(Self { jwks_uri })
    }

    /// Where the issuer's keys are. It may be on another host: the issuer says so in a document
    /// that came from the issuer's own.
    #[must_use]
    pub const fn jwks_uri(&self) -> &Endpoint {
        &self.jwks_uri
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(text: &str) -> IssuerUrl {
        IssuerUrl::new(text, Profile::Production).expect(text)
    }

    #[test]
    fn metadata_is_looked_for_where_both_standards_say() {
        for (text, appended, inserted) in [
            (
                "https://example.com",
                "https://example.com/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://example.com/",
                "https://example.com/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server",
            ),
            // RFC 8414 §3.1
            (
                "https://example.com/issuer1",
                "https://example.com/issuer1/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server/issuer1",
            ),
            (
                "https://example.com:8443/realms/a/",
                "https://example.com:8443/realms/a/.well-known/openid-configuration",
                "https://example.com:8443/.well-known/oauth-authorization-server/realms/a",
            ),
        ] {
            let [one, two] = issuer(text).metadata_locations().expect(text);
            assert_eq!((one.as_str(), two.as_str()), (appended, inserted));
        }
    }

    #[test]
    fn metadata_of_an_issuer_is_never_looked_for_on_another_host() {
        // With the path of RFC 8414 inserted, these would become URLs of the host `.well-known`.
        for text in [
            "https:///example.com/issuer1",
            "https:////example.com/issuer1",
            "https://\\example.com/issuer1",
        ] {
            assert_eq!(
                IssuerUrl::new(text, Profile::Production),
                Err(EndpointError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn an_issuer_has_neither_query_nor_fragment_nor_another_scheme() {
        for (text, error) in [
            ("https://a.example?x", EndpointError::Query),
            ("https://a.example#x", EndpointError::Fragment),
            ("http://a.example", EndpointError::Scheme),
            ("accounts.google.com", EndpointError::Malformed),
        ] {
            assert_eq!(
                IssuerUrl::new(text, Profile::Production),
                Err(error),
                "{text}"
            );
        }
    }

    #[test]
    fn metadata_of_another_issuer_is_refused() {
        let parse = |name: &str, body: &str| {
            ProviderMetadata::parse(body.as_bytes().to_vec(), &issuer(name))
        };
        let good = r#"{"issuer":"https://a.example","jwks_uri":"https://keys.example/jwks"}"#;
        let metadata = parse("https://a.example", good).expect("good metadata");
        assert_eq!(metadata.jwks_uri().as_str(), "https://keys.example/jwks");
        for name in [
            "https://a.example/",
            "https://A.example",
            "https://b.example",
        ] {
            assert_eq!(parse(name, good), Err(MetadataError::Issuer), "{name}");
        }
        for (body, error) in [
            ("<html>", MetadataError::Json),
            ("[]", MetadataError::Json),
            ("{}", MetadataError::Issuer),
            (
                r#"{"issuer":["https://a.example"],"jwks_uri":"https://a.example/"}"#,
                MetadataError::Issuer,
            ),
            (
                r#"{"issuer":"https://b.example","issuer":"https://a.example","jwks_uri":"https://a.example/"}"#,
                MetadataError::Json,
            ),
            // The `common` endpoint of Entra ID speaks for every tenant.
            (
                r#"{"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0","jwks_uri":"https://a.example/"}"#,
                MetadataError::Issuer,
            ),
            (r#"{"issuer":"https://a.example"}"#, MetadataError::JwksUri),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"http://a.example/jwks"}"#,
                MetadataError::JwksUri,
            ),
            (
                r#"{"issuer":"https://a.example","jwks_uri":"file:///etc/keys"}"#,
                MetadataError::JwksUri,
            ),
            (
                r#"{"issuer":"https://a.example","jwks_uri":["https://a.example/jwks"]}"#,
                MetadataError::JwksUri,
            ),
        ] {
            assert_eq!(parse("https://a.example", body), Err(error), "{body}");
        }
    }
    #[test]
    fn in_development_an_issuer_from_elsewhere_does_not_send_anybody_to_this_machine() {
        let parse = |name: &str, keys: &str| {
            let issuer = IssuerUrl::new(name, Profile::Development).expect(name);
            let text = format!(r#"{{"issuer":"{name}","jwks_uri":"{keys}"}}"#);
            let metadata = ProviderMetadata::parse(text.into_bytes(), &issuer);
            metadata.map(|metadata| metadata.jwks_uri().profile())
        };
        let (elsewhere, plain) = ("https://a.example/keys", "http://localhost:8080/keys");
        for here in ["http://localhost:8080/realms/a", "https://127.0.0.1:8443"] {
            for keys in [plain, elsewhere, "https://localhost:8443/keys"] {
                assert_eq!(parse(here, keys), Ok(Profile::Development), "{here} {keys}");
            }
        }
        let there = "https://a.example";
        assert_eq!(parse(there, elsewhere), Ok(Profile::Production));
        assert_eq!(parse(there, plain), Err(MetadataError::JwksUri));
        // Under this profile, the fetcher does not connect to this machine.
        let secure = parse(there, "https://localhost:8443/keys");
        assert_eq!(secure, Ok(Profile::Production));
    }
}
