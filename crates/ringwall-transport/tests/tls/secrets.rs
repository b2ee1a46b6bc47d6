//! The private key is shown nowhere.

use core::fmt::Debug;
use std::sync::Arc;

use ringwall_transport::{ClientTls, ClientTrust, HandshakeAcceptor, Pem, ServerTls, TlsListener};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::authority::Leaf;
use crate::bench::{Bench, connect, soon};

#[tokio::test]
async fn no_debug_shows_the_private_key() {
    let bench = Bench::new();
    let issued = bench.servers.issue(&Leaf::server());
    let text = || Pem::text(&*issued.key);
    let der = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
    let bytes: Vec<_> = der.secret_der()[40..60].iter().map(u8::to_string).collect();
    let base64 = issued.key.lines().nth(1).expect("base64").to_owned();
    let hides = |what: &dyn Debug| {
        for shown in [format!("{what:?}"), format!("{what:#?}")] {
            assert!(!shown.contains(&base64[40..60]), "{shown}");
            assert!(!shown.contains(&bytes.join(", ")), "{shown}");
            assert!(!shown.contains(&bytes.join(",\n")), "{shown}");
        }
    };
    let builder = || {
        ServerTls::builder(Pem::text(&*issued.chain), text())
            .clock(Arc::clone(&bench.clock) as _)
            .client_trust(bench.optional())
    };
    let tls = builder().load().expect("good texts");
    let acceptor = HandshakeAcceptor::new(&tls);
    let mut listener = TlsListener::builder(acceptor.clone())
        .bind("127.0.0.1:0")
        .await
        .expect("a port");
    let config = bench.client().config();
    let address = listener.local_addr();
    let both = async { tokio::join!(connect(address, &config), listener.accept()) };
    let (_client, (connection, peer)) = soon(both).await;
    let client_builder = || {
        ClientTls::builder([Pem::text(&*bench.servers.pem)])
            .clock(Arc::clone(&bench.clock) as _)
            .certificate(Pem::text(&*issued.chain), text())
    };
    let client = client_builder().load().expect("good texts");
    hides(&text());
    hides(&builder());
    hides(&tls);
    hides(&tls.status());
    hides(&acceptor);
    hides(&HandshakeAcceptor::builder(&tls));
    hides(&listener);
    hides(&TlsListener::builder(acceptor));
    hides(&connection);
    hides(&peer);
    hides(&client_builder());
    hides(&client);
    hides(&client.config());
    hides(&ClientTrust::required([text()]));

    // The key where roots and a chain belong, cut off and doubled: errors do not repeat it.
    let cut = &issued.key[..issued.key.len() - 30];
    for (chain, key) in [
        (text(), text()),
        (Pem::text(&*issued.chain), Pem::text(cut)),
        (Pem::text(&*issued.chain), Pem::text(issued.key.repeat(2))),
        (Pem::text(&*bench.good_client().chain), text()),
    ] {
        let trust = ClientTrust::required([text()]).revocation_lists([text()]);
        let error = ServerTls::builder(chain, key).client_trust(trust).load();
        let error = error.expect_err("refused");
        hides(&error);
        hides(&error.to_string());
    }
}
