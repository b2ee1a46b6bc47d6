//! TLS to Redis: the server is who the roots say, under the host's name.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::runner::World;
use crate::servers::Redis;

/// Takes TLS away in front of a server; answers with its port and the root.
async fn terminator(name: &str, server: String) -> (u16, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("random");
    let issuer = rcgen::CertifiedIssuer::self_signed(authority, key).expect("signed");
    let key = rcgen::KeyPair::generate().expect("random");
    let leaf = rcgen::CertificateParams::new(vec![name.to_owned()])
        .expect("a name")
        .signed_by(&key, &issuer)
        .expect("signed");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                if let Ok(mut near) = acceptor.accept(near).await {
                    let mut far = TcpStream::connect(server).await.expect("up");
                    tokio::io::copy_bidirectional(&mut near, &mut far)
                        .await
                        .ok();
                }
            });
        }
    });
    (port, issuer.pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speaks_tls_to_the_server_that_the_roots_vouch_for_and_to_no_other() {
    let redis = Redis::new();
    let address = url::Url::parse(&redis.url).expect("a URL");
    let server = format!(
        "{}:{}",
        address.host_str().expect("a host"),
        address.port().expect("a port")
    );
    let (port, root) = terminator("localhost", server.clone()).await;
    let (other_port, other_root) = terminator("other.example", server).await;
    let world = World::empty()
        .secret(&redis.password)
        .variable("RINGWALL_STORE_PASSWORD", &redis.password);
    let root = world.write("root.pem", &root);
    let other_root = world.write("other.pem", &other_root);
    let revoke = |port: u16, more: &[&str]| {
        let url = format!("rediss://localhost:{port}");
        let mut words = vec![
            "revoke",
            "token",
            "--issuer",
            "i",
            "--token-id",
            "t",
            "--store",
            &url,
            "--redis-prefix",
            &redis.prefix,
            "--timeout-seconds",
            "5",
        ];
        words.extend(more);
        world.bare(&words, "")
    };
    // Without roots; with those of somebody else; under another name.
    revoke(port, &[]).refused(1);
    revoke(port, &["--permit-clear-text"]).refused(1);
    revoke(port, &["--root-certificates", &other_root]).refused(1);
    revoke(other_port, &["--root-certificates", &other_root]).refused(1);
    revoke(port, &["--root-certificates", "missing.pem"]).refused(1);
    assert_eq!(redis.revocations().await, []);
    revoke(port, &["--root-certificates", &root]).done();
    assert_eq!(redis.revocations().await.len(), 1);
}
