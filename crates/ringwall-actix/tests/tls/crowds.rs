//! Clients that say nothing.

use ringwall_transport::ClientTrust;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::client::{Client, PATIENCE, get, http1};
use crate::site::Site;

#[tokio::test]
async fn a_thousand_silent_clients_do_not_keep_a_good_one_waiting() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(
            TcpStream::connect(site.address)
                .await
                .expect("a connection"),
        );
    }
    let client = Client::new(&authority, None, &["http/1.1"]);
    // The one worker serves it while the others still say nothing: none of them has timed out.
    let mut stream = client.connect(site.address).await.expect("TLS");
    let answer = timeout(PATIENCE, http1(&mut stream, &get("/health", &[]))).await;
    assert_eq!(answer.expect("in time").expect("an answer").0, 200);
    assert_eq!(site.acceptor.counts().finished, 1);
    assert!(site.acceptor.counts().in_flight > 0);
    drop(silent);
}
