//! What is known of a connection when it begins.

use core::any::Any;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use ringwall_transport::Peer;

/// Tells the gate what the connection is, for actix-web's own
/// [`HttpServer::on_connect`](actix_web::HttpServer::on_connect): a plain TCP connection from this
/// address. Without it the gate knows the address, and no scheme, so that a gate that demands TLS
/// ([`HttpsOnly`](ringwall_gate::HttpsOnly)) refuses whoever does not come through a trusted proxy.
///
/// Of a connection of any other kind it says nothing: only whoever made the handshake knows what it
/// proved.
///
/// ```
/// use actix_web::{App, HttpServer};
///
/// # fn main() -> std::io::Result<()> {
/// # let guarded = ringwall_actix::GuardedApp::new(
/// #     ringwall_gate::Gate::builder("cases").without_authenticators().without_audit().build().unwrap(),
/// # ).build().unwrap();
/// let server = HttpServer::new(move || App::new().configure(guarded.configure()))
///     .on_connect(ringwall_actix::on_connect)
///     .bind("127.0.0.1:0")?;
/// # Ok(())
/// # }
/// ```
pub fn on_connect(connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<TcpStream>();
    if let Some(address) = stream.and_then(|stream| stream.peer_addr().ok()) {
        data.insert(Peer::plain(address));
    }
}
