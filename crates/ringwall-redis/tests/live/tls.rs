//! TLS: the server is who the roots say, under the host's name.

use std::sync::Arc;

use ringwall_redis::{Error, RedisClient, RedisConfig, RedisReplay};
use ringwall_replay::{Claim, ReplayStore as _};
use ringwall_transport::{ClientTls, Pem};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::setting::{request, shared_url};

/// Takes TLS away in front of the Redis of the tests; answers with its port and the root.
async fn terminator(name: &str) -> (u16, String) {
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
    let url = shared_url();
    let address = url
        .rsplit('@')
        .next()
        .expect("a host")
        .trim_end_matches("/0")
        .to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                if let Ok(mut near) = acceptor.accept(near).await {
                    let mut far = TcpStream::connect(address).await.expect("up");
                    tokio::io::copy_bidirectional(&mut near, &mut far)
                        .await
                        .ok();
                }
            });
        }
    });
    (port, issuer.pem())
}

fn config(port: u16, root: &str) -> RedisConfig {
    let url = shared_url();
    let password = url.split([':', '@']).nth(2).expect("a password");
    let tls = ClientTls::builder([Pem::text(root.to_owned())])
        .load()
        .expect("a root");
    let url = format!("rediss://:{password}@localhost:{port}");
    crate::setting::config(&url).survives_restarts().tls(tls)
}

#[tokio::test]
async fn claims_through_tls() {
    let (port, root) = terminator("localhost").await;
    let client = RedisClient::connect(config(port, &root))
        .await
        .expect("it runs");
    let request = request("tls");
    assert_eq!(
        RedisReplay::new(&client).claim(request).await,
        Ok(Claim::First)
    );
    assert_eq!(
        RedisReplay::new(&client).claim(request).await,
        Ok(Claim::Repeated)
    );
}

#[cfg(feature = "rate-limit")]
#[tokio::test]
async fn limits_through_tls() {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use ringwall_rate_limit::{KeyHasher, LimitStore as _, Policies, Quota};

    let (port, root) = terminator("localhost").await;
    let client = RedisClient::connect(config(port, &root))
        .await
        .expect("it runs");
    let process = u128::from(std::process::id());
    let policies = Policies::builder()
        .hasher(KeyHasher::shared(process.to_le_bytes()))
        .add("tls", Quota::per_hour(2).expect("a quota"))
        .expect("a limit")
        .build();
    let limiter = ringwall_redis::RedisLimiter::new(&client, policies).expect("valid");
    let policies = limiter.policies();
    let policy = policies.find("tls").expect("a limit");
    let bucket = policies.dimension(policy, [&b"a"[..]]).expect("a key");
    for is_allowed in [true, true, false] {
        let now = Duration::from_secs(1);
        let decision = limiter.check(now, &[bucket], NonZeroU32::MIN).await;
        assert_eq!(decision.expect("it answers").is_allowed(), is_allowed);
    }
}

#[tokio::test]
async fn a_server_of_another_root_or_name_is_not_spoken_to() {
    let (_, other_root) = terminator("localhost").await;
    let (port, root) = terminator("localhost").await;
    let refused = RedisClient::connect(config(port, &other_root))
        .await
        .expect_err("unknown root");
    assert!(matches!(refused, Error::Unreachable(_)), "{refused:?}");
    drop(root);
    let (port, root) = terminator("redis.example.com").await;
    let refused = RedisClient::connect(config(port, &root))
        .await
        .expect_err("another name");
    assert!(matches!(refused, Error::Unreachable(_)), "{refused:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_where_tls_is_demanded() {
    let (_, root) = terminator("localhost").await;
    let url = shared_url();
    let port = url
        .rsplit(':')
        .next()
        .expect("a port")
        .trim_end_matches("/0");
    let refused = RedisClient::connect(config(port.parse().expect("a number"), &root)).await;
    assert!(matches!(refused, Err(Error::Unreachable(_))), "{refused:?}");
}
