//! What stands in front of the service, and what it demands of connections.

use ringwall_transport::{ForwardingHeader, TrustedProxies};

use super::section::Section;
use super::token_place::is_header_name;
use crate::https::HttpsOnly;

/// What stands in front of the service.
#[derive(Clone, Debug, Default)]
pub(super) struct Front {
    /// Who is believed when they say for whom they speak.
    pub(super) proxies: TrustedProxies,
    /// Whether somebody was named, rightly or not.
    pub(super) names_proxies: bool,
    /// What becomes of plain HTTP. `None` serves it.
    pub(super) https: Option<HttpsOnly>,
    /// What only those may set.
    pub(super) proxy_headers: Vec<String>,
    pub(super) permits_encoded_slashes: bool,
}

impl Front {
    /// Reads the section. Plain HTTP is refused unless it says otherwise, or nobody else is in front of a
    /// development machine.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let networks = section.texts("trusted_proxies").unwrap_or_default();
        let header = section.text("forwarding_header");
        section.unless_set("forwarding_header", "x-forwarded");
        let header = match header.as_deref() {
            None | Some("x-forwarded") => ForwardingHeader::XForwarded,
            Some("forwarded") => ForwardingHeader::Forwarded,
            Some(_) => {
                let remedy = "write x-forwarded or forwarded";
                section.fault("forwarding_header", "is unknown", remedy);
                ForwardingHeader::XForwarded
            }
        };
        let is_proxied = !networks.is_empty();
        let proxies = networks
            .iter()
            .fold(TrustedProxies::builder(), |builder, network| {
                builder.network(network)
            })
            .header(header)
            .build();
        let proxies = proxies.unwrap_or_else(|error| {
            let problem = format!("cannot be used: {error}");
            let remedy = "write addresses and networks, such as 10.0.0.0/8";
            section.fault("trusted_proxies", problem, remedy);
            TrustedProxies::none()
        });
        let lower = |name: String| {
            let name = name.to_ascii_lowercase();
            if is_header_name(&name) {
                Ok(name)
            } else {
                Err(())
            }
        };
        let what = "names of header fields, such as x-auth-request-user";
        let proxy_headers = section.parsed_texts("proxy_headers", lower, what);
        let hosts = section.texts("https_redirect_hosts").unwrap_or_default();
        let is_development = section.profile().is_development();
        let unless_set = is_development && !is_proxied && hosts.is_empty();
        let serves_plain_http = section.flag("serve_plain_http", unless_set);
        if serves_plain_http && !hosts.is_empty() {
            let problem = "redirects what serve_plain_http serves";
            section.fault("https_redirect_hosts", problem, "leave one of the two out");
        }
        let https = if serves_plain_http {
            None
        } else if hosts.is_empty() {
            Some(HttpsOnly::refuse())
        } else {
            let redirects = HttpsOnly::redirect_to(&hosts);
            if let Err(error) = &redirects {
                let remedy = "write the names that clients use, such as api.example.com";
                section.fault("https_redirect_hosts", error.to_string(), remedy);
            }
            redirects.ok()
        };
        let permits_encoded_slashes = section.flag("permit_encoded_slashes", false);
        section.finish();
        Self {
            proxies,
            names_proxies: is_proxied,
            https,
            proxy_headers: proxy_headers.unwrap_or_default(),
            permits_encoded_slashes,
        }
    }
}
