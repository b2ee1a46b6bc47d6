//! `X-Forwarded-For` and its kin, which nobody has specified.

use core::net::IpAddr;

use ringwall_core::request::{HeaderValues, RequestView};

use super::address;
use super::authority::authority;
use super::client::Client;
use super::hops::{self, End, Hop};
use super::networks::Networks;
use super::scheme::scheme;

/// What a trusted proxy says by these fields.
pub(super) fn client<'a>(networks: &Networks, proxy: IpAddr, view: &RequestView<'a>) -> Client<'a> {
    let proto = view.header("x-forwarded-proto");
    let host = view.header("x-forwarded-host");
    let address = match hops::walk::<Entry>(networks, view.headers, "x-forwarded-for") {
        End::Client(Entry(address)) => Some(address),
        End::Unknown => None,
        // A proxy that names no client, and says how a client asked, has one all the same. Somebody
        // may have made it drop the name (`Connection: X-Forwarded-For`, CVE-2022-31813), to be
        // taken for the proxy, which is inside.
        End::Absent => [proto, host, view.header("x-forwarded-port")]
            .iter()
            .all(|values| *values == HeaderValues::Absent)
            .then_some(proxy),
    };
    Client {
        address,
        scheme: match proto {
            HeaderValues::Absent => view.scheme,
            HeaderValues::One(value) => scheme(hops::trimmed(value)),
            HeaderValues::Several(_) => None,
        },
        authority: match host {
            HeaderValues::Absent => view.authority,
            HeaderValues::One(value) => authority(hops::trimmed(value)),
            HeaderValues::Several(_) => None,
        },
        via_proxy: true,
    }
}

/// An entry of `X-Forwarded-For`: an address in one of the spellings that proxies write.
struct Entry(IpAddr);

impl<'a> Hop<'a> for Entry {
    /// The longest spelling has 86 bytes: brackets, 45 of an IPv6 address that ends as an IPv4 address,
    /// a zone, a port. The rest is white space.
    const MAX_BYTES: usize = 128;

    fn comma(tail: &[u8]) -> Option<usize> {
        tail.iter().rposition(|byte| *byte == b',')
    }

    fn read(entry: &'a [u8]) -> Option<Self> {
        read(core::str::from_utf8(entry).ok()?).map(Self)
    }

    fn address(&self) -> Option<IpAddr> {
        Some(self.0)
    }
}

/// `192.0.2.1`, `192.0.2.1:5678`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`.
fn read(text: &str) -> Option<IpAddr> {
    let (address, rest) = if text.starts_with('[') {
        address::bracketed(text)?
    } else {
        match text.split_once(':') {
            None => (address::v4(text)?, ""),
            // With a second colon it is no port.
            Some((_, rest)) if rest.contains(':') => (address::v6(text)?, ""),
            Some((before, _)) => (address::v4(before)?, text.strip_prefix(before)?),
        }
    };
    let is_port = rest.is_empty() || rest.strip_prefix(':').is_some_and(address::is_port);
    is_port.then_some(address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn reads_an_address_in_each_spelling_that_proxies_write() {
        for (text, address) in [
            ("1.2.3.4", "1.2.3.4"),
            ("1.2.3.4:5678", "1.2.3.4"),
            ("1.2.3.4:0", "1.2.3.4"),
            ("1.2.3.4:65535", "1.2.3.4"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::1", "::1"),
            ("::", "::"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0.7]:443", "fe80::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("::ffff:102:304", "1.2.3.4"),
            ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("64:ff9b::1.2.3.4", "64:ff9b::1.2.3.4"),
        ] {
            assert_eq!(read(text), ip(address), "{text}");
        }
    }

    #[test]
    fn reads_no_address_where_two_readers_could_read_two_or_none() {
        for text in [
            "",
            " ",
            "unknown",
            "_hidden",
            "-",
            "localhost",
            "example.com",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "01.2.3.4",
            "1.2.3.04",
            "0x1.2.3.4",
            "1.2.3.4/32",
            "16909060",
            "1.2.3.4:",
            "1.2.3.4:65536",
            "1.2.3.4:99999",
            "1.2.3.4:000080",
            "1.2.3.4:080",
            "1.2.3.4:+80",
            "1.2.3.4:-1",
            "1.2.3.4:http",
            "1.2.3.4 :80",
            "1.2.3.4: 80",
            "1.2.3.4 5.6.7.8",
            "1.2.3.4;proto=https",
            "for=1.2.3.4",
            "\"1.2.3.4\"",
            "'1.2.3.4'",
            "[1.2.3.4]",
            "[1.2.3.4]:80",
            "1.2.3.4%eth0",
            "2001:db8::1%eth0",
            "::ffff:1.2.3.4%eth0",
            "fe80::1%",
            "fe80::1%a b",
            "fe80::1%a/b",
            "fe80::1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "2001:db8::1::2",
            "2001:db8::g",
            "2001:db8:0:0:0:0:0:0:1",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[2001:db8::1]:",
            "[2001:db8::1]:65536",
            "[2001:db8::1]:443:1",
            "[[2001:db8::1]]",
            "[]",
            "[]:80",
            ":80",
            "1\u{ff0e}2.3.4",
            "\u{661}.2.3.4",
            "1.2.3.4\0",
            "1.2.3.4\n",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn property_an_address_that_was_written_is_read_again(
            address: IpAddr,
            port in proptest::option::of(any::<u16>()),
        ) {
            let text = match (address, port) {
                (_, None) => address.to_string(),
                (IpAddr::V4(_), Some(port)) => format!("{address}:{port}"),
                (IpAddr::V6(_), Some(port)) => format!("[{address}]:{port}"),
            };
            prop_assert_eq!(read(&text), Some(address.to_canonical()));
        }

        #[test]
        fn property_what_is_read_is_what_the_standard_library_reads(text in "[0-9a-f:.%\\[\\]]{0,24}") {
            let expected = text
                .parse::<IpAddr>()
                .or_else(|_| text.parse::<core::net::SocketAddr>().map(|socket| socket.ip()));
            if let Some(address) = read(&text) {
                let is_plain = !text.contains('%');
                let is_bare = text.starts_with('[') && text.ends_with(']');
                if is_plain && !is_bare {
                    prop_assert_eq!(Ok(address), expected.map(|address| address.to_canonical()));
                }
            }
        }
    }
}
