//! A form that is sent, with the same care as a document is fetched.

use core::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use zeroize::Zeroizing;

use super::answer::{self, Expected};
use super::{HttpFetcher, fault};
use crate::endpoint::Endpoint;
use crate::fetch::{FetchError, FetchErrorKind, Fetched};

impl HttpFetcher {
    /// Sends a form (`application/x-www-form-urlencoded`) to an endpoint of an authorization server, and
    /// gives its JSON answer of at most `max_bytes`: for token introspection (RFC 7662 §2.1).
    ///
    /// Addresses, TLS, redirects and answers are judged as for a document. `authorization` is the value of
    /// that header field, and is kept out of logs. The whole exchange takes `time_out` at most, and there
    /// is no second attempt.
    ///
    /// # Errors
    ///
    /// [`FetchError`].
    pub async fn post_form(
        &self,
        endpoint: &Endpoint,
        form: Zeroizing<String>,
        authorization: Option<&str>,
        max_bytes: usize,
        time_out: Duration,
    ) -> Result<Vec<u8>, FetchError> {
        let other = || FetchError::new(FetchErrorKind::Other);
        let route = self.route(endpoint);
        let literal = endpoint.literal_address();
        if literal.is_some_and(|address| !route.reach.permits(address)) {
            return Err(FetchError::new(FetchErrorKind::AddressRefused));
        }
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut outgoing = route
            .client
            .post(endpoint.url().clone())
            .header(CONTENT_TYPE, kind)
            .body(form.as_bytes().to_vec());
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_str(authorization).map_err(|_| other())?;
            value.set_sensitive(true);
            outgoing = outgoing.header(AUTHORIZATION, value);
        }
        let expected = Expected {
            max_bytes,
            is_conditional: false,
            any_content_type: self.any_content_type,
        };
        let exchange = async {
            let response = outgoing.send().await.map_err(fault::fetch_error)?;
            match answer::read(response, expected).await? {
                Fetched::Document { body, .. } => Ok(body),
                Fetched::NotModified { .. } => Err(other()),
            }
        };
        tokio::time::timeout(time_out, exchange)
            .await
            .unwrap_or_else(|_| Err(FetchError::new(FetchErrorKind::TimedOut)))
    }
}
