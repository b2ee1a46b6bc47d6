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
