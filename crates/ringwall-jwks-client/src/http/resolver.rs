//! Names become addresses that may be asked.

use core::fmt;
use core::net::SocketAddr;
use std::io;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use ringwall_core::step::BoxFuture;

use super::addresses::Reach;

/// How many addresses of a host are tried at most: a name's owner can answer with thousands, and
/// each would be a connection.
pub(super) const MAX_ADDRESSES: usize = 16;

/// How a name is looked up: the system's way, or a test's.
pub(super) type Lookup =
    Arc<dyn Fn(Box<str>) -> BoxFuture<io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Looks names up and hands on only addresses within reach.
///
/// The HTTP client connects to exactly these addresses and does not ask again, so that a name which
/// resolves to something else a moment later (DNS rebinding) gains nothing.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    lookup: Lookup,
    reach: Reach,
}

/// No address of the host is within reach.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("none of the host's addresses may be asked")]
pub(super) struct OutOfReach;

impl GuardedResolver {
    pub(super) const fn new(lookup: Lookup, reach: Reach) -> Self {
        Self { lookup, reach }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.lookup)(name.as_str().into());
        let reach = self.reach.clone();
        Box::pin(async move {
            let mut addresses = found.await?;
            let were_found = !addresses.is_empty();
            addresses.retain(|address| reach.permits(address.ip()));
            addresses.truncate(MAX_ADDRESSES);
            if were_found && addresses.is_empty() {
                return Err(OutOfReach.into());
            }
            // Port 0 stands for the port of the URL.
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuardedResolver({:?})", self.reach)
    }
}

/// The system's resolver (`getaddrinfo`), on tokio's threads for blocking work.
pub(super) fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((&*name, 0)).await?;
            Ok(found.collect())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;

    use rcgen::{CertificateParams, KeyPair};
    use ringwall_core::profile::Profile;
    use tokio::net::TcpListener;

    use crate::endpoint::Endpoint;
    use crate::fetch::{FetchErrorKind, FetchRequest, JwksFetcher};
    use crate::http::HttpFetcher;

    /// A network that stands for the outside.
    const OUTSIDE: &str = "127.0.0.2/32";

    /// Answers one lookup after the other, and counts them.
    fn scripted(answers: &'static [&'static [&'static str]]) -> (Lookup, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = count.clone();
        let lookup: Lookup = Arc::new(move |_| {
            let number = seen.fetch_add(1, Ordering::SeqCst);
            let answer = answers.get(number).copied().unwrap_or_default();
            let found = answer
                .iter()
                .map(|text| SocketAddr::new(text.parse().expect(text), 0))
                .collect();
            Box::pin(async move { Ok(found) })
        });
        (lookup, count)
    }

    fn fetcher(lookup: &Lookup) -> HttpFetcher {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(Vec::new()).expect("no names");
        let root = params.self_signed(&key).expect("a certificate");
        HttpFetcher::builder()
            .root_certificates_pem(root.pem())
            .only_root_certificates()
            .allow_network(OUTSIDE)
            .build_with(lookup)
            .expect("a fetcher")
    }

    async fn kind(fetcher: &HttpFetcher, url: &str, profile: Profile) -> FetchErrorKind {
        let endpoint = Endpoint::new(url, profile).expect(url);
        let fetch = fetcher.fetch(FetchRequest::new(endpoint, 1024));
        let fetched = tokio::time::timeout(Duration::from_secs(5), fetch).await;
        let error = fetched.expect("a fetch that ends").expect_err("refused");
        error.kind()
    }

    /// Counts connections, and ends each of them.
    struct Counter {
        address: SocketAddr,
        count: Arc<AtomicUsize>,
    }

    impl Counter {
        async fn on(address: [u8; 4], port: u16) -> Self {
            Self::try_on(address, port).await.expect("a free port")
        }

        /// One outside and one inside, at one port: which other tests may have at either address.
        async fn pair() -> (Self, Self) {
            for _ in 0..100 {
                let outside = Self::on([127, 0, 0, 2], 0).await;
                let port = outside.address.port();
                if let Ok(inside) = Self::try_on([127, 0, 0, 1], port).await {
                    return (outside, inside);
                }
            }
            panic!("no port is free at both addresses");
        }

        async fn try_on(address: [u8; 4], port: u16) -> io::Result<Self> {
            let ip = IpAddr::V4(Ipv4Addr::from(address));
            let listener = TcpListener::bind((ip, port)).await?;
            let address = listener.local_addr()?;
            let count = Arc::new(AtomicUsize::new(0));
            let seen = count.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    seen.fetch_add(1, Ordering::SeqCst);
                    drop(stream);
                }
            });
            Ok(Self { address, count })
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::SeqCst)
        }
    }

    // Systems other than Linux have one loopback address unless they are told otherwise.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn of_a_names_addresses_only_those_within_reach_are_connected_to() {
        let (outside, inside) = Counter::pair().await;
        let port = outside.address.port();
        let (lookup, _) = scripted(&[&["127.0.0.1", "::1", "127.0.0.2", "10.0.0.1"]]);
        let url = format!("https://keys.example:{port}/");
        let kind = kind(&fetcher(&lookup), &url, Profile::Production).await;
        // Connected, and no TLS at the other end.
        assert_eq!(kind, FetchErrorKind::Tls);
        assert_eq!((inside.count(), outside.count()), (0, 1));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_name_cannot_be_bound_anew_between_the_check_and_the_connection() {
        let (outside, inside) = Counter::pair().await;
        let port = outside.address.port();
        let (lookup, lookups) = scripted(&[&["127.0.0.2"], &["127.0.0.1"]]);
        let fetcher = fetcher(&lookup);
        let url = format!("https://keys.example:{port}/");
        let first = kind(&fetcher, &url, Profile::Production).await;
        assert_eq!(first, FetchErrorKind::Tls);
        assert_eq!(lookups.load(Ordering::SeqCst), 1);
        let second = kind(&fetcher, &url, Profile::Production).await;
        assert_eq!(second, FetchErrorKind::AddressRefused);
        assert_eq!(lookups.load(Ordering::SeqCst), 2);
        assert_eq!((inside.count(), outside.count()), (0, 1));
    }

    #[tokio::test]
    async fn a_name_with_private_addresses_alone_is_refused_in_every_profile() {
        let inside = Counter::on([127, 0, 0, 1], 0).await;
        let url = format!("https://keys.example:{}/", inside.address.port());
        for profile in [Profile::Production, Profile::Development] {
            let (lookup, _) = scripted(&[&["127.0.0.1", "::ffff:127.0.0.1", "::1"]]);
            let kind = kind(&fetcher(&lookup), &url, profile).await;
            assert_eq!(kind, FetchErrorKind::AddressRefused, "{profile:?}");
        }
        assert_eq!(inside.count(), 0);
    }

    #[tokio::test]
    async fn what_may_be_asked_in_plain_text_does_not_leave_the_machine() {
        // Documentation addresses, so that a test that fails asks nobody.
        let (lookup, _) = scripted(&[&["192.0.2.1", "2001:db8::1"]]);
        let kind = kind(
            &fetcher(&lookup),
            "http://localhost:1/",
            Profile::Development,
        )
        .await;
        assert_eq!(kind, FetchErrorKind::AddressRefused);
    }

    #[tokio::test]
    async fn a_name_without_addresses_cannot_be_reached() {
        let (lookup, _) = scripted(&[&[]]);
        let kind = kind(
            &fetcher(&lookup),
            "https://keys.example/",
            Profile::Production,
        )
        .await;
        assert_eq!(kind, FetchErrorKind::Connect);
    }

    #[tokio::test]
    async fn a_lookup_that_fails_is_told_from_a_handshake_that_does() {
        for (fault, expected) in [
            (io::ErrorKind::Other, FetchErrorKind::Connect),
            (io::ErrorKind::ConnectionReset, FetchErrorKind::Connect),
            (io::ErrorKind::TimedOut, FetchErrorKind::TimedOut),
        ] {
            let failing: Lookup = Arc::new(move |_| Box::pin(async move { Err(fault.into()) }));
            let fetcher = fetcher(&failing);
            let kind = kind(&fetcher, "https://keys.example/", Profile::Production).await;
            assert_eq!(kind, expected, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn of_many_addresses_a_few_are_tried() {
        let many: Lookup = Arc::new(|_| {
            let found = (1..=255).map(|last| SocketAddr::from(([8, 8, 8, last], 0)));
            let found = found.collect();
            Box::pin(async move { Ok(found) })
        });
        let resolver = GuardedResolver::new(many, Reach::Global(Arc::default()));
        let found = resolver.resolve("keys.example".parse().expect("a name"));
        assert_eq!(found.await.expect("addresses").count(), MAX_ADDRESSES);
    }
}
