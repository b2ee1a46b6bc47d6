//! The own certificate and its key: what is refused, and which files are followed.

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, TlsError, TlsFault};

use crate::authority::Leaf;
use crate::bench::Bench;

fn faults(error: &TlsError) -> Vec<TlsFault> {
    let problems = error.problems().iter();
    problems.map(|problem| problem.fault()).collect()
}

#[test]
fn half_a_key_after_a_whole_one_is_refused() {
    let bench = Bench::new();
    let issued = bench.servers.issue(&Leaf::server());
    bench.write("tls.crt", &issued.chain);
    bench.write("tls.key", &(issued.key.clone() + &issued.key[..60]));
    let error = bench.builder().load().expect_err("refused");
    assert_eq!(faults(&error), [TlsFault::NotPem]);
}

#[test]
fn a_protocol_without_a_name_is_refused_though_all_else_is_good() {
    let bench = Bench::new();
    let long = "p".repeat(256);
    for name in ["", long.as_str()] {
        let load = bench.builder().protocols(["h2", name]).load();
        assert_eq!(faults(&load.expect_err("refused")), [TlsFault::BadProtocol]);
    }
    let longest = "p".repeat(255);
    assert!(bench.builder().protocols([longest]).load().is_ok());
}

#[test]
fn a_certificate_that_was_set_is_the_one_whose_files_are_followed() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let write = |name: &str| {
        let issued = bench.servers.issue(&Leaf::server());
        bench.write(&format!("{name}.crt"), &issued.chain);
        bench.write(&format!("{name}.key"), &issued.key);
    };
    write("new");
    tls.set_certificate(bench.path("new.crt"), bench.path("new.key"))
        .expect("a good one");
    // Those from before are nobody's any more.
    write("tls");
    assert!(!tls.reload().expect("the same"));
    write("new");
    assert!(tls.reload().expect("a renewal"));
    assert_eq!(tls.status().generation, 3);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_everybody_may_read_is_told_of_whenever_it_is_taken_over() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let expose = |name: &str| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(bench.path(name), mode).expect("a mode");
    };
    bench.write_certificate(&bench.servers.issue(&Leaf::server()));
    expose("tls.key");
    assert!(tls.reload().expect("a renewal"));
    assert_eq!(bench.count(EventKind::PrivateKeyExposed), 1);
    tls.set_certificate(bench.path("tls.crt"), bench.path("tls.key"))
        .expect("the same");
    assert_eq!(bench.count(EventKind::PrivateKeyExposed), 2);
}
