//! Whose word counts, by address.

use core::net::IpAddr;

use ringwall_transport::{ForwardingHeader, ProxiesError, TrustedProxies};

use crate::support::ip;

fn of(networks: &[&str]) -> Result<TrustedProxies, ProxiesError> {
    let mut builder = TrustedProxies::builder();
    for network in networks {
        builder = builder.network(network);
    }
    builder.build()
}

fn trusts(networks: &[&str], address: &str) -> bool {
    of(networks).expect("networks").trusts(ip(address))
}

#[test]
fn a_network_is_trusted_from_its_first_address_to_its_last() {
    let networks = ["10.0.1.16/28", "fd00:1::/64"];
    for address in [
        "10.0.1.16",
        "10.0.1.31",
        "fd00:1::",
        "fd00:1::ffff:ffff:ffff:ffff",
    ] {
        assert!(trusts(&networks, address), "{address}");
    }
    for address in [
        "10.0.1.15",
        "10.0.1.32",
        "10.0.0.16",
        "fd00:0:ffff:ffff:ffff:ffff:ffff:ffff",
        "fd00:1:0:1::",
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "::10.0.1.16",
    ] {
        assert!(!trusts(&networks, address), "{address}");
    }
}

#[test]
fn one_address_is_written_without_a_length() {
    assert!(trusts(&["10.0.1.3"], "10.0.1.3"));
    assert!(!trusts(&["10.0.1.3"], "10.0.1.2"));
    assert!(!trusts(&["10.0.1.3"], "10.0.1.4"));
    assert!(trusts(&["fd00::3"], "fd00::3"));
    assert!(!trusts(&["fd00::3"], "fd00::4"));
}

#[test]
fn an_address_and_a_network_may_be_given_as_they_are() {
    let network: ipnet::IpNet = "10.0.1.0/24".parse().expect("a network");
    let proxies = TrustedProxies::builder()
        .network(network)
        .network(ip("fd00::3"))
        .network(String::from("192.0.2.0/24"))
        .build()
        .expect("networks");
    for address in ["10.0.1.200", "fd00::3", "192.0.2.1"] {
        assert!(proxies.trusts(ip(address)), "{address}");
    }
}

#[test]
fn a_mapped_address_is_the_ipv4_address_in_networks_and_in_what_is_asked() {
    for network in ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:a00:0/104"] {
        for address in ["10.1.2.3", "::ffff:10.1.2.3"] {
            assert!(trusts(&[network], address), "{network} {address}");
        }
        for address in ["11.0.0.0", "::ffff:11.0.0.0", "::10.1.2.3"] {
            assert!(!trusts(&[network], address), "{network} {address}");
        }
    }
    for network in ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:10.1.2.3/128"] {
        assert!(trusts(&[network], "10.1.2.3"), "{network}");
        assert!(trusts(&[network], "::ffff:10.1.2.3"), "{network}");
    }
}

#[test]
fn a_network_of_ipv6_holds_no_ipv4_address() {
    for network in ["::/1", "::/80", "::/64"] {
        assert!(!trusts(&[network], "10.1.2.3"), "{network}");
        assert!(!trusts(&[network], "::ffff:10.1.2.3"), "{network}");
        assert!(trusts(&[network], "::1"), "{network}");
    }
}

#[test]
fn networks_that_overlap_or_repeat_are_trusted_as_one() {
    let networks = [
        "10.0.1.128/25",
        "10.0.0.0/16",
        "10.0.1.0/24",
        "10.0.1.0/24",
        "10.1.0.0/16",
        "10.0.255.255",
    ];
    for address in ["10.0.0.0", "10.0.1.200", "10.0.200.1", "10.1.255.255"] {
        assert!(trusts(&networks, address), "{address}");
    }
    for address in ["9.255.255.255", "10.2.0.0"] {
        assert!(!trusts(&networks, address), "{address}");
    }
}

#[test]
fn a_network_that_holds_everybody_is_refused() {
    for network in ["0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
        assert_eq!(
            of(&["10.0.0.0/8", network]).err(),
            Some(ProxiesError::Everybody { position: 1 }),
            "{network}"
        );
    }
}

#[test]
fn a_network_with_bits_beyond_its_length_is_refused() {
    for network in ["10.0.0.1/8", "fd00::1/64", "::ffff:10.0.0.1/104"] {
        assert_eq!(
            of(&[network]).err(),
            Some(ProxiesError::BitsBeyondLength { position: 0 }),
            "{network}"
        );
    }
}

#[test]
fn what_is_no_network_is_refused_and_never_left_out() {
    for network in [
        "",
        " ",
        "10.0.0.0/33",
        "fd00::/129",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/8,10.1.0.0/16",
        "10.0.0/24",
        "010.0.0.0/8",
        "10.0.0.0/255.0.0.0",
        "*",
        "loopback",
        "private",
        "proxy.example",
        "10.0.0.1:80",
        "[fd00::1]",
        "fe80::1%eth0",
    ] {
        assert_eq!(
            of(&["10.0.0.0/8", network, "fd00::/64"]).err(),
            Some(ProxiesError::NotANetwork { position: 1 }),
            "{network:?}"
        );
    }
}

#[test]
fn the_number_of_networks_is_bounded() {
    let of = |count: usize| {
        let mut builder = TrustedProxies::builder();
        for number in 0..count {
            let number = u32::try_from(number).expect("a small number");
            builder = builder.network(IpAddr::V4((0x0a00_0000 + 2 * number).into()));
        }
        builder.build()
    };
    let most = of(TrustedProxies::MAX_NETWORKS).expect("not too many");
    assert!(most.trusts(ip("10.0.0.0")) && most.trusts(ip("10.0.31.254")));
    assert!(!most.trusts(ip("10.0.0.1")) && !most.trusts(ip("10.0.32.0")));
    assert_eq!(
        of(TrustedProxies::MAX_NETWORKS + 1).err(),
        Some(ProxiesError::TooMany)
    );
}

#[test]
fn errors_say_which_network_and_not_what_it_was() {
    let error = of(&["10.0.0.0/8", "proxy.example"]).expect_err("no network");
    assert_eq!(
        error.to_string(),
        "the network at position 1 is neither a network nor an address"
    );
}

#[test]
fn shows_whom_it_trusts() {
    let proxies = TrustedProxies::builder()
        .network("10.0.0.0/8")
        .network("fd00::7")
        .header(ForwardingHeader::Forwarded)
        .build()
        .expect("networks");
    let shown = format!("{proxies:?}");
    for part in ["10.0.0.0-10.255.255.255", "fd00::7-fd00::7", "Forwarded"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert_eq!(
        format!("{:?}", TrustedProxies::none()),
        "TrustedProxies(none)"
    );
    assert_eq!(proxies.header(), Some(ForwardingHeader::Forwarded));
    assert!(!proxies.is_empty());
}

#[test]
fn clones_share_it_and_say_the_same() {
    let proxies = of(&["10.0.0.0/8"]).expect("a network");
    assert!(proxies.clone().trusts(ip("10.0.0.1")));
}
