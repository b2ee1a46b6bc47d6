//! Processes that use one store at once: the test program, started again by one of its tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Names the store to a worker.
const PLACE: &str = "RINGWALL_TEST_PLACE_OF_STORE";
/// What a worker says stands between what the test harness says.
const MARK: &str = "worker:";

/// Another process, ended with the test.
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Worker {
    /// Starts the ignored test of this path as a worker, and waits until it has opened the store.
    pub(crate) fn start(test: &str, place: &str) -> Self {
        // The path of a test does not begin with its crate.
        let (_, test) = test.split_once("::").expect("a path");
        let mut child = Command::new(std::env::current_exe().expect("a test program"))
            .args(["--exact", test, "--ignored", "--nocapture"])
            .arg("--test-threads=1")
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut worker = Self {
            child,
            input,
            output,
        };
        assert_eq!(worker.hear().as_deref(), Some("ready"), "{test}");
        worker
    }

    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.input, "{what}").expect("it listens");
    }

    /// What it says next; `None` after its end.
    pub(crate) fn hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        // A line that a killed process did not finish was not said.
        while self.output.read_until(b'\n', &mut line).ok()? > 0 && line.ends_with(b"\n") {
            let text = String::from_utf8_lossy(&line).into_owned();
            // The harness writes the test's name before it, on the same line.
            if let Some((_, said)) = text.split_once(MARK) {
                return Some(said.trim().to_owned());
            }
            line.clear();
        }
        None
    }

    /// Ends it with SIGKILL: nothing of its own runs any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// In a worker: where its store is.
pub(crate) fn place() -> String {
    std::env::var(PLACE).expect("a test starts workers, and names the store")
}

/// In a worker: says something, at once.
pub(crate) fn say(what: &str) {
    let mut output = std::io::stdout().lock();
    // Whoever listened may be gone.
    writeln!(output, "{MARK}{what}").ok();
    output.flush().ok();
}

/// In a worker: what it is told next; `None` when nobody will tell it anything any more.
pub(crate) fn told() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim().to_owned())
}

/// How often a process is killed in one test; more with `RINGWALL_SOAK=1`, or as often as
/// `RINGWALL_TEST_KILLS` says.
pub(crate) fn kills() -> usize {
    let number = std::env::var("RINGWALL_TEST_KILLS").ok();
    let long = std::env::var("RINGWALL_SOAK").is_ok_and(|value| value == "1");
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => number,
        None if long => 500,
        None => 20,
    }
}

/// A number below `bound`, another one each time.
pub(crate) fn draw(bound: u64) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u8).rem_euclid(bound)
}
