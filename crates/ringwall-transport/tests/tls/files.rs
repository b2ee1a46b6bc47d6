//! What is read, what is refused, and what a reload leaves in force.

use std::sync::{Arc, Mutex};

use ringwall_core::clock::Timestamp;
use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, Pem, ServerTls, TlsError, TlsFault};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

use crate::authority::{Authority, DAY, HOUR, Issued, Leaf, NOW};
use crate::bench::{Bench, Echo, connect, is_served, second};

fn faults(error: &TlsError) -> Vec<TlsFault> {
    error
        .problems()
        .iter()
        .map(|problem| problem.fault())
        .collect()
}

/// The faults that a server with these texts is refused for.
fn refusal(bench: &Bench, chain: &str, key: &str) -> Vec<TlsFault> {
    bench.write("tls.crt", chain);
    bench.write("tls.key", key);
    faults(&bench.builder().load().expect_err("refused"))
}

fn leaf_of(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.chain.as_bytes()).expect("PEM")
}

/// The certificate that the server shows.
async fn shown(echo: &Echo, config: &Arc<ClientConfig>) -> CertificateDer<'static> {
    let connection = connect(echo.address, config).await.expect("a connection");
    let chain = connection.get_ref().1.peer_certificates();
    chain.expect("a chain").first().expect("a leaf").clone()
}

#[test]
fn refuses_what_cannot_be_a_certificate_with_its_key() {
    let bench = Bench::new();
    let (one, other) = (
        bench.servers.issue(&Leaf::server()),
        bench.servers.issue(&Leaf::server()),
    );
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let cases = [
        (&*one.chain, &*other.key, TlsFault::KeyMismatch),
        ("", &one.key, TlsFault::NoCertificate),
        ("no PEM", &one.key, TlsFault::NoCertificate),
        (&one.key, &one.key, TlsFault::NoCertificate),
        (&one.chain[..200], &one.key, TlsFault::NotPem),
        (no_der, &one.key, TlsFault::MalformedCertificate),
        (&one.chain, "", TlsFault::NoKey),
        (&one.chain, encrypted, TlsFault::NoKey),
        (&one.chain, &one.chain, TlsFault::NoKey),
        (&one.chain, &one.key[..100], TlsFault::NotPem),
        (&one.chain, no_key, TlsFault::UnusableKey),
    ];
    for (chain, key, fault) in cases {
        assert_eq!(refusal(&bench, chain, key), [fault], "{fault}");
    }
    let two_keys = one.key.clone() + &other.key;
    assert_eq!(
        refusal(&bench, &one.chain, &two_keys),
        [TlsFault::SeveralKeys]
    );
    let long = one.chain.repeat(17);
    assert_eq!(refusal(&bench, &long, &one.key), [TlsFault::TooMany]);
    let endless = "#".repeat(4 * 1024 * 1024 + 1);
    assert_eq!(refusal(&bench, &endless, &one.key), [TlsFault::TooLong]);
    // The root first, as many a hand has put them.
    let reversed = bench.servers.pem.clone() + &one.chain;
    assert_eq!(
        refusal(&bench, &reversed, &one.key),
        [TlsFault::KeyMismatch]
    );
    assert_eq!(
        refusal(&bench, &one.chain, &one.key[..0]),
        [TlsFault::NoKey]
    );
}

#[test]
fn refuses_a_certificate_outside_its_dates() {
    let bench = Bench::new();
    let of = |from, until| bench.servers.issue(&Leaf::server().valid(from, until));
    let old = of(NOW - DAY, NOW - 1);
    assert_eq!(refusal(&bench, &old.chain, &old.key), [TlsFault::Expired]);
    let early = of(NOW + 1, NOW + DAY);
    assert_eq!(
        refusal(&bench, &early.chain, &early.key),
        [TlsFault::NotYetValid]
    );
    let moment = of(NOW, NOW);
    bench.write_certificate(&moment);
    assert!(bench.builder().load().is_ok());
}

#[test]
fn refuses_what_cannot_be_roots() {
    let bench = Bench::new();
    let refusal = |roots: &str| {
        bench.write("roots.pem", roots);
        let load = bench.builder().client_trust(bench.required()).load();
        faults(&load.expect_err("refused"))
    };
    let root = &bench.clients.pem;
    assert_eq!(refusal(""), [TlsFault::NoCertificate]);
    assert_eq!(refusal("no PEM"), [TlsFault::NoCertificate]);
    assert_eq!(refusal(&root[..300]), [TlsFault::NotPem]);
    let half = root.clone() + &Authority::new("other").pem[..300];
    assert_eq!(
        refusal(&half),
        [TlsFault::NotPem],
        "half a root among good ones"
    );
    let leaf = bench.good_client().chain;
    assert_eq!(refusal(&leaf), [TlsFault::NotAnAuthority]);
    let leaf_among_roots = root.clone() + &leaf;
    assert_eq!(refusal(&leaf_among_roots), [TlsFault::NotAnAuthority]);
    let many = root.repeat(1025);
    assert_eq!(refusal(&many), [TlsFault::TooMany]);
    for trust in [
        ClientTrust::required(Vec::<Pem>::new()),
        ClientTrust::optional(Vec::<Pem>::new()),
    ] {
        let load = bench.builder().client_trust(trust).load();
        assert_eq!(faults(&load.expect_err("refused")), [TlsFault::NoRoots]);
    }
}

#[test]
fn refuses_revocation_lists_that_are_none() {
    let bench = Bench::new();
    let list = bench.clients.revocation_list(&[], NOW + DAY);
    for (text, fault) in [
        ("", TlsFault::NoRevocationList),
        (&*bench.clients.pem, TlsFault::NoRevocationList),
        (&list[..100], TlsFault::NotPem),
        ("0 is where DER begins", TlsFault::MalformedRevocationList),
    ] {
        bench.write("list.pem", text);
        let trust = bench.required().revocation_lists([bench.path("list.pem")]);
        let load = bench.builder().client_trust(trust).load();
        assert_eq!(faults(&load.expect_err("refused")), [fault]);
    }
}

#[test]
fn says_everything_that_is_wrong_at_once_and_names_the_files() {
    let bench = Bench::new();
    let trust = ClientTrust::required([bench.path("no roots"), bench.path("tls.key")])
        .revocation_lists([bench.path("no list")]);
    let load = ServerTls::builder(bench.path("no chain"), bench.path("no key"))
        .client_trust(trust)
        .protocols([""])
        .load();
    let error = load.expect_err("refused");
    assert_eq!(
        faults(&error),
        [
            TlsFault::BadProtocol,
            TlsFault::Unreadable,
            TlsFault::Unreadable,
            TlsFault::Unreadable,
            TlsFault::Unreadable
        ]
    );
    assert!(error.has(TlsFault::BadProtocol) && !error.has(TlsFault::Expired));
    let text = error.to_string();
    for name in ["no chain", "no key", "no roots", "no list"] {
        assert!(text.contains(name), "{text}");
    }
    let mismatch = bench
        .builder()
        .client_trust(ClientTrust::required([bench.path("tls.key")]));
    bench.write("tls.key", &bench.good_client().key);
    let both = faults(&mismatch.load().expect_err("refused"));
    assert_eq!(both, [TlsFault::KeyMismatch, TlsFault::NoCertificate]);
}

#[cfg(unix)]
#[test]
fn refuses_files_that_everybody_may_write_and_what_is_no_file() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    for name in ["tls.crt", "tls.key", "roots.pem"] {
        let mode = |mode| {
            std::fs::set_permissions(bench.path(name), PermissionsExt::from_mode(mode))
                .expect("mode");
        };
        mode(0o602);
        let load = bench.builder().client_trust(bench.required()).load();
        assert_eq!(
            faults(&load.expect_err("refused")),
            [TlsFault::WritableByAll]
        );
        mode(0o600);
    }
    let folder = ClientTrust::required([bench.path("")]);
    let load = bench.builder().client_trust(folder).load();
    assert_eq!(faults(&load.expect_err("refused")), [TlsFault::NotAFile]);
    assert_eq!(bench.count(EventKind::PrivateKeyExposed), 0);
    std::fs::set_permissions(bench.path("tls.key"), PermissionsExt::from_mode(0o644))
        .expect("mode");
    bench.builder().load().expect("a warning is no refusal");
    assert_eq!(bench.count(EventKind::PrivateKeyExposed), 1);
}

#[test]
fn a_clock_that_fails_loads_nothing() {
    let bench = Bench::new();
    bench.clock.fail(true);
    let error = bench.builder().load().expect_err("refused");
    assert_eq!(faults(&error), [TlsFault::ClockUnavailable]);
}

#[tokio::test]
async fn works_from_memory_and_takes_replacements_from_there() {
    let bench = Bench::new();
    let (first, second) = (
        bench.servers.issue(&Leaf::server()),
        bench.servers.issue(&Leaf::server()),
    );
    let tls = ServerTls::builder(Pem::text(&*first.chain), Pem::text(&*first.key))
        .clock(Arc::clone(&bench.clock) as _)
        .load()
        .expect("good texts");
    let echo = Echo::new(&tls).await;
    let client = bench.client().config();
    assert_eq!(shown(&echo, &client).await, leaf_of(&first));
    assert!(!tls.reload().expect("the same"));

    tls.set_certificate(Pem::text(&*second.chain), Pem::text(&*second.key))
        .expect("good texts");
    assert_eq!(shown(&echo, &client).await, leaf_of(&second));
    let error = tls
        .set_certificate(Pem::text(&*first.chain), Pem::text(&*second.key))
        .expect_err("refused");
    assert_eq!(faults(&error), [TlsFault::KeyMismatch]);
    assert_eq!(shown(&echo, &client).await, leaf_of(&second));

    tls.set_client_trust(ClientTrust::required([Pem::text(&*bench.clients.pem)]))
        .expect("good roots");
    assert!(!is_served(echo.address, &client).await);
    let good = bench.client().shows(&bench.good_client()).config();
    assert!(is_served(echo.address, &good).await);
    let error = tls
        .set_client_trust(ClientTrust::required([Pem::text("no roots")]))
        .expect_err("refused");
    assert_eq!(faults(&error), [TlsFault::NoCertificate]);
    assert!(is_served(echo.address, &good).await && !is_served(echo.address, &client).await);
    assert!(tls.status().is_current());
}

#[tokio::test]
async fn a_renewal_is_served_and_keeps_the_trust() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let echo = Echo::new(&tls).await;
    let client = bench.client().shows(&bench.good_client()).config();
    let before = tls.status();
    let renewed = bench
        .servers
        .issue(&Leaf::server().valid(NOW - HOUR, NOW + 90 * DAY));
    bench.write_certificate(&renewed);
    assert!(tls.reload().expect("good files"));
    assert_eq!(shown(&echo, &client).await, leaf_of(&renewed));
    let after = tls.status();
    assert_eq!(after.generation, before.generation + 1);
    assert_eq!(after.trust_generation, before.trust_generation);
    assert_eq!(after.not_after, Some(second(NOW + 90 * DAY)));
    assert_eq!(
        bench.causes(EventKind::CertificatesReloaded),
        ["another certificate is in force"]
    );
    assert!(!tls.reload().expect("the same"));
}

#[tokio::test]
async fn a_key_of_another_certificate_keeps_the_old_and_is_reported_once() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let echo = Echo::new(&tls).await;
    let client = bench.client().config();
    let before = shown(&echo, &client).await;
    let renewed = bench.servers.issue(&Leaf::server());
    bench.write("tls.crt", &renewed.chain);
    for _ in 0..3 {
        let error = tls.reload().expect_err("refused");
        assert_eq!(faults(&error), [TlsFault::KeyMismatch]);
        assert_eq!(shown(&echo, &client).await, before);
    }
    assert_eq!(bench.count(EventKind::CertificatesRefused), 1);
    let status = tls.status();
    assert!(!status.is_current() && status.is_ready(bench.now()));
    assert!(
        status
            .failure
            .expect("a failure")
            .has(TlsFault::KeyMismatch)
    );
    bench.write("tls.key", &renewed.key);
    assert!(tls.reload().expect("good files"));
    assert_eq!(shown(&echo, &client).await, leaf_of(&renewed));
    assert!(tls.status().is_current());
}

#[test]
fn no_half_written_file_is_taken_over() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let before = tls.status();
    let renewed = bench.servers.issue(&Leaf::server());
    let roots = Authority::new("first").pem + &Authority::new("second").pem;
    let second_begins = roots.rfind("-----BEGIN").expect("two");
    bench.write("tls.key", &renewed.key);
    for cut in (0..renewed.chain.trim_end().len()).step_by(7) {
        bench.write("tls.crt", &renewed.chain[..cut]);
        assert!(tls.reload().is_err(), "{cut}");
    }
    bench.write("tls.crt", &renewed.chain);
    for cut in (0..renewed.key.trim_end().len()).step_by(3) {
        bench.write("tls.key", &renewed.key[..cut]);
        assert!(tls.reload().is_err(), "{cut}");
    }
    for cut in (0..roots.trim_end().len()).step_by(7) {
        // Where one root ends and the other has not begun, the text is whole.
        if !(second_begins - 2..second_begins + 11).contains(&cut) {
            bench.write("roots.pem", &roots[..cut]);
            assert!(tls.reload().is_err(), "{cut}");
        }
    }
    for name in ["tls.crt", "tls.key", "roots.pem"] {
        std::fs::remove_file(bench.path(name)).expect("a file");
        assert!(tls.reload().expect_err("gone").has(TlsFault::Unreadable));
    }
    let after = tls.status();
    assert_eq!(after.generation, before.generation);
    assert_eq!(after.trust_generation, before.trust_generation);
}

#[tokio::test]
async fn a_root_is_gone_even_while_a_renewal_goes_wrong() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let echo = Echo::new(&tls).await;
    let client = bench.client().shows(&bench.good_client()).config();
    assert!(is_served(echo.address, &client).await);
    bench.write("tls.key", "half a k");
    bench.write("roots.pem", &Authority::new("others").pem);
    assert_eq!(
        faults(&tls.reload().expect_err("the key")),
        [TlsFault::NoKey]
    );
    assert!(!is_served(echo.address, &client).await);
}

#[tokio::test]
async fn a_root_is_gone_even_when_the_own_certificate_has_expired() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let generation = tls.status().trust_generation;
    bench.clock.set(second(NOW + 31 * DAY));
    bench.write("roots.pem", &Authority::new("others").pem);
    assert!(tls.reload().expect("the same certificate"));
    assert_ne!(tls.status().trust_generation, generation);
    assert!(!tls.status().is_ready(bench.now()));

    // The same files again are no reason to fail either, and a new one that has expired is.
    assert!(!tls.reload().expect("the same"));
    bench.write(
        "tls.crt",
        &(std::fs::read_to_string(bench.path("tls.crt")).expect("text") + "\n"),
    );
    assert!(!tls.reload().expect("the same certificate"));
    bench.write_certificate(&bench.servers.issue(&Leaf::server().valid(NOW, NOW + 1)));
    assert_eq!(faults(&tls.reload().expect_err("new")), [TlsFault::Expired]);
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_taken_over_when_it_is() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    bench.write_certificate(
        &bench
            .servers
            .issue(&Leaf::server().valid(NOW + 5, NOW + DAY)),
    );
    assert_eq!(
        faults(&tls.reload().expect_err("early")),
        [TlsFault::NotYetValid]
    );
    bench.clock.set(second(NOW + 5));
    assert!(tls.reload().expect("valid"));
}

#[test]
fn another_comment_in_the_roots_is_not_another_trust() {
    let bench = Bench::new();
    let other = Authority::new("others").pem;
    bench.write("roots.pem", &(bench.clients.pem.clone() + &other));
    let tls = bench.load(bench.required());
    let before = tls.status();
    for text in [
        format!("# the clients\n{}{other}", bench.clients.pem),
        format!("{other}{}", bench.clients.pem),
        format!("{other}{}{other}", bench.clients.pem),
    ] {
        bench.write("roots.pem", &text);
        assert!(!tls.reload().expect("good roots"));
    }
    assert_eq!(tls.status().trust_generation, before.trust_generation);
    bench.write("roots.pem", &other);
    assert!(tls.reload().expect("good roots"));
    assert_ne!(tls.status().trust_generation, before.trust_generation);
}

#[test]
fn no_two_trusts_of_a_process_share_a_generation() {
    let bench = Bench::new();
    let of = |tls: &ServerTls| tls.status().trust_generation;
    let (one, other) = (bench.load(bench.required()), bench.load(bench.required()));
    let first = of(&one);
    assert_ne!(first, of(&other));
    one.set_client_trust(ClientTrust::none())
        .expect("nothing to read");
    let without = of(&one);
    one.set_client_trust(bench.required()).expect("good roots");
    assert!(first != without && without != of(&one) && first != of(&one));
}

#[test]
fn warns_before_the_end_and_at_the_end_once_each() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let look = |at| {
        bench.clock.set(second(at));
        for _ in 0..3 {
            tls.reload().expect("the same");
        }
        bench.count(EventKind::CertificateExpiring)
    };
    assert_eq!(look(NOW + 20 * DAY), 0);
    assert_eq!(look(NOW + 25 * DAY), 1);
    assert_eq!(look(NOW + 29 * DAY), 1);
    assert_eq!(look(NOW + 30 * DAY + 1), 2);
    assert_eq!(look(NOW + 60 * DAY), 2);
    let status = tls.status();
    assert!(
        status.is_ready(second(NOW + 30 * DAY)) && !status.is_ready(second(NOW + 30 * DAY + 1))
    );
    let micros = second(NOW + 30 * DAY).unix_micros() + 999_999;
    assert!(
        status.is_ready(Timestamp::from_unix_micros(micros)),
        "the last second is whole"
    );
}

#[test]
fn reports_a_root_outside_its_dates_and_trusts_it_as_long_as_it_is_named() {
    let bench = Bench::new();
    let old = Authority::valid("old", NOW - 2 * DAY, NOW - DAY);
    bench.write("roots.pem", &(bench.clients.pem.clone() + &old.pem));
    let tls = bench.load(bench.required());
    assert_eq!(
        bench.causes(EventKind::CertificateExpiring),
        ["a root certificate is outside its dates, and is trusted as long as it is named"]
    );
    drop(tls);
}

/// A client that remembers which authorities the server named.
#[derive(Debug, Default)]
struct Hints(Mutex<Vec<Vec<u8>>>);

impl ResolvesClientCert for Hints {
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        *self.0.lock().expect("hints") = root_hint_subjects
            .iter()
            .map(|name| name.to_vec())
            .collect();
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn names_the_roots_of_now_to_clients() {
    let bench = Bench::new();
    let tls = bench.load(bench.optional());
    let echo = Echo::new(&tls).await;
    let hints = Arc::new(Hints::default());
    let client = bench.client().config_with(Arc::clone(&hints) as _);
    let named = |called: &str| {
        let hints = hints.0.lock().expect("hints");
        let text: Vec<_> = hints
            .iter()
            .map(|name| String::from_utf8_lossy(name))
            .collect();
        text.len() == 1 && text[0].ends_with(called)
    };
    assert!(is_served(echo.address, &client).await && named("clients"));
    bench.write("roots.pem", &Authority::new("others").pem);
    tls.reload().expect("good roots");
    assert!(is_served(echo.address, &client).await && named("others"));
}
