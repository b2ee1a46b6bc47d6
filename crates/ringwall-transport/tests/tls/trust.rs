//! Roots and lists: how many, which of them count, and which files they come from.

use std::sync::mpsc;
use std::time::Duration;

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, Pem, TlsFault};

use crate::authority::{Authority, DAY, Leaf, NOW};
use crate::bench::{Bench, Echo, is_served, second};

/// The most roots, and the most revocation lists, of one trust.
const MOST: usize = 1024;

/// The most bytes of roots.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The faults that a server with this trust is refused for; none when it is not.
fn refused(bench: &Bench, trust: ClientTrust) -> Vec<TlsFault> {
    match bench.builder().client_trust(trust).load() {
        Ok(_) => Vec::new(),
        Err(error) => error
            .problems()
            .iter()
            .map(|problem| problem.fault())
            .collect(),
    }
}

#[test]
fn the_roots_of_all_files_are_bounded_together() {
    let bench = Bench::new();
    let roots = Authority::many("root", MOST);
    bench.write("some.pem", &roots[..MOST / 2].concat());
    bench.write("others.pem", &roots[MOST / 2..].concat());
    let files = [bench.path("some.pem"), bench.path("others.pem")];
    assert_eq!(refused(&bench, ClientTrust::required(files.clone())), []);
    let and_one = files.into_iter().chain([bench.path("roots.pem")]);
    assert_eq!(
        refused(&bench, ClientTrust::required(and_one)),
        [TlsFault::TooMany]
    );
}

#[test]
fn the_lists_of_all_files_are_bounded_together() {
    let bench = Bench::new();
    let list = |_| bench.clients.revocation_list(&[], NOW + DAY);
    let lists: Vec<String> = (0..=MOST).map(list).collect();
    bench.write("some.pem", &lists[..MOST / 2].concat());
    bench.write("others.pem", &lists[MOST / 2..MOST].concat());
    bench.write("one.pem", &lists[MOST]);
    let files = [bench.path("some.pem"), bench.path("others.pem")];
    let trust = || bench.required().revocation_lists(files.clone());
    assert_eq!(refused(&bench, trust()), []);
    let and_one = trust().revocation_lists([bench.path("one.pem")]);
    assert_eq!(refused(&bench, and_one), [TlsFault::TooMany]);
}

#[test]
fn a_text_in_memory_is_bounded_as_a_file_is() {
    let bench = Bench::new();
    let fill = |length| {
        let root = &bench.clients.pem;
        root.clone() + &"\n".repeat(length - root.len())
    };
    let trust = |text| ClientTrust::required([Pem::text(text)]);
    assert_eq!(refused(&bench, trust(fill(MOST_BYTES))), []);
    let longer = trust(fill(MOST_BYTES + 1));
    assert_eq!(refused(&bench, longer), [TlsFault::TooLong]);
}

#[test]
fn a_root_that_is_not_valid_yet_is_reported_too() {
    let bench = Bench::new();
    let early = Authority::valid("early", NOW + 1, NOW + DAY);
    bench.write("roots.pem", &(bench.clients.pem.clone() + &early.pem));
    bench.load(bench.required());
    assert_eq!(
        bench.causes(EventKind::CertificateExpiring),
        ["a root certificate is outside its dates, and is trusted as long as it is named"]
    );
    // In its first second it is within them.
    let now = Authority::valid("now", NOW, NOW);
    let other = Bench::new();
    other.write("roots.pem", &now.pem);
    other.load(other.required());
    assert_eq!(other.causes(EventKind::CertificateExpiring), [""; 0]);
}

/// Rustls does not take it, and it would be left out in silence.
#[test]
fn a_root_that_cannot_be_checked_against_is_refused() {
    let bench = Bench::new();
    let odd = Authority::with_broken_name_constraints("odd");
    bench.write("roots.pem", &(bench.clients.pem.clone() + &odd.pem));
    assert_eq!(
        refused(&bench, bench.required()),
        [TlsFault::MalformedCertificate]
    );
}

#[test]
fn the_first_of_several_lists_to_end_is_the_one_that_counts() {
    let bench = Bench::new();
    for (name, days) in [("some.pem", 2), ("others.pem", 1), ("more.pem", 3)] {
        let list = bench.clients.revocation_list(&[], NOW + days * DAY);
        bench.write(name, &list);
    }
    let files = ["some.pem", "others.pem", "more.pem"].map(|name| bench.path(name));
    let status = bench
        .load(bench.required().revocation_lists(files))
        .status();
    assert_eq!(status.lists_until, Some(second(NOW + DAY)));
    assert!(!status.is_ready(second(NOW + DAY)));
}

#[tokio::test]
async fn a_trust_that_was_set_is_the_one_whose_files_are_followed() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let others = Authority::new("others");
    bench.write("others.pem", &others.pem);
    tls.set_client_trust(ClientTrust::required([bench.path("others.pem")]))
        .expect("good roots");
    // Those from before are nobody's any more.
    bench.write("roots.pem", &Authority::new("elsewhere").pem);
    assert!(!tls.reload().expect("the same"));
    let echo = Echo::new(&tls).await;
    let client = bench
        .client()
        .shows(&others.issue(&Leaf::client()))
        .config();
    assert!(is_served(echo.address, &client).await);
    bench.write("others.pem", &bench.clients.pem);
    assert!(tls.reload().expect("good roots"));
    assert!(!is_served(echo.address, &client).await);
}

/// Whoever opens a pipe waits for somebody to write into it.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_without_waiting_for_its_writer() {
    let bench = Bench::new();
    let made = std::process::Command::new("mkfifo")
        .arg(bench.path("pipe.pem"))
        .status();
    assert!(made.expect("mkfifo").success());
    let trust = ClientTrust::required([bench.path("pipe.pem")]);
    let loading = bench.builder().client_trust(trust);
    let (told, answer) = mpsc::channel();
    // Should it wait, it does so until the program ends.
    std::thread::spawn(move || {
        let error = loading.load().expect_err("no file");
        told.send(error.problems().iter().map(|one| one.fault()).collect())
            .expect("somebody who listens");
    });
    let faults: Vec<_> = answer
        .recv_timeout(Duration::from_secs(30))
        .expect("an answer in time");
    assert_eq!(faults, [TlsFault::NotAFile]);
}

#[tokio::test]
async fn another_demand_with_the_same_roots_is_taken_over() {
    let bench = Bench::new();
    let tls = bench.load(bench.optional());
    let echo = Echo::new(&tls).await;
    let stranger = bench.client().config();
    assert!(is_served(echo.address, &stranger).await);
    for _ in 0..2 {
        tls.set_client_trust(bench.required()).expect("good roots");
        assert!(!is_served(echo.address, &stranger).await);
        tls.set_client_trust(bench.optional()).expect("good roots");
        assert!(is_served(echo.address, &stranger).await);
    }
}
