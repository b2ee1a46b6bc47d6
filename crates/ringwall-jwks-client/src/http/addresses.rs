//! Which addresses may be asked.
//!
//! A URL can come from a document of somebody else (`jwks_uri`), and a name resolves to whatever its
//! owner says. Without a rule for addresses, either one turns the service into a way to reach what
//! only the service can reach: its own ports, its neighbours, the metadata of its cloud
//! (server-side request forgery, CWE-918).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::endpoint::Endpoint;

/// Networks of IPv4 that are not globally reachable, or that are no hosts: the IANA IPv4
/// Special-Purpose Address Registry (RFC 6890), multicast (RFC 5771) and class E (RFC 1112).
const REFUSED_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    // Global by the registry, and the platform's own service on every machine of Azure, which
    // answers the machine itself more than strangers.
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The only part of IPv6 from which global unicast addresses are given out (RFC 4291 §2.4).
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);

/// Parts of it that are special: IETF protocols with Teredo, benchmarking and ORCHID
/// (`2001::/23`), documentation, and 6to4, which holds an IPv4 address that nobody checked.
const REFUSED_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0xdb8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

/// IPv4 addresses as a translator's (NAT64) IPv6 addresses: RFC 6052 §2.1.
const TRANSLATED: Ipv6Net = v6([0x64, 0xff9b], 96);

/// How far the requests for one kind of host may reach.
#[derive(Clone)]
pub(super) enum Reach {
    /// Global unicast addresses, and the networks that the operator named.
    Global(Arc<[IpNet]>),
    /// Loopback addresses alone: what may be asked in plain text never leaves the machine, whatever
    /// its `hosts` file says about `localhost`.
    ThisMachine,
}

impl Reach {
    /// Whether `endpoint` is asked under [`Reach::ThisMachine`].
    pub(super) fn is_this_machine(endpoint: &Endpoint) -> bool {
        endpoint.profile().is_development() && endpoint.is_this_machine()
    }

    /// Whether a connection to `address` may be made.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        // `::ffff:10.0.0.1` is another spelling of 10.0.0.1, and the system connects to the latter.
        let address = address.to_canonical();
        match self {
            Self::ThisMachine => address.is_loopback(),
            Self::Global(named) => {
                named.iter().any(|network| network.contains(&address)) || is_global(address)
            }
        }
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisMachine => f.write_str("this machine"),
            Self::Global(named) => {
                f.write_str("global addresses")?;
                named
                    .iter()
                    .try_for_each(|network| write!(f, ", {network}"))
            }
        }
    }
}

/// Reads a network that the operator permits. Networks of IPv4-mapped addresses are refused, since
/// an address is judged as what it maps to and would never be found in one.
///
/// Stricter than the parser of [`IpNet`], which takes `010.0.0.0/8` for `10.0.0.0/8`, where others take
/// it for `8.0.0.0/8`.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let is_one_spelling = length == "0" || !length.starts_with(['0', '+']);
    let length = length.parse().ok().filter(|_| is_one_spelling)?;
    let network = IpNet::new(address.parse().ok()?, length).ok()?;
    let is_exact = network.trunc() == network;
    let is_canonical = network.addr().to_canonical() == network.addr();
    (is_exact && is_canonical).then_some(network)
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) if TRANSLATED.contains(&address) => {
            // RFC 6052 §3.1: the well-known prefix must not stand for a non-global IPv4 address.
            let [.., a, b, c, d] = address.octets();
            is_global_v4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address)
                && !REFUSED_V6.iter().any(|network| network.contains(&address))
        }
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    !REFUSED_V4.iter().any(|network| network.contains(&address))
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_core::profile::Profile;

    fn reach(named: &[&str]) -> Reach {
        Reach::Global(
            named
                .iter()
                .map(|text| network(text).expect(text))
                .collect(),
        )
    }

    fn permits(reach: &Reach, address: &str) -> bool {
        reach.permits(address.parse().expect(address))
    }

    #[test]
    fn refuses_every_special_purpose_network_at_both_ends() {
        let reach = reach(&[]);
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            // Unspecified, loopback, IPv4-compatible.
            ("::", "::1"),
            ("::8.8.8.8", "::ffff"),
            // Local-use translation (RFC 8215), discard-only, dummy prefix.
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("100::", "100:0:0:1:ffff:ffff:ffff:ffff"),
            ("1fff:ffff::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            // Teredo, benchmarking, ORCHID and the rest of 2001::/23.
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            // Never given out, segment routing, unique local, link-local, site-local, multicast.
            ("4000::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert!(!permits(&reach, first), "{first}");
            assert!(!permits(&reach, last), "{last}");
        }
    }

    #[test]
    fn permits_the_neighbours_of_special_networks() {
        let reach = reach(&[]);
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
            "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2003::",
            "2606:4700:4700::1111",
            "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "3fff:1000::",
        ] {
            assert!(permits(&reach, address), "{address}");
        }
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_address_is_judged_as_itself() {
        let reach = reach(&[]);
        for (inner, expected) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("10.1.2.3", false),
        ] {
            for outer in [format!("::ffff:{inner}"), format!("64:ff9b::{inner}")] {
                assert_eq!(permits(&reach, &outer), expected, "{outer}");
            }
        }
    }

    #[test]
    fn a_named_network_is_permitted_and_nothing_beside_it() {
        let reach = reach(&["10.1.0.0/16", "fd00:1::/32", "127.0.0.1/32"]);
        for good in ["10.1.255.255", "::ffff:10.1.0.1", "fd00:1::5", "127.0.0.1"] {
            assert!(permits(&reach, good), "{good}");
        }
        for bad in [
            "10.2.0.0",
            "::ffff:10.2.0.0",
            // A translator's view of the network is another machine than ours.
            "64:ff9b::10.1.0.1",
            "fd00:2::5",
            "127.0.0.2",
            "::1",
        ] {
            assert!(!permits(&reach, bad), "{bad}");
        }
    }

    #[test]
    fn refuses_a_network_that_is_not_written_as_one() {
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::ffff:10.0.0.0/104",
            "fd00::1/8",
            "localhost/8",
            " 10.0.0.0/8",
            // Octal to some, and then 8.0.0.0/8.
            "010.0.0.0/8",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "/8",
        ] {
            assert_eq!(network(bad), None, "{bad}");
        }
        assert!(network("::/0").is_some(), "by name, anything");
    }

    #[test]
    fn this_machine_is_loopback_alone_and_exists_in_development_alone() {
        for good in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
            assert!(permits(&Reach::ThisMachine, good), "{good}");
        }
        for bad in ["0.0.0.0", "::", "10.0.0.1", "8.8.8.8", "2606:4700::1"] {
            assert!(!permits(&Reach::ThisMachine, bad), "{bad}");
        }
        for (url, profile, expected) in [
            ("https://localhost/", Profile::Development, true),
            ("https://127.0.0.1/", Profile::Development, true),
            ("https://localhost/", Profile::Production, false),
            ("https://127.0.0.1/", Profile::Production, false),
            ("https://localhost.example/", Profile::Development, false),
        ] {
            let endpoint = Endpoint::new(url, profile).expect(url);
            assert_eq!(Reach::is_this_machine(&endpoint), expected, "{url}");
        }
    }
}
