//! Which peers are believed when they say for whom they speak.
//!
//! A header field says what its sender wants it to say. Behind a proxy, `X-Forwarded-For` names the
//! client, and in front of none it names whomever the client likes; both look the same. So the one
//! question that decides is who holds the other end of the socket, and only the kernel answers it.
//!
//! Proxies append. What the last proxy appended stands at the right end, and what the client sent
//! stands at the left: whoever reads from the left, or searches the list for the first address that
//! looks right, reads what the client wrote. The fields are read from the right, and nothing is read
//! beyond the entry that names the client.

use core::fmt;
use core::net::IpAddr;
use std::sync::Arc;

use ringwall_core::request::RequestView;

mod address;
mod authority;
mod client;
mod element;
mod forwarded;
mod hops;
mod names;
mod networks;
mod node;
mod scheme;
mod x_forwarded;

pub use client::Client;
pub use networks::ProxiesError;

use networks::Networks;

/// Which peers are believed when they say for whom they speak. By default, nobody.
///
/// A proxy is trusted by its address alone, and how many proxies stand in a row is not counted. A count
/// is right for one way through the network only: on a shorter one (a health check, a neighbour
/// that calls directly, a load balancer that was bypassed) the same number reaches into what the client
/// wrote, and nothing shows it.
///
/// What it says of a request is [`TrustedProxies::client`]; it never fails. Cloning shares it.
///
/// # Limits
///
/// - Whoever can connect from a trusted address can say anything. Name the proxies, not the network
///   that the clients' machines are in too.
/// - A trusted proxy must append to or replace the field it is believed in, and must replace
///   `X-Forwarded-Proto` and `X-Forwarded-Host`, or remove them. One that hands them on as they came
///   makes the client's word its own.
/// - A peer without an address, such as that of a Unix domain socket, is never trusted.
///
/// # Examples
///
/// ```
/// use ringwall_transport::TrustedProxies;
///
/// let proxies = TrustedProxies::builder()
///     .network("10.0.1.0/28") // the load balancer's own subnet
///     .network("fd00:1::7")
///     .build()?;
/// assert!(proxies.trusts("10.0.1.3".parse()?));
/// assert!(!proxies.trusts("10.0.2.3".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TrustedProxies(Option<Arc<Trust>>);

/// Who is believed, and in what.
#[derive(Debug)]
struct Trust {
    networks: Networks,
    header: ForwardingHeader,
    /// Whether they say the host as well.
    says_host: bool,
}

/// The family of header fields in which trusted proxies are believed.
///
/// It is one family, because a proxy writes one and hands the other on as the client sent it.
/// Whoever takes either, or the one in place of the other, believes the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`: what most proxies write.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl TrustedProxies {
    /// Nobody is believed: the client is whoever holds the other end of the socket.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Begins with nobody, and with [`ForwardingHeader::XForwarded`].
    pub fn builder() -> TrustedProxiesBuilder {
        TrustedProxiesBuilder {
            networks: Vec::new(),
            header: ForwardingHeader::default(),
            says_host: true,
        }
    }

    /// Whether nobody is believed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a peer of this address is believed. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`, as
    /// sockets of both families report it) is the IPv4 address.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0
            .as_ref()
            .is_some_and(|trust| trust.networks.contains(address))
    }

    /// The family in which they are believed. `None` when nobody is.
    #[must_use]
    pub fn header(&self) -> Option<ForwardingHeader> {
        self.0.as_ref().map(|trust| trust.header)
    }

    /// Who is calling, and how, as far as it can be known. What cannot be known is `None`; nothing is
    /// guessed, and nothing falls back to something else.
    ///
    /// **A peer that is not trusted**, or of which no address is known: the client is the other end of
    /// the socket, and scheme and authority are the view's own. No header field is looked at.
    ///
    /// **A trusted peer**, believed in the fields of `X-Forwarded-`:
    ///
    /// - Address: `X-Forwarded-For` is read from the right, the last field line first. Entries
    ///   that are trusted proxies themselves are skipped, and the next one is the client. When it is no
    ///   address (`unknown`, empty, garbage), the address is unknown: what stands further left is not
    ///   looked at. At most [`TrustedProxies::MAX_HOPS`] entries are read; beyond them, the address is
    ///   unknown.
    /// - All entries are trusted: the leftmost is the client, which is a machine inside that is a proxy
    ///   as well.
    /// - The field is absent: when `X-Forwarded-Proto`, `-Host` or `-Port` is there, the proxy forwards
    ///   for somebody without saying for whom, and the address is unknown. When they are absent too, the
    ///   proxy speaks for itself, as with health checks, and is the client.
    /// - Scheme: `X-Forwarded-Proto`, one line with one value, `http` or `https`. Authority:
    ///   `X-Forwarded-Host`, one line with one `host` or `host:port`. An absent one is the
    ///   view's own; one that is malformed, or there twice, is unknown.
    ///
    /// **A trusted peer**, believed in `Forwarded`: elements are read from the right, and skipped while
    /// their `for` is a trusted proxy. The element that names the client gives the scheme (`proto`) and
    /// the authority (`host`) as well: it was added by the outermost trusted proxy, the one that the client
    /// spoke to. A parameter that it lacks is the view's own, except that without `for` the address is
    /// unknown. An element that RFC 7239 does not permit makes all three unknown.
    ///
    /// An address in an entry may have a port, which is dropped. A link-local IPv6 address may have a zone
    /// (`fe80::1%eth0`), which is dropped too: the address is then the same on every interface. Write
    /// IPv6 addresses with a port in brackets; without them the port reads as part of the address.
    #[must_use]
    pub fn client<'a>(&self, view: &RequestView<'a>) -> Client<'a> {
        let peer = view.socket_peer.map(|peer| peer.ip().to_canonical());
        let believed = self
            .0
            .as_deref()
            .zip(peer)
            .filter(|(trust, peer)| trust.networks.contains(*peer));
        match believed {
            None => Client {
                address: peer,
                scheme: view.scheme,
                authority: view.authority,
                via_proxy: false,
            },
            Some((trust, proxy)) => {
                let client = match trust.header {
                    ForwardingHeader::XForwarded => {
                        x_forwarded::client(&trust.networks, proxy, view)
                    }
                    ForwardingHeader::Forwarded => forwarded::client(&trust.networks, proxy, view),
                };
                match trust.says_host {
                    true => client,
                    false => Client {
                        authority: view.authority,
                        ..client
                    },
                }
            }
        }
    }

    /// The fields by which proxies say for whom they speak, in lower case: what a request must be
    /// stripped of when its peer is not trusted, so that nothing behind believes it. Among them are fields
    /// that are believed of nobody here (`x-real-ip`), since a handler may read them.
    #[must_use]
    pub const fn header_names(&self) -> &'static [&'static str] {
        names::ALL
    }

    /// Those of [`TrustedProxies::header_names`] in which nobody is believed: what a request
    /// should be stripped of even when its peer is trusted, because the proxy may have handed on what the
    /// client sent.
    #[must_use]
    pub fn unbelieved_header_names(&self) -> &'static [&'static str] {
        match self.0.as_deref() {
            None => names::ALL,
            Some(trust) => match trust.header {
                ForwardingHeader::XForwarded if trust.says_host => names::BUT_X_FORWARDED,
                ForwardingHeader::XForwarded => names::BUT_X_FORWARDED_WITHOUT_HOST,
                ForwardingHeader::Forwarded => names::BUT_FORWARDED,
            },
        }
    }

    /// The most entries that are read of one request: more than proxies stand in a row anywhere, and few
    /// enough that a request costs next to nothing.
    pub const MAX_HOPS: usize = hops::MAX_HOPS;

    /// The most networks: the published list of a large content delivery network has some hundreds.
    pub const MAX_NETWORKS: usize = networks::MAX_NETWORKS;
}

impl fmt::Debug for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("TrustedProxies(none)"),
            Some(trust) => f
                .debug_struct("TrustedProxies")
                .field("networks", &trust.networks)
                .field("header", &trust.header)
                .field("says_host", &trust.says_host)
                .finish(),
        }
    }
}

/// Makes [`TrustedProxies`].
#[derive(Clone, Debug)]
#[must_use]
pub struct TrustedProxiesBuilder {
    networks: Vec<String>,
    header: ForwardingHeader,
    says_host: bool,
}

impl TrustedProxiesBuilder {
    /// Believes the peers of a network, written as `10.0.1.0/28` or `fd00:1::/64`, or one address,
    /// written without a length. May be called more than once. Takes text, and whatever is written
    /// that way (`IpAddr`, `ipnet::IpNet`).
    ///
    /// IPv4-mapped networks are the IPv4 networks. A network of IPv6 holds no IPv4 address, so name
    /// both where proxies connect by both.
    pub fn network(mut self, network: impl fmt::Display) -> Self {
        self.networks.push(network.to_string());
        self
    }

    /// The family of header fields that these proxies write.
    pub const fn header(mut self, header: ForwardingHeader) -> Self {
        self.header = header;
        self
    }

    /// These proxies do not say for which host a request was: `X-Forwarded-Host`, or `host` in `Forwarded`,
    /// is the client's word, and the authority is the view's own. Load balancers that write neither
    /// hand on what the client sent; AWS's Application Load Balancer is one.
    pub const fn without_host(mut self) -> Self {
        self.says_host = false;
        self
    }

    /// Makes it. Without a network, it is [`TrustedProxies::none`].
    ///
    /// # Errors
    ///
    /// [`ProxiesError`] when a text is no network, has bits beyond its length (`10.0.0.1/8`: one address,
    /// or sixteen million?), holds everybody (`0.0.0.0/0`: that is what clients come from), or when
    /// there are more than [`TrustedProxies::MAX_NETWORKS`].
    pub fn build(self) -> Result<TrustedProxies, ProxiesError> {
        if self.networks.is_empty() {
            return Ok(TrustedProxies::none());
        }
        let networks = Networks::read(&self.networks)?;
        Ok(TrustedProxies(Some(Arc::new(Trust {
            networks,
            header: self.header,
            says_host: self.says_host,
        }))))
    }
}
