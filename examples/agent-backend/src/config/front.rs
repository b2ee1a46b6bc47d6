//! What stands in front of the service, and what it demands of connections.

use ringwall_gate::{HttpsOnly, TrustedProxies};
use ringwall_transport::ForwardingHeader;
use toml::Table;

use crate::config::fault::Faults;
use crate::config::section::Section;

/// What stands in front of the service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Front {
    /// Who is believed when they say for whom they speak.
    pub(crate) proxies: TrustedProxies,
    /// What becomes of plain HTTP. `None` serves it.
    pub(crate) https: Option<HttpsOnly>,
}

impl Front {
    /// Reads the section. `is_encrypted` says whether the service speaks TLS itself: then, and behind
    /// proxies, plain HTTP is refused unless the section says otherwise.
    pub(crate) fn read(table: Table, is_encrypted: bool, faults: &mut Faults) -> Self {
        let mut section = Section::new("front", table, faults);
        let networks = section.texts("trusted_proxies");
        let header = section.text("forwarding_header");
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
            section.fault("trusted_proxies", &problem, remedy);
            TrustedProxies::none()
        });
        let hosts = section.texts("https_redirect_hosts");
        let serves_plain_http = section.flag("serve_plain_http");
        if serves_plain_http && !hosts.is_empty() {
            let problem = "redirects what serve_plain_http serves";
            section.fault("https_redirect_hosts", problem, "leave one of the two out");
        }
        let https = if serves_plain_http || !(is_encrypted || is_proxied || !hosts.is_empty()) {
            None
        } else if hosts.is_empty() {
            Some(HttpsOnly::refuse())
        } else {
            let redirects = HttpsOnly::redirect_to(&hosts);
            if let Err(error) = &redirects {
                let remedy = "write the names that clients use, such as api.example.com";
                section.fault("https_redirect_hosts", &error.to_string(), remedy);
            }
            redirects.ok()
        };
        section.finish();
        Self { proxies, https }
    }
}
