//! How the tests reach a server, and wait for it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use ringwall_core::secret::SecretString;
use ringwall_redis::{RedisClient, RedisConfig};
use tokio::net::{TcpListener, TcpStream};

/// The Redis that `cargo xtask test` started.
pub(crate) fn shared_url() -> String {
    std::env::var("RINGWALL_TEST_REDIS_URL")
        .expect("RINGWALL_TEST_REDIS_URL names no Redis: run `cargo xtask test -p ringwall-redis`")
}

/// With more patience than a service has: the processors of a test are busy.
pub(crate) fn config(url: &str) -> RedisConfig {
    let url = SecretString::new(url.to_owned());
    let config = RedisConfig::from_url(&url).expect("valid");
    config.timeout(Duration::from_secs(2))
}

/// Looks until it is so, for half a minute.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come to be");
}

pub(crate) async fn ready(client: &RedisClient) {
    eventually("a connection", || async { client.is_ready() }).await;
}

/// A name that can point to another server: a load balancer, or DNS.
pub(crate) async fn balancer(target: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let port = target.load(Ordering::SeqCst);
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::io::copy_bidirectional(&mut near, &mut far)
                        .await
                        .ok();
                }
            });
        }
    });
    port
}
