//! How much of the service one caller can take.

use core::time::Duration;

use ringwall_gate::config::SettingsSection;

/// The bounds of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub(crate) connections: u32,
    /// How long a client may take for the header of a request, idle connections included.
    pub(crate) header_time: Duration,
    /// How long a request may take from its header to its answer, the sending of its body included.
    pub(crate) request_time: Duration,
    /// How long running requests may take to end when the service stops.
    pub(crate) grace: Duration,
}

impl Limits {
    pub(super) fn read(section: &mut SettingsSection<'_>) -> Self {
        Self {
            connections: section.number("max_connections", 1..=100_000, 1024),
            header_time: section.seconds("header_timeout_seconds", 1..=300, 10),
            request_time: section.seconds("request_timeout_seconds", 1..=300, 30),
            grace: section.seconds("grace_seconds", 0..=300, 10),
        }
    }
}
