//! A server's process: started, looked at, paused, killed, started again, and ended in any case.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::account::Account;
use super::folder::Folder;
use super::{Result, io};

/// Between two looks at a server that starts or ends.
const PAUSE: Duration = Duration::from_millis(25);
/// Looks until a server that has not started is given up: 60 s.
const STARTING: usize = 2400;
/// Looks until a server that was asked to end is killed: 10 s.
const ENDING: usize = 400;

/// How a server is started.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) account: Option<Account>,
    /// Whether it serves, asked at its port.
    pub(super) ready: Ready,
}

/// What tells that a server serves, and that it is the one that was started.
#[derive(Debug)]
pub(super) enum Ready {
    /// `pg_isready`, at this path.
    Postgres(PathBuf),
    /// A `PING` with this password.
    Redis(String),
}

/// A running server. When it is dropped, its process is ended and its folder removed.
///
/// Start it on a thread that lives as long as it is needed: where the system can, the server ends with
/// the thread that started it, so that no server outlives a test program that was killed.
#[derive(Debug)]
pub(crate) struct Server {
    launch: Launch,
    folder: Folder,
    port: u16,
    url: String,
    child: Option<Child>,
}

/// A port that is free now. Somebody else may take it before the server does; then the server does
/// not start, and another port is tried.
pub(super) fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on the loopback interface: {error}"))
}

impl Server {
    pub(super) fn start(launch: Launch, folder: Folder, port: u16, url: String) -> Result<Self> {
        let mut server = Self {
            launch,
            folder,
            port,
            url,
            child: None,
        };
        server.start_again()?;
        Ok(server)
    }

    /// With name and password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it keeps lies here, until it is dropped.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it with the data that it left, after [`Self::kill`] or [`Self::stop`].
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.stop();
        let log = self.log();
        let output = File::create(&log).map_err(|error| io("create", &log, &error))?;
        let errors = output
            .try_clone()
            .map_err(|error| io("write", &log, &error))?;
        let child = self
            .command()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| io("start", &self.launch.program, &error))?;
        self.child = Some(child);
        for _ in 0..STARTING {
            if self.has_ended() {
                return Err(self.complaint("ended at once"));
            }
            if self.is_ready() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        Err(self.complaint("did not serve in time"))
    }

    /// Ends it as its operator would: what it confirmed is stored.
    pub(crate) fn stop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.signal("CONT");
        self.signal("INT");
        for _ in 0..ENDING {
            if self.has_ended() {
                self.child = None;
                return;
            }
            thread::sleep(PAUSE);
        }
        self.kill();
    }

    /// Ends it without a chance to store anything (SIGKILL).
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already, which is as good.
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Leaves it alive, but silent: its connections stay open (SIGSTOP).
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Ends a [`Self::pause`].
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// By process id, which is the server's until it was waited for.
    fn signal(&self, name: &str) {
        let Some(child) = &self.child else { return };
        let sent = Command::new("kill")
            .args(["-s", name, &child.id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // A process that ended needs no signal.
        sent.ok();
    }

    fn has_ended(&mut self) -> bool {
        match &mut self.child {
            Some(child) => !matches!(child.try_wait(), Ok(None)),
            None => true,
        }
    }

    fn is_ready(&self) -> bool {
        match &self.launch.ready {
            Ready::Postgres(program) => Command::new(program)
                .args(["--quiet", "--host", "127.0.0.1", "--port"])
                .arg(self.port.to_string())
                .stdin(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
            Ready::Redis(password) => super::redis::answers(self.port, password),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn complaint(&self, what: &str) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(10).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        format!(
            "{} {what}; its last words:\n{}",
            self.launch.program.display(),
            last.join("\n")
        )
    }

    fn command(&self) -> Command {
        let launch = &self.launch;
        // Linux can end it with whoever started it, also when that is killed.
        let mut command = if ends_with_us() {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "INT"]);
            if let Some(account) = launch.account {
                command.args(account.as_options());
            }
            command.arg("--").arg(&launch.program);
            command
        } else {
            let mut command = Command::new(&launch.program);
            if let Some(account) = launch.account {
                account.of(&mut command);
            }
            command
        };
        command.args(&launch.arguments);
        command
    }
}

/// Whether `setpriv` of util-linux is there and new enough. It becomes the program that it starts,
/// so the process id stays the server's.
fn ends_with_us() -> bool {
    Command::new("setpriv")
        .args(["--pdeathsig", "INT", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
