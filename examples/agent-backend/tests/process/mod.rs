//! A process of the service, asked over bare sockets.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(30);

/// Looks until it is there: for half a minute at least.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what} took too long");
}

/// A process of the service. It is killed when it is dropped.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn command(folder: &Path, name: &str, arguments: &[&str]) -> Command {
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
    /// Starts it, and waits until it listens. What it says goes into the file `name`, its log beside.
    pub(crate) fn start(folder: &Path, name: &str, mut command: Command) -> Self {
        let child = command.spawn().expect("it starts");
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

    /// The status of an answer, and the answer. The request is a method and a path, and on the next line a body.
    pub(crate) fn ask(&self, request: &str) -> (u16, String) {
        let (head, body) = request.split_once('\n').unwrap_or((request, ""));
        self.ask_with(head, &[], body)
    }

    /// As [`ask`](Self::ask), with more fields.
    pub(crate) fn ask_with(
        &self,
        head: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(TIME)).expect("a time-out");
        let length = body.len();
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        write!(
            stream,
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             {fields}Content-Length: {length}\r\n\r\n{body}",
            self.address
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }
}
