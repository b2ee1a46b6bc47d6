//! An authority of the tour's own, its certificates, and a client that speaks TLS.

use core::time::Duration;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use ringwall_transport::{ClientTls, Pem};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tour::answer::Answer;
use crate::tour::client::{Ask, exchange};

/// The name in the certificate of the service.
const NAME: &str = "agent-backend.tour.example";

const TIME: Duration = Duration::from_secs(5);

/// An authority, and the files that it fills.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Result<Self, Box<dyn Error>> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(Self { issuer, folder })
    }

    /// The authority's own certificate.
    pub(crate) fn root(&self) -> String {
        self.issuer.pem()
    }

    /// Writes a file beside the others and answers its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> Result<PathBuf, Box<dyn Error>> {
        let path = self.folder.join(name);
        let next = self.folder.join(format!("{name}.next"));
        fs::write(&next, text)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&next, fs::Permissions::from_mode(0o600))?;
        }
        fs::rename(next, &path)?;
        Ok(path)
    }

    /// A certificate of the service.
    pub(crate) fn server(&self) -> Result<Pair, Box<dyn Error>> {
        let mut params = CertificateParams::new(vec![NAME.to_owned()])?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A certificate of a workload.
    pub(crate) fn client(&self, id: &str) -> Result<Pair, Box<dyn Error>> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Pair, Box<dyn Error>> {
        let key = KeyPair::generate()?;
        let chain = params.signed_by(&key, &self.issuer)?.pem();
        let key = key.serialize_pem();
        Ok(Pair { chain, key })
    }
}

/// Asks one service over TLS, each time over a new connection.
pub(crate) struct EncryptedClient {
    address: SocketAddr,
    tls: ClientTls,
}

impl EncryptedClient {
    /// A client that accepts services of this root, and shows this certificate if it has one.
    pub(crate) fn new(
        address: SocketAddr,
        root: &str,
        certificate: Option<&Pair>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut tls = ClientTls::builder([Pem::text(root)]);
        if let Some(Pair { chain, key }) = certificate {
            tls = tls.certificate(Pem::text(chain.as_bytes()), Pem::text(key.as_bytes()));
        }
        let tls = tls.load()?;
        Ok(Self { address, tls })
    }

    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        match tokio::time::timeout(TIME, self.try_ask(ask)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::failed(error.to_string()),
            Err(_) => Answer::failed("no answer in time"),
        }
    }

    async fn try_ask(&self, ask: &Ask) -> Result<Answer, Box<dyn Error>> {
        let stream = TcpStream::connect(self.address).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls.config()));
        let stream = connector
            .connect(ServerName::try_from(NAME)?, stream)
            .await?;
        exchange(stream, NAME, ask).await
    }
}
