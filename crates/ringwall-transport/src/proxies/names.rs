//! The names of the fields by which proxies say for whom they speak.
//!
//! In lower case, those of `X-Forwarded-` that are read here first, `Forwarded` last: what is between
//! them, nobody is believed in.

/// All of them.
pub(super) const ALL: &[&str] = &[
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-host",
    // Other spellings of the same, by one server or another.
    "x-forwarded",
    "x-forwarded-by",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-proto",
    "x-host",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    "forwarded-for",
    // The client's address as one proxy or content delivery network names it.
    "x-real-ip",
    "x-real-port",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-originating-ip",
    "x-envoy-external-address",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-appengine-user-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "cf-visitor",
    "cloudfront-forwarded-proto",
    "cloudfront-viewer-address",
    "fastly-client-ip",
    "fly-client-ip",
    // What a proxy says the client asked for: frameworks that believe it serve another path than the
    // one that was decided about.
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "forwarded",
];

/// How many at the beginning are believed as `X-Forwarded-`.
const X_FORWARDED: usize = 4;

/// All but those that are believed as `X-Forwarded-`.
pub(super) const BUT_X_FORWARDED: &[&str] = ALL.split_at(X_FORWARDED).1;

/// The same where nobody is believed in the last of them either, the host.
pub(super) const BUT_X_FORWARDED_WITHOUT_HOST: &[&str] = ALL.split_at(X_FORWARDED - 1).1;

/// All but `Forwarded`.
pub(super) const BUT_FORWARDED: &[&str] = match ALL.split_last() {
    Some((_, rest)) => rest,
    None => &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_believed_is_at_the_ends_of_the_list() {
        let (believed, rest) = ALL.split_at(X_FORWARDED);
        let expected = ["for", "proto", "port", "host"].map(|part| format!("x-forwarded-{part}"));
        assert_eq!(believed, expected);
        assert_eq!(rest, BUT_X_FORWARDED);
        let (host, rest) = BUT_X_FORWARDED_WITHOUT_HOST.split_first().expect("one");
        assert_eq!((*host, rest), ("x-forwarded-host", BUT_X_FORWARDED));
        assert_eq!(ALL.last(), Some(&"forwarded"));
        assert_eq!(BUT_FORWARDED.len() + 1, ALL.len());
        assert!(!BUT_FORWARDED.contains(&"forwarded"));
        assert!(!BUT_X_FORWARDED.contains(&"x-forwarded-for"));
    }

    #[test]
    fn each_name_is_there_once_and_in_the_spelling_in_which_it_is_compared() {
        for name in ALL {
            let count = ALL.iter().filter(|other| *other == name).count();
            assert_eq!(count, 1, "{name}");
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(
                name.bytes().all(|byte| is_plain(byte) || byte == b'-'),
                "{name}"
            );
        }
    }
}
