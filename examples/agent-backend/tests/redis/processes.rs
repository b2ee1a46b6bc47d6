//! Two processes of the service count their limits in one Redis, and do what was said when it is gone.

use std::path::Path;

use crate::process::{Service, command, eventually};
use crate::servers;

fn start(folder: &Path, name: &str, redis: &str, password: &Path) -> Service {
    let mut command = command(folder, name, &["--redis", redis]);
    command
        .env("AGENT_BACKEND__REDIS__PASSWORD__FILE", password)
        .env("AGENT_BACKEND__RATE_LIMITS__PROCESSES", "2")
        .env(
            "AGENT_BACKEND__RATE_LIMITS__LIMITS__ANONYMOUS__ON_FAILURE",
            "local",
        );
    Service::start(folder, name, command)
}

/// The status of the probe, and what it says of the limits.
fn readiness(service: &Service) -> (u16, String) {
    let (status, answer) = service.ask("GET /readyz");
    let limits = answer.split("\"limits\":\"").nth(1);
    let limits = limits.and_then(|rest| rest.split('"').next());
    (status, limits.unwrap_or_default().to_owned())
}

fn login(service: &Service) -> u16 {
    let account = "POST /auth/login\n{\"account\":\"ada@example.com\"}";
    service.ask(account).0
}

#[test]
fn processes_count_together_and_each_limit_does_what_was_said_when_redis_is_gone() {
    let mut redis = servers::redis::start(&[]).expect("a Redis");
    let folder = tempfile::tempdir().expect("a folder");
    let secret = redis
        .url()
        .split([':', '@'])
        .nth(2)
        .expect("a password")
        .to_owned();
    let password = folder.path().join("password");
    std::fs::write(&password, &secret).expect("written");
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let start = |name| start(folder.path(), name, &url, &password);
    let (one, other) = (start("one"), start("other"));
    // Five attempts a minute at both together. There are no accounts here, so each is refused (501).
    let attempts: Vec<u16> = (0..8)
        .map(|n| {
            if n % 2 == 0 {
                login(&one)
            } else {
                login(&other)
            }
        })
        .collect();
    assert_eq!(attempts, [501, 501, 501, 501, 501, 429, 429, 429]);
    assert_eq!(readiness(&one), (200, "ok".to_owned()));
    redis.kill();
    // What bounds guessing is closed. The page for everybody is counted by each process, half of 60.
    // A denial of a moment ago may be remembered.
    eventually("the loss", || (login(&one) == 503).then_some(()));
    let pages = (0..40).filter(|_| one.ask("GET /").0 == 200).count();
    assert!((30..=32).contains(&pages), "{pages}");
    assert_eq!(other.ask("GET /").0, 200);
    assert_eq!(one.ask("GET /healthz").0, 200);
    // Nobody with a token would be served, and the probe says so.
    let gone = (503, "unavailable".to_owned());
    eventually("the probe", || (readiness(&one) == gone).then_some(()));
    redis.start_again().expect("it starts");
    eventually("the return", || (login(&one) != 503).then_some(()));
    let back = (200, "ok".to_owned());
    eventually("the probe", || (readiness(&one) == back).then_some(()));
    for (log, service) in [("one.log", one), ("other.log", other)] {
        drop(service);
        let log = std::fs::read_to_string(folder.path().join(log)).expect("readable");
        assert!(!log.contains(&secret), "the password is in a log");
    }
}

#[test]
fn a_service_without_its_redis_and_a_password_in_a_url_do_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, url, says) in [
        ("gone", "redis://127.0.0.1:1", "cannot be reached"),
        (
            "shown",
            "redis://:hunter2@127.0.0.1:6379",
            "holds a password",
        ),
        ("plain", "redis://192.0.2.1:6379", "TLS"),
        ("other", "http://127.0.0.1:6379", "cannot be used"),
    ] {
        let mut command = command(folder.path(), name, &["--redis", url]);
        let mut service = Service {
            child: command.spawn().expect("it starts"),
            address: String::new(),
        };
        let status = eventually("the end", || service.child.try_wait().expect("its state"));
        assert!(!status.success());
        let log = std::fs::read_to_string(folder.path().join(format!("{name}.log")));
        let log = log.expect("readable");
        assert!(log.contains(says) && !log.contains("hunter2"), "{log}");
    }
}
