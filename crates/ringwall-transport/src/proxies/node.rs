//! Nodes of RFC 7239: who took part in handing a request on.

use core::net::IpAddr;

use super::address;

/// A node (RFC 7239 §6), without its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// `192.0.2.1` or `[2001:db8::1]`.
    Address(IpAddr),
    /// `unknown`, or a name that the proxy made up to hide it, such as `_hidden`.
    Hidden,
}

impl Node {
    /// Reads a node, with or without a port.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (node, rest) = if text.starts_with('[') {
            let (address, rest) = address::bracketed(text)?;
            (Self::Address(address), rest)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            (Self::name(name)?, rest)
        };
        let is_port = rest.is_empty()
            || rest
                .strip_prefix(':')
                .is_some_and(|port| address::is_port(port) || is_obfuscated(port));
        is_port.then_some(node)
    }

    fn name(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("unknown") || is_obfuscated(text) {
            return Some(Self::Hidden);
        }
        address::v4(text).map(Self::Address)
    }
}

/// RFC 7239 §6.3: an underscore, and something after it.
fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_each_form_of_a_node() {
        for (text, address) in [
            ("192.0.2.43", "192.0.2.43"),
            ("192.0.2.43:47011", "192.0.2.43"),
            ("192.0.2.43:_port", "192.0.2.43"),
            ("[2001:db8:cafe::17]", "2001:db8:cafe::17"),
            ("[2001:db8:cafe::17]:4711", "2001:db8:cafe::17"),
            ("[2001:db8:cafe::17]:_p-0.x", "2001:db8:cafe::17"),
            ("[::ffff:192.0.2.43]", "192.0.2.43"),
            ("[fe80::1%eth0]:80", "fe80::1"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(Node::read(text), Some(Node::Address(address)), "{text}");
        }
        for text in [
            "unknown",
            "Unknown",
            "unknown:80",
            "_hidden",
            "_SEVKISEK",
            "_a.b-c_d:_e",
            "__",
        ] {
            assert_eq!(Node::read(text), Some(Node::Hidden), "{text}");
        }
    }

    #[test]
    fn reads_nothing_else() {
        for text in [
            "",
            "_",
            "_a b",
            "_\u{e4}",
            "hidden",
            "unknown.",
            "unknown:",
            "192.0.2.43:",
            "192.0.2.43:65536",
            "192.0.2.43:080",
            "192.0.2.43:_",
            "192.0.2.043",
            "2001:db8::1",
            "[192.0.2.43]",
            "[unknown]",
            "[_hidden]",
            "[2001:db8::1",
            "[2001:db8::1]4711",
            "[2001:db8::1%eth0]",
            " 192.0.2.43",
            "192.0.2.43 ",
            "\"192.0.2.43\"",
            "192.0.2.43,192.0.2.44",
        ] {
            assert_eq!(Node::read(text), None, "{text:?}");
        }
    }

    fn name() -> impl Strategy<Value = (String, Node)> {
        let v4 = any::<core::net::Ipv4Addr>()
            .prop_map(|address| (address.to_string(), Node::Address(address.into())));
        let v6 = any::<core::net::Ipv6Addr>().prop_map(|address| {
            let node = Node::Address(IpAddr::V6(address).to_canonical());
            (format!("[{address}]"), node)
        });
        let hidden = "(unknown|_[A-Za-z0-9._-]{1,20})".prop_map(|text| (text, Node::Hidden));
        prop_oneof![v4, v6, hidden]
    }

    fn port() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            any::<u16>().prop_map(|port| format!(":{port}")),
            ":_[A-Za-z0-9._-]{1,20}",
        ]
    }

    proptest! {
        #[test]
        fn property_a_node_that_was_written_is_read_again((name, node) in name(), port in port()) {
            let text = format!("{name}{port}");
            prop_assert_eq!(Node::read(&text), Some(node), "{}", text);
        }
    }
}
