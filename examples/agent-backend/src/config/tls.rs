//! TLS of the service's own, and whose client certificates it accepts.

use core::time::Duration;

use ringwall_gate::config::SettingsSection;
use ringwall_transport::{ClientTrust, Pem, ServerTls};
use std::sync::Arc;

use crate::metrics::Events;

/// What the service speaks over TLS: HTTP/1.1 alone, as without.
const PROTOCOLS: [&str; 1] = ["http/1.1"];

/// TLS with files that are looked at again.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) server: ServerTls,
    pub(crate) poll: Duration,
    /// Whether clients are asked for certificates.
    pub(crate) asks_clients: bool,
}

impl Tls {
    /// Reads the section and the files that it names. `None` when there is a fault.
    pub(super) fn read(section: &mut SettingsSection<'_>, events: &Arc<Events>) -> Option<Self> {
        let remedy = "name a PEM file with the certificate and those between it and its root";
        let certificate = section.required("certificate", remedy);
        let key = section.required("key", "name a PEM file with the key of the certificate");
        let roots = section.texts("client_roots").unwrap_or_default();
        let is_required = section.flag("require_client_certificate", false);
        if is_required && roots.is_empty() {
            let problem = "demands what nobody can show: client_roots names nobody";
            let remedy = "name the roots whose clients are let in";
            section.fault("require_client_certificate", problem, remedy);
        }
        let poll = section.seconds("poll_seconds", 1..=86_400, 30);
        let asks_clients = !roots.is_empty();
        let roots = roots.into_iter().map(Pem::file);
        let trust = match (asks_clients, is_required) {
            (false, _) => ClientTrust::none(),
            (true, false) => ClientTrust::optional(roots),
            (true, true) => ClientTrust::required(roots),
        };
        let server = ServerTls::builder(Pem::file(certificate?), Pem::file(key?))
            .client_trust(trust)
            .protocols(PROTOCOLS)
            .events(events.clone())
            .load();
        match server {
            Ok(server) => Some(Self {
                server,
                poll,
                asks_clients,
            }),
            Err(error) => {
                let problem = format!("cannot be used: {error}");
                section.fault("certificate", problem, "correct the files or their names");
                None
            }
        }
    }
}
