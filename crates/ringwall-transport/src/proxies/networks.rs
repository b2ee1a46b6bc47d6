//! Sets of addresses.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// The most networks that are named.
pub(super) const MAX_NETWORKS: usize = 4096;

/// Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Why proxies are not trusted as configured. A position counts the calls of
/// [`network`](crate::TrustedProxiesBuilder::network) from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxiesError {
    /// A text is neither a network nor an address.
    #[error("the network at position {position} is neither a network nor an address")]
    NotANetwork {
        /// Which one.
        position: usize,
    },
    /// A network has bits beyond its length, so that it may be meant as another one: `10.0.0.1/8` can
    /// be `10.0.0.0/8` or `10.0.0.1/32`.
    #[error("the network at position {position} has bits beyond its length")]
    BitsBeyondLength {
        /// Which one.
        position: usize,
    },
    /// A network holds every address of its family, and so every client.
    #[error("the network at position {position} holds everybody")]
    Everybody {
        /// Which one.
        position: usize,
    },
    /// There are more networks than [`TrustedProxies::MAX_NETWORKS`](crate::TrustedProxies::MAX_NETWORKS).
    #[error("there are more than {MAX_NETWORKS} networks")]
    TooMany,
}

/// Addresses, as ranges that are in order and do not touch: looking one up takes the logarithm of their
/// number.
pub(super) struct Networks {
    v4: Box<[Range<u32>]>,
    v6: Box<[Range<u128>]>,
}

/// From the first to the last, both included.
type Range<T> = (T, T);

impl Networks {
    pub(super) fn read(texts: &[String]) -> Result<Self, ProxiesError> {
        if texts.len() > MAX_NETWORKS {
            return Err(ProxiesError::TooMany);
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (position, text) in texts.iter().enumerate() {
            match network(position, text)? {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Ok(Self {
            v4: merged(v4),
            v6: merged(v6),
        })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => is_within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => is_within(&self.v6, address.to_bits()),
        }
    }
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v4 = self.v4.iter().map(|(first, last)| {
            let (first, last) = (Ipv4Addr::from_bits(*first), Ipv4Addr::from_bits(*last));
            format!("{first}-{last}")
        });
        let v6 = self.v6.iter().map(|(first, last)| {
            let (first, last) = (Ipv6Addr::from_bits(*first), Ipv6Addr::from_bits(*last));
            format!("{first}-{last}")
        });
        f.debug_list().entries(v4.chain(v6)).finish()
    }
}

fn network(position: usize, text: &str) -> Result<IpNet, ProxiesError> {
    let net = parsed(text).ok_or(ProxiesError::NotANetwork { position })?;
    if net.trunc() != net {
        return Err(ProxiesError::BitsBeyondLength { position });
    }
    let net = unmapped(net);
    if net.prefix_len() == 0 {
        return Err(ProxiesError::Everybody { position });
    }
    Ok(net)
}

/// Stricter than the parser of [`IpNet`], which takes `010.0.0.0/8` for `10.0.0.0/8`, where others take
/// it for `8.0.0.0/8`.
fn parsed(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse().ok().map(|address: IpAddr| address.into());
    };
    let is_one_spelling = length == "0" || !length.starts_with(['0', '+']);
    let length = length.parse().ok().filter(|_| is_one_spelling)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

/// A network of IPv4-mapped addresses, as the IPv4 network that it means.
fn unmapped(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net) {
        (IpAddr::V4(address), IpNet::V6(net)) => net
            .prefix_len()
            .checked_sub(MAPPED_BITS)
            .and_then(|length| Ipv4Net::new(address, length).ok())
            .map_or(IpNet::V6(net), IpNet::V4),
        (IpAddr::V4(_), IpNet::V4(_)) | (IpAddr::V6(_), IpNet::V4(_) | IpNet::V6(_)) => net,
    }
}

/// In order, and overlapping ones as one.
fn merged<T: Copy + Ord>(mut ranges: Vec<Range<T>>) -> Box<[Range<T>]> {
    ranges.sort_unstable();
    let mut merged: Vec<Range<T>> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged.into()
}

fn is_within<T: Copy + Ord>(ranges: &[Range<T>], wanted: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= wanted);
    after
        .checked_sub(1)
        .and_then(|index| ranges.get(index))
        .is_some_and(|(_, last)| wanted <= *last)
}
