//! Client certificates, and the end of the trust in them.

use ringwall_transport::ClientTrust;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::client::{ADA, Client, PATIENCE, ask, get, http1, http2};
use crate::site::Site;

#[tokio::test]
async fn a_client_certificate_reaches_the_gate_by_either_protocol() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::optional([authority.root()]));
    let shown = authority.client("client.test");
    let expected = "certificate 127.0.0.1 Some(\"https\")";

    let client = Client::new(&authority, Some(&shown), &["http/1.1"]);
    let mut stream = client.connect(site.address).await.expect("TLS");
    let answer = http1(&mut stream, &get("/whoami", &[])).await;
    assert_eq!(answer.expect("an answer"), (200, expected.to_owned()));

    let client = Client::new(&authority, Some(&shown), &["h2"]);
    let requests = http2(client.connect(site.address).await.expect("TLS")).await;
    let (status, _, body) = ask(&requests, "GET", "/whoami", &[], None).await;
    assert_eq!((status, body.as_deref()), (200, Some(expected)));

    // Nobody is what somebody else has shown.
    let client = Client::new(&authority, None, &["h2"]);
    let requests = http2(client.connect(site.address).await.expect("TLS")).await;
    assert_eq!(ask(&requests, "GET", "/whoami", &[], None).await.0, 401);
}

#[tokio::test]
async fn a_foreign_certificate_and_none_are_refused_where_one_is_required() {
    let (authority, foreign) = (Authority::new("root"), Authority::new("other"));
    let site = Site::new(&authority, ClientTrust::required([authority.root()]));
    let stranger = foreign.client("client.test");
    for shown in [None, Some(&stranger)] {
        let client = Client::new(&authority, shown, &["http/1.1"]);
        // TLS 1.3 tells a client of the refusal only once it reads.
        if let Ok(mut stream) = client.connect(site.address).await {
            assert!(http1(&mut stream, &get("/health", &[])).await.is_err());
        }
    }
    let known = authority.client("client.test");
    let client = Client::new(&authority, Some(&known), &["http/1.1"]);
    let mut stream = client.connect(site.address).await.expect("TLS");
    let answer = http1(&mut stream, &get("/health", &[])).await;
    assert_eq!(answer.expect("an answer").0, 200);
    assert_eq!(site.acceptor.counts().failed, 2);
}

#[tokio::test]
async fn running_connections_end_when_the_root_of_their_client_is_removed() {
    let (authority, other) = (Authority::new("root"), Authority::new("other"));
    let site = Site::new(&authority, ClientTrust::optional([authority.root()]));
    let shown = authority.client("client.test");
    let client = Client::new(&authority, Some(&shown), &["http/1.1"]);
    let mut idle = client.connect(site.address).await.expect("TLS");
    assert_eq!(
        http1(&mut idle, &get("/whoami", &[]))
            .await
            .expect("an answer")
            .0,
        200
    );
    let client = Client::new(&authority, Some(&shown), &["h2"]);
    let requests = http2(client.connect(site.address).await.expect("TLS")).await;
    let streaming =
        tokio::spawn(async move { ask(&requests, "GET", "/ticks", &[ADA], None).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;

    let trust = ClientTrust::optional([other.root()]);
    site.tls.set_client_trust(trust).expect("a configuration");
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, idle.read_to_end(&mut rest)).await;
    ended.expect("the idle connection ends").ok();
    assert!(rest.is_empty());
    let ended = timeout(PATIENCE, streaming).await.expect("the stream ends");
    // Before it had an answer or in the midst of it: it is not whole.
    if let Ok((_, _, body)) = ended {
        assert_eq!(body, None);
    }
    // Who shows it again is refused; TLS 1.3 tells a client so only once it reads.
    let client = Client::new(&authority, Some(&shown), &["http/1.1"]);
    if let Ok(mut stream) = client.connect(site.address).await {
        assert!(http1(&mut stream, &get("/health", &[])).await.is_err());
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let site = Site::new(&old, ClientTrust::none());
    let client = Client::new(&old, None, &["http/1.1"]);
    let mut running = client.connect(site.address).await.expect("TLS");
    let issued = new.server();
    let set = site.tls.set_certificate(issued.chain(), issued.key());
    set.expect("a configuration");
    // The running connection goes on.
    let answer = http1(&mut running, &get("/health", &[])).await;
    assert_eq!(answer.expect("an answer").0, 200);
    assert!(client.connect(site.address).await.is_err());
    let client = Client::new(&new, None, &["http/1.1"]);
    let mut stream = client.connect(site.address).await.expect("TLS");
    let answer = http1(&mut stream, &get("/health", &[])).await;
    assert_eq!(answer.expect("an answer").0, 200);
}
