//! Sessions: never where clients show certificates, and never beyond a configuration.

use std::sync::Arc;

use ringwall_transport::ClientTrust;
use rustls::{ClientConfig, HandshakeKind};

use crate::authority::Leaf;
use crate::bench::{Bench, EACH_VERSION, Echo, served};

/// How three connections of one client that would resume are made, and how many tickets it got.
async fn meetings(echo: &Echo, config: &Arc<ClientConfig>) -> (Vec<HandshakeKind>, u32) {
    let (mut kinds, mut tickets) = (Vec::new(), 0);
    for _ in 0..3 {
        // The answer comes after the tickets, so they are there when it is.
        let connection = served(echo.address, config).await.expect("served");
        let session = connection.get_ref().1;
        kinds.push(session.handshake_kind().expect("a handshake"));
        tickets += session.tls13_tickets_received();
    }
    (kinds, tickets)
}

#[tokio::test]
async fn nobody_is_resumed_where_certificates_are_asked_for() {
    let bench = Bench::new();
    for versions in EACH_VERSION {
        let client = || bench.client().versions(versions);
        let known = client().shows(&bench.good_client()).config();
        let full = (vec![HandshakeKind::Full; 3], 0);
        let required = Echo::new(&bench.load(bench.required())).await;
        assert_eq!(meetings(&required, &known).await, full);
        let optional = Echo::new(&bench.load(bench.optional())).await;
        assert_eq!(meetings(&optional, &known).await, full);
        assert_eq!(meetings(&optional, &client().config()).await, full);
    }
}

#[tokio::test]
async fn without_certificates_clients_are_resumed_until_the_configuration_changes() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let echo = Echo::new(&tls).await;
    for versions in EACH_VERSION {
        let client = bench.client().versions(versions).config();
        let (kinds, _) = meetings(&echo, &client).await;
        // This client can resume, so the tests around this one can fail.
        assert_eq!(
            kinds,
            [
                HandshakeKind::Full,
                HandshakeKind::Resumed,
                HandshakeKind::Resumed
            ]
        );
        bench.write_certificate(&bench.servers.issue(&Leaf::server()));
        assert!(tls.reload().expect("good files"));
        let (kinds, _) = meetings(&echo, &client).await;
        assert_eq!(kinds.first(), Some(&HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_session_from_before_does_not_evade_certificates_that_are_demanded_now() {
    let bench = Bench::new();
    for versions in EACH_VERSION {
        let tls = bench.load(ClientTrust::none());
        let echo = Echo::new(&tls).await;
        let client = bench.client().versions(versions).config();
        let (kinds, _) = meetings(&echo, &client).await;
        assert_eq!(kinds.last(), Some(&HandshakeKind::Resumed));
        tls.set_client_trust(bench.required()).expect("good roots");
        assert!(served(echo.address, &client).await.is_err());
    }
}
