//! Who is calling, and how.

use core::net::IpAddr;

/// Who is calling, and how, as [`TrustedProxies::client`](crate::TrustedProxies::client) found out.
///
/// `None` is what cannot be known. It denies wherever it is needed: no rule that asks for an address
/// may take an unknown one for a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    pub(super) address: Option<IpAddr>,
    pub(super) scheme: Option<&'a str>,
    pub(super) authority: Option<&'a str>,
    pub(super) via_proxy: bool,
}

impl<'a> Client<'a> {
    /// The client's address, never IPv4-mapped and without a zone.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The scheme that the client used. What a proxy said is `http` or `https`, in lower case; what the
    /// view said is as it was.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'a str> {
        self.scheme
    }

    /// The host that the client asked for, with a port if it named one. What a proxy said has the
    /// form of a host; what the view said is as it was. It is the client's word either way, and proves
    /// nothing.
    #[must_use]
    pub const fn authority(&self) -> Option<&'a str> {
        self.authority
    }

    /// Whether the other end of the socket is a trusted proxy, so that its fields counted.
    #[must_use]
    pub const fn via_proxy(&self) -> bool {
        self.via_proxy
    }
}
