#![doc = include_str!("../README.md")]

mod certificate;
mod forwarded_client_cert;
mod identity_header;
mod peer;
mod proxies;
mod spiffe_id;
mod subject;
#[cfg(feature = "tls")]
mod tls;

pub use certificate::{
    CertificateIdentity, CertificateNames, CommonName, DnsName, IdentityError, IdentityKind,
    IdentityRule,
};
pub use forwarded_client_cert::{ForwardedClientCert, ForwardedElement};
pub use identity_header::{IdentityHeader, PendingHeader};
pub use peer::Peer;
pub use proxies::{Client, ForwardingHeader, ProxiesError, TrustedProxies, TrustedProxiesBuilder};
pub use spiffe_id::{SpiffeId, TrustDomain};
pub use subject::{SubjectAttribute, SubjectName, SubjectValue};
#[cfg(feature = "tls")]
pub use tls::{
    ClientTls, ClientTlsBuilder, ClientTrust, HandshakeAcceptor, HandshakeAcceptorBuilder,
    HandshakeCounts, HandshakeError, PeerTls, Pem, ServerTls, ServerTlsBuilder, TlsConnection,
    TlsError, TlsFault, TlsListener, TlsListenerBuilder, TlsProblem, TlsStatus, TlsWatch,
};
