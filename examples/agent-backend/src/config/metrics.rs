//! Where the metrics can be fetched.

use std::net::SocketAddr;

use ringwall_gate::config::SettingsSection;

/// Reads the section: the address to serve them on, or `None`, which serves them nowhere.
pub(super) fn read(section: &mut SettingsSection<'_>) -> Option<SocketAddr> {
    let what = "an address with a port, such as 127.0.0.1:9090";
    let listen: Option<SocketAddr> = section.parsed("listen", what);
    let beyond_loopback = section.flag("beyond_loopback", false);
    if listen.is_some_and(|listen| !listen.ip().is_loopback()) && !beyond_loopback {
        section.fault(
            "listen",
            "can be reached by other machines, and tells them how the service is attacked and how it fails",
            "listen on 127.0.0.1, or permit it by name with metrics.beyond_loopback = true",
        );
    }
    listen
}
