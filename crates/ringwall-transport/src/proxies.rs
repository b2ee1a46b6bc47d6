//! Which peers are believed when they say for whom they speak.

use core::net::IpAddr;

use ringwall_core::request::RequestView;

/// Which peers are believed when they say for whom they speak. Nobody, for now.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(());

impl TrustedProxies {
    /// Nobody.
    #[must_use]
    pub const fn none() -> Self {
        Self(())
    }

    /// Whether nobody is believed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        true
    }

    /// Whether `address` is believed.
    #[must_use]
    pub const fn trusts(&self, _address: IpAddr) -> bool {
        false
    }

    /// The forwarding fields.
    #[must_use]
    pub const fn header_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Who is calling.
    #[must_use]
    pub fn client<'a>(&self, view: &RequestView<'a>) -> Client<'a> {
        Client {
            address: view.socket_peer.map(|peer| peer.ip().to_canonical()),
            scheme: view.scheme,
            authority: view.authority,
            via_proxy: false,
        }
    }
}

/// The client behind a request.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    address: Option<IpAddr>,
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    via_proxy: bool,
}

impl<'a> Client<'a> {
    /// The address.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'a str> {
        self.scheme
    }

    /// The host.
    #[must_use]
    pub const fn authority(&self) -> Option<&'a str> {
        self.authority
    }

    /// Whether a trusted proxy handed the request on.
    #[must_use]
    pub const fn via_proxy(&self) -> bool {
        self.via_proxy
    }
}
