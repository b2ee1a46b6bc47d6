//! What becomes of requests over plain HTTP.

use core::net::IpAddr;

use ringwall_core::denial::Denial;
use ringwall_core::request::{HeaderValues, RequestView};

use crate::error::Error;

/// The most hosts that are redirected: each is a name of this service.
const MAX_HOSTS: usize = 64;

/// The longest name of a host with its port, in bytes (RFC 1035 §2.3.4, and `:65535`).
const MAX_HOST: usize = 261;

/// That a service answers over TLS alone, and what it tells clients who come over plain HTTP.
///
/// The scheme is that of the connection, or what a trusted proxy says of it
/// ([`TrustedProxies`](ringwall_transport::TrustedProxies)). A request of which nobody knows the scheme
/// is refused too. A route is excepted by name, where it is registered: the probe of a load balancer.
///
/// Refusing is right for APIs: a client that is redirected works, and nobody notices that it sent its
/// token in the clear before. Pages that people type by hand may be redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsOnly {
    /// In lower case.
    hosts: Box<[Box<str>]>,
}

impl HttpsOnly {
    /// Refuses them (403).
    #[must_use]
    pub fn refuse() -> Self {
        Self { hosts: [].into() }
    }

    /// Redirects requests for these hosts to the same resource over TLS (308), as long as they are
    /// `GET` or `HEAD` and carry no credential; refuses all others.
    ///
    /// A host is the name that clients use, with the port of TLS if it is not 443: `api.example.com`.
    /// Requests for other hosts are never redirected, since the name is the client's word: whoever can
    /// make a cache keep a redirect to a host of their own has the service's visitors.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHost`] when there is none, more than 64, or a text that is no host.
    pub fn redirect_to<I>(hosts: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let hosts: Box<[Box<str>]> = hosts
            .into_iter()
            .take(MAX_HOSTS.saturating_add(1))
            .map(|host| read(host.as_ref()))
            .collect::<Result<_, _>>()?;
        if hosts.is_empty() || hosts.len() > MAX_HOSTS {
            return Err(Error::InvalidHost);
        }
        Ok(Self { hosts })
    }

    /// What a request over plain HTTP is answered. `presents` says whether it carries a credential.
    pub(crate) fn answer(&self, view: &RequestView<'_>, presents: bool) -> Denial {
        let is_safe = matches!(view.method, "GET" | "HEAD");
        let carries = presents
            || ["authorization", "cookie"]
                .into_iter()
                .any(|name| view.header(name) != HeaderValues::Absent);
        let location = match self.host(view.authority) {
            Some(host) if is_safe && !carries => Some(location(host, view)),
            Some(_) | None => None,
        };
        Denial::PlainHttp { location }
    }

    /// The configured host that a request is for, whatever port it names.
    fn host(&self, authority: Option<&str>) -> Option<&str> {
        let asked = without_port(authority?);
        let mut hosts = self.hosts.iter().map(|host| &**host);
        hosts.find(|host| without_port(host).eq_ignore_ascii_case(asked))
    }
}

/// The path was checked before: it begins with one slash and holds no character that ends a line.
fn location(host: &str, view: &RequestView<'_>) -> Box<str> {
    let path = view.raw_path;
    match view.raw_query {
        None => format!("https://{host}{path}"),
        Some(query) => format!("https://{host}{path}?{query}"),
    }
    .into()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

/// A name or an address, in lower case, with or without a port (RFC 3986 §3.2.2, §3.2.3).
fn read(host: &str) -> Result<Box<str>, Error> {
    let name = without_port(host);
    let has_empty_port = host.ends_with(':');
    let is_name = !name.is_empty()
        && name.split('.').all(|label| !label.is_empty())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let is_address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| matches!(inner.parse(), Ok(IpAddr::V6(_))));
    if host.len() > MAX_HOST || has_empty_port || !(is_name || is_address) {
        return Err(Error::InvalidHost);
    }
    Ok(host.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(https: &HttpsOnly, view: RequestView<'_>) -> Option<String> {
        let Denial::PlainHttp { location } = https.answer(&view, false) else {
            panic!("another denial");
        };
        location.map(Into::into)
    }

    fn view<'a>(headers: &'a [(&'a str, &'a str)], authority: Option<&'a str>) -> RequestView<'a> {
        RequestView {
            method: "GET",
            scheme: Some("http"),
            authority,
            raw_path: "/a",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: Box::leak(Box::new(headers)),
        }
    }

    fn redirects() -> HttpsOnly {
        HttpsOnly::redirect_to(["API.example.com", "[2001:db8::1]:8443"]).expect("hosts")
    }

    #[test]
    fn redirects_to_the_same_resource_of_a_host_that_was_named() {
        let https = redirects();
        let to = |authority| answer(&https, view(&[], Some(authority)));
        assert_eq!(
            to("api.example.com").as_deref(),
            Some("https://api.example.com/a")
        );
        assert_eq!(
            to("Api.Example.com:80").as_deref(),
            Some("https://api.example.com/a")
        );
        assert_eq!(
            to("[2001:db8::1]").as_deref(),
            Some("https://[2001:db8::1]:8443/a")
        );
        let asked = RequestView {
            raw_query: Some("b=c"),
            ..view(&[], Some("api.example.com"))
        };
        assert_eq!(
            answer(&https, asked).as_deref(),
            Some("https://api.example.com/a?b=c")
        );
    }

    #[test]
    fn never_redirects_to_a_host_that_the_client_named() {
        let https = redirects();
        for authority in [
            "evil.example",
            "api.example.com.evil.example",
            "evil.example:443@api.example.com",
            "api.example.com@evil.example",
            "xapi.example.com",
            "api.example.com.",
            "",
        ] {
            assert_eq!(
                answer(&https, view(&[], Some(authority))),
                None,
                "{authority}"
            );
        }
        assert_eq!(answer(&https, view(&[], None)), None);
    }

    #[test]
    fn never_redirects_what_carried_a_credential_or_changes_something() {
        let https = redirects();
        let host = Some("api.example.com");
        for headers in [
            [("authorization", "Bearer x")],
            [("cookie", "session=x")],
            [("Authorization", "")],
        ] {
            assert_eq!(answer(&https, view(&headers, host)), None, "{headers:?}");
        }
        let presented = https.answer(&view(&[], host), true);
        assert_eq!(presented, Denial::PlainHttp { location: None });
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "TRACE"] {
            let asked = RequestView {
                method,
                ..view(&[], host)
            };
            assert_eq!(answer(&https, asked), None, "{method}");
        }
    }

    #[test]
    fn refuses_whoever_no_host_was_named_for() {
        assert_eq!(
            answer(&HttpsOnly::refuse(), view(&[], Some("api.example.com"))),
            None
        );
    }

    #[test]
    fn takes_hosts_alone() {
        for host in [
            "",
            " ",
            "a b",
            "https://a",
            "a/b",
            "a:",
            "a:b",
            "a@b",
            "a\r\nb",
            "[::1",
            "::1",
            "[a]",
            ".a",
            "a..b",
            "a?",
            "*.example.com",
        ] {
            assert_eq!(
                HttpsOnly::redirect_to([host]),
                Err(Error::InvalidHost),
                "{host:?}"
            );
        }
        let long = "a".repeat(MAX_HOST);
        assert!(HttpsOnly::redirect_to([&long]).is_ok());
        assert_eq!(
            HttpsOnly::redirect_to([format!("{long}a")]),
            Err(Error::InvalidHost)
        );
        let none: [&str; 0] = [];
        assert_eq!(HttpsOnly::redirect_to(none), Err(Error::InvalidHost));
        assert_eq!(
            HttpsOnly::redirect_to(vec!["a"; 65]),
            Err(Error::InvalidHost)
        );
    }
}
