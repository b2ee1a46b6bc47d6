//! The client's address by `X-Forwarded-For`.

use crate::support::{PROXY, ask, by_x_forwarded_for, ip, view, x_forwarded};

#[test]
fn the_last_entry_is_the_client() {
    assert_eq!(
        by_x_forwarded_for(&["203.0.113.9"]),
        Some(ip("203.0.113.9"))
    );
    assert_eq!(
        by_x_forwarded_for(&["198.51.100.7, 203.0.113.9"]),
        Some(ip("203.0.113.9"))
    );
}

#[test]
fn an_address_that_the_client_put_at_the_left_is_not_believed() {
    for spoofed in [
        "127.0.0.1",
        "10.0.0.2",
        "10.0.0.1",
        "::1",
        "unknown",
        "",
        ",,,",
        "\"",
        "127.0.0.1, 10.0.0.2",
        "127.0.0.1, 10.0.0.1",
        "\u{0}\u{1}\u{7f}",
        "for=127.0.0.1",
    ] {
        let joined = format!("{spoofed}, 203.0.113.9");
        assert_eq!(by_x_forwarded_for(&[&joined]), Some(ip("203.0.113.9")));
        assert_eq!(
            by_x_forwarded_for(&[spoofed, "203.0.113.9"]),
            Some(ip("203.0.113.9"))
        );
        // Also with further proxies behind the first.
        let chain = format!("{spoofed}, 203.0.113.9, 10.0.0.3, fd00::7");
        assert_eq!(by_x_forwarded_for(&[&chain]), Some(ip("203.0.113.9")));
    }
}

#[test]
fn proxies_in_a_row_are_skipped() {
    assert_eq!(
        by_x_forwarded_for(&["203.0.113.9, 10.0.0.3, 10.0.0.2"]),
        Some(ip("203.0.113.9"))
    );
    assert_eq!(
        by_x_forwarded_for(&["203.0.113.9:1, [fd00::7]:2, ::ffff:10.0.0.2, 10.0.0.2:3"]),
        Some(ip("203.0.113.9"))
    );
}

#[test]
fn the_last_line_is_the_last_entry() {
    assert_eq!(
        by_x_forwarded_for(&["198.51.100.7", "203.0.113.9"]),
        Some(ip("203.0.113.9"))
    );
    assert_eq!(
        by_x_forwarded_for(&["203.0.113.9", "10.0.0.3", "10.0.0.2"]),
        Some(ip("203.0.113.9"))
    );
    assert_eq!(
        by_x_forwarded_for(&["198.51.100.7, 203.0.113.9", "10.0.0.3, 10.0.0.2"]),
        Some(ip("203.0.113.9"))
    );
}

#[test]
fn lines_of_other_names_in_between_do_not_count() {
    let headers = [
        ("x-forwarded-for", "203.0.113.9"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-FORWARDED-FOR", "10.0.0.2"),
        ("Forwarded", "for=127.0.0.1"),
    ];
    let proxies = x_forwarded();
    assert_eq!(ask(&proxies, &headers).address(), Some(ip("203.0.113.9")));
}

#[test]
fn white_space_around_entries_does_not_count() {
    for line in [
        " 203.0.113.9 ",
        "\t203.0.113.9\t",
        "1.1.1.1,203.0.113.9",
        "1.1.1.1 , \t 203.0.113.9",
        "203.0.113.9 ,\t10.0.0.2 ",
    ] {
        assert_eq!(
            by_x_forwarded_for(&[line]),
            Some(ip("203.0.113.9")),
            "{line:?}"
        );
    }
    // It is spaces and tabs, and nothing else.
    for line in [
        "203.0.113.9\n",
        "\u{b}203.0.113.9",
        "\u{a0}203.0.113.9",
        "203.0.113.9\0",
    ] {
        assert_eq!(by_x_forwarded_for(&[line]), None, "{line:?}");
    }
}

#[test]
fn each_spelling_of_an_address_is_read() {
    for (entry, address) in [
        ("203.0.113.9:5678", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
    ] {
        assert_eq!(by_x_forwarded_for(&[entry]), Some(ip(address)), "{entry}");
    }
}

#[test]
fn the_zone_of_a_link_local_address_is_dropped() {
    for entry in ["fe80::1%eth0", "fe80::1%2", "[fe80::1%eth0]:80"] {
        assert_eq!(by_x_forwarded_for(&[entry]), Some(ip("fe80::1")), "{entry}");
    }
}

#[test]
fn a_mapped_entry_is_skipped_as_the_ipv4_address_is() {
    assert_eq!(
        by_x_forwarded_for(&["203.0.113.9, ::ffff:10.0.0.2"]),
        Some(ip("203.0.113.9"))
    );
}

#[test]
fn what_is_no_address_where_the_client_stands_makes_it_unknown() {
    for entry in [
        "unknown",
        "_hidden",
        "",
        " ",
        "-",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.4:65536",
        "1.2.3.4:",
        "[2001:db8::1",
        "2001:db8::1::",
        "2001:db8::1%eth0",
        "\"1.2.3.4\"",
        "for=1.2.3.4",
        "1.2.3.4 5.6.7.8",
        "unix:",
        "\u{fc}",
    ] {
        // Never the entry further left, and never the proxy that stands right of it.
        for line in [
            entry.to_owned(),
            format!("203.0.113.9, {entry}"),
            format!("203.0.113.9, {entry}, 10.0.0.2"),
            format!("10.0.0.3, {entry}, 10.0.0.2"),
        ] {
            assert_eq!(by_x_forwarded_for(&[&line]), None, "{line:?}");
        }
        assert_eq!(by_x_forwarded_for(&["203.0.113.9", entry]), None);
        assert_eq!(by_x_forwarded_for(&["203.0.113.9", entry, PROXY]), None);
    }
}

#[test]
fn bytes_that_are_no_text_make_the_client_unknown() {
    let proxies = x_forwarded();
    let headers: [(&str, &[u8]); 1] = [("x-forwarded-for", b"203.0.113.9, \xff\xfe")];
    assert_eq!(ask(&proxies, &headers).address(), None);
    let headers: [(&str, &[u8]); 1] = [("x-forwarded-for", b"\xff\xfe, 203.0.113.9")];
    assert_eq!(ask(&proxies, &headers).address(), Some(ip("203.0.113.9")));
}

#[test]
fn when_all_are_proxies_the_leftmost_is_the_client() {
    assert_eq!(
        by_x_forwarded_for(&["10.0.0.9, 10.0.0.3, 10.0.0.2"]),
        Some(ip("10.0.0.9"))
    );
    assert_eq!(
        by_x_forwarded_for(&["10.0.0.9", "10.0.0.2"]),
        Some(ip("10.0.0.9"))
    );
    assert_eq!(by_x_forwarded_for(&["10.0.0.9"]), Some(ip("10.0.0.9")));
}

#[test]
fn a_proxy_that_names_nobody_speaks_for_itself() {
    assert_eq!(by_x_forwarded_for(&[]), Some(ip(PROXY)));
    // The address is not mapped then, either.
    let none: [(&str, &str); 0] = [];
    let client = x_forwarded().client(&view(Some("::ffff:10.0.0.1"), &none));
    assert_eq!(client.address(), Some(ip("10.0.0.1")));
    assert!(client.via_proxy());
}

#[test]
fn a_proxy_that_forwards_without_naming_the_client_is_not_taken_for_it() {
    let proxies = x_forwarded();
    for header in [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Proto", ""),
        ("X-Forwarded-Host", "api.example"),
        ("X-Forwarded-Port", "443"),
    ] {
        let headers = [header];
        let client = ask(&proxies, &headers);
        assert_eq!(client.address(), None, "{header:?}");
        assert!(client.via_proxy());
    }
}

#[test]
fn an_empty_field_is_not_an_absent_one() {
    assert_eq!(by_x_forwarded_for(&[""]), None);
    assert_eq!(by_x_forwarded_for(&["203.0.113.9", ""]), None);
}
