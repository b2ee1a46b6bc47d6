//! Whom a connection trusts.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::error::HttpFetcherError;

/// Which certificate authorities are trusted.
#[derive(Clone, Default)]
pub(super) struct Roots {
    /// Added by the operator.
    pub(super) named: Vec<CertificateDer<'static>>,
    /// Whether the platform's are left out.
    pub(super) only_named: bool,
}

impl Roots {
    /// Adds the certificates of a PEM text, of which there must be one at least.
    pub(super) fn add_pem(&mut self, pem: &[u8]) -> Result<(), HttpFetcherError> {
        let count = self.named.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            // The parser's error repeats the line it stumbled over, which may be of a private key.
            let certificate = certificate.map_err(|_| HttpFetcherError::RootCertificates)?;
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|_| HttpFetcherError::RootCertificates)?;
            self.named.push(certificate);
        }
        if self.named.len() == count {
            return Err(HttpFetcherError::RootCertificates);
        }
        Ok(())
    }
}

/// TLS 1.2 and 1.3 with ring, whatever provider the process has or has not installed.
pub(super) fn config(roots: Roots) -> Result<ClientConfig, HttpFetcherError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpFetcherError::Client(error.into()))?;
    let mut config = if roots.only_named {
        let mut store = RootCertStore::empty();
        for certificate in roots.named {
            store
                .add(certificate)
                .map_err(|_| HttpFetcherError::RootCertificates)?;
        }
        if store.is_empty() {
            return Err(HttpFetcherError::NoRootCertificates);
        }
        builder.with_root_certificates(store)
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(platform_verifier(roots.named, provider)?)
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session skips the certificate. Fetches are minutes apart: each may cost a handshake,
    // and a certificate that expired or was replaced is noticed by the next one.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The platform's way to verify, with certificate authorities added.
fn platform_verifier(
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, HttpFetcherError> {
    #[cfg(not(target_os = "android"))]
    let verifier = Verifier::new_with_extra_roots(named, provider);
    // Android has no way to add them.
    #[cfg(target_os = "android")]
    let verifier = if named.is_empty() {
        Verifier::new(provider)
    } else {
        return Err(HttpFetcherError::RootCertificates);
    };
    match verifier {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => Err(HttpFetcherError::PlatformRoots(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_certificate_is_refused_and_not_repeated() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        let broken = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
        let open = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n";
        for text in ["", "c2VjcmV0", key, broken, open] {
            let error = Roots::default().add_pem(text.as_bytes()).expect_err(text);
            assert!(
                matches!(error, HttpFetcherError::RootCertificates),
                "{text}"
            );
            assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
        }
    }

    #[test]
    fn trusting_named_authorities_alone_demands_one() {
        let roots = Roots {
            only_named: true,
            ..Roots::default()
        };
        assert!(matches!(
            config(roots),
            Err(HttpFetcherError::NoRootCertificates)
        ));
    }
}
