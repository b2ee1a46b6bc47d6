//! `Forwarded` (RFC 7239).

use core::net::IpAddr;

use ringwall_core::request::RequestView;

use super::client::Client;
use super::element::Element;
use super::hops::{self, End, Hop as _};
use super::networks::Networks;

/// What a trusted proxy says by this field.
pub(super) fn client<'a>(networks: &Networks, proxy: IpAddr, view: &RequestView<'a>) -> Client<'a> {
    let (address, scheme, authority) =
        match hops::walk::<Element<'a>>(networks, view.headers, "forwarded") {
            End::Client(element) => (
                element.address(),
                element.scheme(view.scheme),
                element.authority(view.authority),
            ),
            End::Absent => (Some(proxy), view.scheme, view.authority),
            End::Unknown => (None, None, None),
        };
    Client {
        address,
        scheme,
        authority,
        via_proxy: true,
    }
}
