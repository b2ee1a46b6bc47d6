//! Clients that leave while a handler is at work.

use ringwall_transport::ClientTrust;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::authority::Authority;
use crate::client::{ADA, Client, PATIENCE, get};
use crate::site::Site;

/// The client says that it sends nothing more, in TLS (`close_notify`) and in TCP, and keeps the half of
/// the connection on which it reads. A server that permits that would go on, with nobody to tell whether
/// the client is still there.
#[tokio::test]
async fn a_handler_whose_client_closes_its_half_of_the_connection_is_dropped() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["http/1.1"]);
    let mut stream = client.connect(site.address).await.expect("TLS");
    let text = get("/wait", &[ADA]);
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");
    let started = timeout(PATIENCE, site.patient.started.notified());
    started.await.expect("the handler begins");
    stream.shutdown().await.expect("half closed");
    let dropped = timeout(PATIENCE, site.patient.dropped.notified());
    dropped.await.expect("the handler is dropped");
    site.patient.done.notify_one();
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    read.expect("the connection ends").ok();
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

/// Whoever goes on listening is answered.
#[tokio::test]
async fn a_handler_whose_client_stays_is_not_dropped_before_it_answers() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["http/1.1"]);
    let mut stream = client.connect(site.address).await.expect("TLS");
    let text = get("/wait", &[ADA, ("connection", "close")]);
    stream.write_all(text.as_bytes()).await.expect("sent");
    let started = timeout(PATIENCE, site.patient.started.notified());
    started.await.expect("the handler begins");
    site.patient.done.notify_one();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("the connection ends").ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"));
}
