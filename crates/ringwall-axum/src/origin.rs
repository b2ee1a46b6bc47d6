//! Where axum keeps what the gate wants to know.

use core::net::SocketAddr;

use axum::extract::{ConnectInfo, OriginalUri};
use axum::http::Extensions;
use ringwall_tower::{Origin, Peer};

/// The URI as received, since a router that nests cuts its prefix off; and the other end of the
/// connection, from [`Peer`] as an extension or as axum's own [`ConnectInfo`], or from the bare address
/// that axum knows by itself.
pub(crate) fn origin(extensions: &Extensions) -> Origin<'_> {
    let accepted = || extensions.get::<ConnectInfo<Peer>>().map(|info| &info.0);
    let origin = match extensions.get::<Peer>().or_else(accepted) {
        Some(peer) => Origin::of(peer),
        None => Origin {
            peer: extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|info| info.0),
            ..Origin::default()
        },
    };
    Origin {
        uri: extensions.get::<OriginalUri>().map(|uri| &uri.0),
        ..origin
    }
}
