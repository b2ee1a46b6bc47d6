//! Two processes of the service count their limits in one Redis, and do what was said when it is gone.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::servers;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(30);

/// Looks until it is there: for half a minute at least.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what} took too long");
}

/// A process of the service. It is killed when it is dropped.
struct Service {
    child: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn command(folder: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agent-backend"));
    command
        .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.join("data"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(File::create(folder.join(name)).expect("a file"))
        .stderr(File::create(folder.join(format!("{name}.log"))).expect("a file"));
    command
}

impl Service {
    fn start(folder: &Path, name: &str, redis: &str, password: &Path) -> Self {
        let child = command(folder, name, &["--redis", redis])
            .env("AGENT_BACKEND__REDIS__PASSWORD__FILE", password)
            .env("AGENT_BACKEND__RATE_LIMITS__PROCESSES", "2")
            .env(
                "AGENT_BACKEND__RATE_LIMITS__LIMITS__ANONYMOUS__ON_FAILURE",
                "local",
            )
            .spawn()
            .expect("it starts");
        let mut service = Self {
            child,
            address: String::new(),
        };
        service.address = eventually("the start", || {
            let said = std::fs::read_to_string(folder.join(name)).expect("readable");
            let line = said
                .lines()
                .find_map(|line| line.strip_prefix("listening on http://"));
            if let Some(address) = line.filter(|_| said.contains('\n')) {
                return Some(address.to_owned());
            }
            let ended = service.child.try_wait().expect("its state");
            let log = std::fs::read_to_string(folder.join(format!("{name}.log")));
            assert!(ended.is_none(), "{ended:?} {log:?}");
            None
        });
        service
    }

    /// The status of an answer, and the answer.
    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(TIME)).expect("a time-out");
        let (head, body) = request.split_once('\n').unwrap_or((request, ""));
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.address
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }

    /// The status of the probe, and what it says of the limits.
    fn readiness(&self) -> (u16, String) {
        let (status, answer) = self.ask("GET /readyz");
        let limits = answer.split("\"limits\":\"").nth(1);
        let limits = limits.and_then(|rest| rest.split('"').next());
        (status, limits.unwrap_or_default().to_owned())
    }

    fn login(&self) -> u16 {
        self.ask("POST /auth/login\n{\"account\":\"ada@example.com\"}")
            .0
    }
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
    let start = |name| Service::start(folder.path(), name, &url, &password);
    let (one, other) = (start("one"), start("other"));
    // Five attempts a minute at both together. There are no accounts here, so each is refused (501).
    let attempts: Vec<u16> = (0..8)
        .map(|n| {
            if n % 2 == 0 {
                one.login()
            } else {
                other.login()
            }
        })
        .collect();
    assert_eq!(attempts, [501, 501, 501, 501, 501, 429, 429, 429]);
    assert_eq!(one.readiness(), (200, "ok".to_owned()));
    redis.kill();
    // What bounds guessing is closed. The page for everybody is counted by each process, half of 60.
    // A denial of a moment ago may be remembered.
    eventually("the loss", || (one.login() == 503).then_some(()));
    let pages = (0..40).filter(|_| one.ask("GET /").0 == 200).count();
    assert!((30..=32).contains(&pages), "{pages}");
    assert_eq!(other.ask("GET /").0, 200);
    assert_eq!(one.ask("GET /healthz").0, 200);
    // Nobody with a token would be served, and the probe says so.
    let gone = (503, "unavailable".to_owned());
    eventually("the probe", || (one.readiness() == gone).then_some(()));
    redis.start_again().expect("it starts");
    eventually("the return", || (one.login() != 503).then_some(()));
    let back = (200, "ok".to_owned());
    eventually("the probe", || (one.readiness() == back).then_some(()));
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
