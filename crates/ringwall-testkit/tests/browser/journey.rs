//! One browser on its way through the pages, and what it must have seen.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use ring::digest;
use ringwall_transport::{Pem, ServerTls};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::chromium::Chromium;
use crate::ledger::Ledger;
use crate::policies::{HOSTS, cors};
use crate::{actix_service, axum_service, pages, verdicts};

/// How long one journey may take. It takes some seconds on a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server listens on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) encrypted: u16,
    pub(crate) plain: u16,
}

/// What was seen on the way.
pub(crate) struct Journey {
    told: BTreeMap<String, Value>,
    pub(crate) ledger: Ledger,
    pub(crate) log: String,
}

impl Journey {
    /// What the page of a step saw.
    pub(crate) fn at(&self, step: &str) -> &Value {
        self.told.get(step).unwrap_or_else(|| panic!("no {step}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_believes_what_the_service_says_under_axum() {
    let (tls, key) = certificate(["h2", "http/1.1"]);
    let ledger = Ledger::default();
    let mut hosts = Vec::new();
    for host in HOSTS {
        let ports = axum_service::serve(&tls, cors(host), &ledger).await;
        hosts.extend(mapped(host, ports));
    }
    verdicts::check(&travel(hosts, &tls, &key, ledger).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_believes_what_the_service_says_under_actix_web() {
    // Without its feature `http2` the adapter speaks HTTP/1.1 alone.
    let (tls, key) = certificate(["http/1.1"]);
    let ledger = Ledger::default();
    let mut hosts = Vec::new();
    for host in HOSTS {
        let ports = actix_service::serve(&tls, cors(host), &ledger);
        hosts.extend(mapped(host, ports));
    }
    verdicts::check(&travel(hosts, &tls, &key, ledger).await);
}

fn mapped(host: &str, ports: Ports) -> [(String, u16); 2] {
    [
        (format!("{host}:443"), ports.encrypted),
        (format!("{host}:80"), ports.plain),
    ]
}

/// TLS by these protocols with a certificate for every host, and the hash of its key, by which the browser accepts it.
fn certificate<const N: usize>(protocols: [&str; N]) -> (ServerTls, String) {
    let names = [
        "*.example.com",
        "*.preview.example.com",
        "*.b.preview.example.com",
        "evilexample.com",
        "app.example.com.evil.test",
    ];
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(names.map(str::to_owned)).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    let tls = ServerTls::builder(Pem::text(certificate.pem()), Pem::text(key.serialize_pem()))
        .protocols(protocols);
    let hash = digest::digest(&digest::SHA256, &key.subject_public_key_info());
    (tls.load().expect("TLS"), STANDARD.encode(hash))
}

async fn travel(
    mut hosts: Vec<(String, u16)>,
    tls: &ServerTls,
    key: &str,
    ledger: Ledger,
) -> Journey {
    let steps = verdicts::steps();
    let count = steps.len();
    let first = steps.first().map(|(_, address)| address.clone());
    let (sender, mut receiver) = unbounded_channel();
    let ports = pages::serve(tls, steps, sender, &ledger).await;
    hosts.extend([
        ("*:443".to_owned(), ports.encrypted),
        ("*:8443".to_owned(), ports.encrypted),
        ("*:80".to_owned(), ports.plain),
    ]);
    let browser = Chromium::open(&first.expect("a step"), &hosts, key);
    let mut told = BTreeMap::new();
    let arrived = timeout(PATIENCE, async {
        while told.len() < count {
            let (step, seen) = receiver.recv().await.expect("a collector");
            told.insert(step, seen);
        }
    });
    let arrived = arrived.await.is_ok();
    let log = browser.log();
    drop(browser);
    assert!(arrived, "the browser came no further than {told:#?}\n{log}");
    Journey { told, ledger, log }
}
