//! Questions over HTTPS.

use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretString;
use ringwall_core::step::BoxFuture;
use ringwall_jwks_client::{Endpoint, HttpFetcher};
use std::sync::Arc;
use zeroize::Zeroizing;

use super::answer::MAX_ANSWER;
use super::{IntrospectionTransport, IntrospectionUnavailable};

/// How long one question may take.
const TIME_OUT: Duration = Duration::from_secs(5);

/// When to ask again after one that failed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The endpoint, or this service's credentials there, cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpIntrospectionError {
    /// The URL is not acceptable: `https` to a host, without a user and a fragment.
    #[error("the introspection endpoint is not an acceptable https URL")]
    Endpoint,
    /// The id or the secret of the client is empty.
    #[error("the introspection endpoint wants a client id and a secret")]
    Credentials,
}

/// Asks an introspection endpoint over HTTPS, as a client with a secret (`client_secret_basic`,
/// RFC 6749 §2.3.1). Addresses, certificates and answers are judged by an [`HttpFetcher`].
#[derive(Clone)]
pub struct HttpIntrospection {
    fetcher: HttpFetcher,
    endpoint: Endpoint,
    authorization: Arc<Zeroizing<String>>,
}

impl HttpIntrospection {
    /// Asks `endpoint` as the client `id`. In the development profile the endpoint may be plain HTTP on this
    /// machine.
    ///
    /// # Errors
    ///
    /// [`HttpIntrospectionError`].
    pub fn new(
        fetcher: HttpFetcher,
        endpoint: &str,
        id: &str,
        secret: &SecretString,
        profile: Profile,
    ) -> Result<Self, HttpIntrospectionError> {
        let endpoint = Endpoint::new(endpoint, profile);
        let endpoint = endpoint.map_err(|_| HttpIntrospectionError::Endpoint)?;
        if id.is_empty() || secret.is_empty() {
            return Err(HttpIntrospectionError::Credentials);
        }
        let pair = Zeroizing::new(format!("{}:{}", *escaped(id), *escaped(secret.expose())));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Ok(Self {
            fetcher,
            endpoint,
            authorization: Arc::new(Zeroizing::new(format!("Basic {}", *encoded))),
        })
    }
}

/// As forms escape (RFC 6749 appendix B), so that a colon in the id cannot end it.
fn escaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&crate::hex::encode(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

impl IntrospectionTransport for HttpIntrospection {
    fn ask(&self, form: Zeroizing<String>) -> BoxFuture<Result<Vec<u8>, IntrospectionUnavailable>> {
        let this = self.clone();
        Box::pin(async move {
            let answer = this
                .fetcher
                .post_form(
                    &this.endpoint,
                    form,
                    Some(&this.authorization),
                    MAX_ANSWER,
                    TIME_OUT,
                )
                .await;
            answer.map_err(|error| IntrospectionUnavailable {
                retry_after: error.asked_pause().unwrap_or(RETRY_AFTER),
            })
        })
    }
}

impl fmt::Debug for HttpIntrospection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpIntrospection")
            .field("fetcher", &self.fetcher)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(
        endpoint: &str,
        id: &str,
        secret: &str,
    ) -> Result<HttpIntrospection, HttpIntrospectionError> {
        let fetcher = HttpFetcher::builder().build().unwrap();
        let secret = SecretString::new(secret.to_owned());
        HttpIntrospection::new(fetcher, endpoint, id, &secret, Profile::Production)
    }

    #[test]
    fn credentials_are_escaped_as_in_forms() {
        let made = new("https://as.example/introspect", "a:b c", "p+%ä").unwrap();
        // a%3Ab%20c:p%2B%25%C3%A4
        let expected = STANDARD.encode("a%3Ab%20c:p%2B%25%C3%A4");
        assert_eq!(**made.authorization, format!("Basic {expected}"));
        assert!(!format!("{made:?}").contains(&expected));
    }

    #[test]
    fn the_endpoint_is_https_and_the_client_has_a_secret() {
        for url in [
            "http://as.example/x",
            "https://u:p@as.example/x",
            "x",
            "https://as.example/#f",
        ] {
            assert_eq!(
                new(url, "a", "b").err(),
                Some(HttpIntrospectionError::Endpoint),
                "{url}"
            );
        }
        for (id, secret) in [("", "b"), ("a", "")] {
            let error = new("https://as.example/x", id, secret).err();
            assert_eq!(error, Some(HttpIntrospectionError::Credentials));
        }
    }
}
