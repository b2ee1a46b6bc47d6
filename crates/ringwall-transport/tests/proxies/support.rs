//! Requests as their peers send them.

use core::net::{IpAddr, SocketAddr};

use ringwall_core::request::{HeaderLookup, RequestView};
use ringwall_transport::{Client, ForwardingHeader, TrustedProxies};

/// The proxy that holds the other end of the socket.
pub(crate) const PROXY: &str = "10.0.0.1";

/// Addresses of proxies, and one family of fields.
pub(crate) fn proxies(header: ForwardingHeader) -> TrustedProxies {
    TrustedProxies::builder()
        .network("10.0.0.0/24")
        .network("fd00::/64")
        .header(header)
        .build()
        .expect("networks")
}

/// Proxies that do not say the host.
pub(crate) fn without_host(header: ForwardingHeader) -> TrustedProxies {
    TrustedProxies::builder()
        .network("10.0.0.0/24")
        .header(header)
        .without_host()
        .build()
        .expect("a network")
}

pub(crate) fn x_forwarded() -> TrustedProxies {
    proxies(ForwardingHeader::XForwarded)
}

pub(crate) fn forwarded() -> TrustedProxies {
    proxies(ForwardingHeader::Forwarded)
}

/// A request over plain HTTP for `own.example`.
pub(crate) fn view<'a>(peer: Option<&str>, headers: &'a dyn HeaderLookup) -> RequestView<'a> {
    RequestView {
        method: "GET",
        scheme: Some("http"),
        authority: Some("own.example"),
        raw_path: "/",
        raw_query: None,
        socket_peer: peer.map(|peer| SocketAddr::new(ip(peer), 50_000)),
        client_address: None,
        tls_peer: None,
        headers,
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// What is found out about a request of the proxy with these field lines.
pub(crate) fn ask<'a, N, V, const LEN: usize>(
    proxies: &TrustedProxies,
    headers: &'a [(N, V); LEN],
) -> Client<'a>
where
    N: AsRef<str>,
    V: AsRef<[u8]>,
{
    proxies.client(&view(Some(PROXY), headers))
}

/// The client's address by these lines of `X-Forwarded-For`.
pub(crate) fn by_x_forwarded_for(lines: &[&str]) -> Option<IpAddr> {
    let headers: Vec<_> = lines
        .iter()
        .map(|line| ("X-Forwarded-For", *line))
        .collect();
    let client = x_forwarded().client(&view(Some(PROXY), &headers));
    assert!(client.via_proxy());
    client.address()
}

/// Address, scheme and authority by these lines of `Forwarded`.
pub(crate) fn by_forwarded(lines: &[&str]) -> (Option<IpAddr>, Option<String>, Option<String>) {
    let headers: Vec<_> = lines.iter().map(|line| ("Forwarded", *line)).collect();
    let client = forwarded().client(&view(Some(PROXY), &headers));
    assert!(client.via_proxy());
    (
        client.address(),
        client.scheme().map(Into::into),
        client.authority().map(Into::into),
    )
}
