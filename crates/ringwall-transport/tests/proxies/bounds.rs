//! How much is read of a request.

use ringwall_transport::TrustedProxies;

use crate::support::{by_forwarded, by_x_forwarded_for, ip};

const MAX_HOPS: usize = TrustedProxies::MAX_HOPS;

/// A client, and a number of proxies, as lines of one entry each.
fn chain(client: &str, proxy: &str, proxies: usize) -> Vec<String> {
    core::iter::once(client)
        .chain(core::iter::repeat_n(proxy, proxies))
        .map(Into::into)
        .collect()
}

/// The answer to lines of one entry each, and to one line of all entries, which is the same.
fn both<T: PartialEq + core::fmt::Debug>(lines: &[String], ask: impl Fn(&[&str]) -> T) -> T {
    let separate: Vec<&str> = lines.iter().map(|line| &**line).collect();
    let answer = ask(&separate);
    assert_eq!(answer, ask(&[&lines.join(", ")]));
    answer
}

#[test]
fn as_many_proxies_as_permitted_stand_in_a_row() {
    let lines = chain("203.0.113.9", "10.0.0.2", MAX_HOPS - 1);
    assert_eq!(both(&lines, by_x_forwarded_for), Some(ip("203.0.113.9")));
    let lines = chain("for=203.0.113.9", "for=10.0.0.2", MAX_HOPS - 1);
    assert_eq!(both(&lines, by_forwarded).0, Some(ip("203.0.113.9")));
}

#[test]
fn the_client_behind_one_more_is_unknown() {
    let lines = chain("203.0.113.9", "10.0.0.2", MAX_HOPS);
    assert_eq!(both(&lines, by_x_forwarded_for), None);
    let lines = chain("for=203.0.113.9;proto=https", "for=10.0.0.2", MAX_HOPS);
    assert_eq!(both(&lines, by_forwarded), (None, None, None));
}

#[test]
fn more_proxies_than_permitted_are_no_way_to_a_client() {
    let lines = chain("10.0.0.9", "10.0.0.2", MAX_HOPS - 1);
    assert_eq!(both(&lines, by_x_forwarded_for), Some(ip("10.0.0.9")));
    let lines = chain("10.0.0.9", "10.0.0.2", MAX_HOPS);
    assert_eq!(both(&lines, by_x_forwarded_for), None);
    let lines = chain("for=10.0.0.9", "for=10.0.0.2", MAX_HOPS);
    assert_eq!(both(&lines, by_forwarded), (None, None, None));
}

#[test]
fn what_the_client_puts_in_front_may_be_as_long_as_it_likes() {
    for spoofed in [
        "127.0.0.1".repeat(10_000),
        "127.0.0.1,".repeat(10_000),
        ",".repeat(60_000),
        "\"".repeat(60_001),
        "\\".repeat(60_001),
        " ".repeat(60_000),
    ] {
        let line = format!("{spoofed}, 203.0.113.9, 10.0.0.2");
        assert_eq!(by_x_forwarded_for(&[&line]), Some(ip("203.0.113.9")));
        assert_eq!(
            by_x_forwarded_for(&[&spoofed, "203.0.113.9"]),
            Some(ip("203.0.113.9"))
        );
        let line = format!("{spoofed}, for=203.0.113.9, for=10.0.0.2");
        assert_eq!(by_forwarded(&[&line]).0, Some(ip("203.0.113.9")));
        assert_eq!(
            by_forwarded(&[&spoofed, "for=203.0.113.9"]).0,
            Some(ip("203.0.113.9"))
        );
    }
    let mut lines = vec!["127.0.0.1"; 1_000];
    lines.push("203.0.113.9");
    assert_eq!(by_x_forwarded_for(&lines), Some(ip("203.0.113.9")));
    let mut lines = vec!["for=127.0.0.1"; 1_000];
    lines.push("for=203.0.113.9");
    assert_eq!(by_forwarded(&lines).0, Some(ip("203.0.113.9")));
}

#[test]
fn an_entry_that_is_too_long_is_no_address() {
    // 128 bytes with the white space, in a line of its own and within one.
    let padded = |length: usize| format!("{:>length$}", "203.0.113.9");
    for (length, expected) in [(128, Some(ip("203.0.113.9"))), (129, None), (60_000, None)] {
        let entry = padded(length);
        assert_eq!(by_x_forwarded_for(&[&entry]), expected, "{length}");
        let line = format!("127.0.0.1,{entry}");
        assert_eq!(by_x_forwarded_for(&[&line]), expected, "{length}");
        let line = format!("127.0.0.1,{entry},10.0.0.2");
        assert_eq!(by_x_forwarded_for(&[&line]), expected, "{length}");
    }
}

#[test]
fn an_element_that_is_too_long_is_unknown() {
    let padded = |length: usize| {
        let start = "for=203.0.113.9;a=";
        format!("{start}{}", "b".repeat(length - start.len()))
    };
    for (length, expected) in [
        (1024, Some(ip("203.0.113.9"))),
        (1025, None),
        (60_000, None),
    ] {
        let element = padded(length);
        assert_eq!(by_forwarded(&[&element]).0, expected, "{length}");
        let line = format!("for=127.0.0.1,{element}");
        assert_eq!(by_forwarded(&[&line]).0, expected, "{length}");
        let line = format!("for=127.0.0.1,{element},for=10.0.0.2");
        assert_eq!(by_forwarded(&[&line]).0, expected, "{length}");
    }
}

#[test]
fn an_element_has_so_many_parameters_and_no_more() {
    let element = |count: usize| {
        let names = (1..count).map(|number| format!(";a{number}=b"));
        format!("for=203.0.113.9{}", names.collect::<String>())
    };
    assert_eq!(by_forwarded(&[&element(16)]).0, Some(ip("203.0.113.9")));
    assert_eq!(by_forwarded(&[&element(17)]).0, None);
}

#[test]
fn the_name_that_a_proxy_makes_up_is_bounded_too() {
    let element = |length: usize| format!("for=_{};proto=https", "x".repeat(length - 1));
    assert_eq!(by_forwarded(&[&element(256)]).1.as_deref(), Some("https"));
    assert_eq!(by_forwarded(&[&element(257)]).1, None);
}
