//! Runs the program, and looks for secrets in what it says.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use ringwall_authn::SecretHasher;
use ringwall_authn::api_key::PepperId;
use ringwall_core::secret::SecretBytes;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PEPPER: &str = "a pepper of more than thirty-two bytes";
/// Looks at a run, a fiftieth of a second apart: a minute.
const ROUNDS: u32 = 3000;

/// What a run answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    pub(crate) fn refused(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.starts_with("ringwall: "), "{self:?}");
        self
    }

    pub(crate) fn line(&self) -> &str {
        let mut lines = self.stdout.lines();
        let line = lines.next().expect("a line");
        assert_eq!(lines.next(), None, "one line: {self:?}");
        line
    }

    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

/// A folder, a place for a store, and the secrets that no run may show.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    store: Vec<String>,
    variables: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl World {
    /// A migrated file.
    pub(crate) fn of_file() -> Self {
        let world = Self::empty();
        world.run(&["migrate"]).done();
        world
    }

    /// A file that is not there yet.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = format!("sqlite:{}", folder.path().join("ringwall.sqlite").display());
        Self::at(folder, vec!["--store".to_owned(), store])
    }

    pub(crate) fn at(folder: TempDir, store: Vec<String>) -> Self {
        fs::write(folder.path().join("pepper"), format!("{PEPPER}\n")).expect("written");
        Self {
            folder,
            store,
            variables: Vec::new(),
            secrets: vec![PEPPER.to_owned()],
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn secret(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().expect("text").to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.folder.path().join(name), text).expect("written");
        self.path(name)
    }

    /// On the store, without an input.
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        self.run_with(words, "")
    }

    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> Answer {
        let mut all: Vec<&str> = words.to_vec();
        all.extend(self.store.iter().map(String::as_str));
        self.bare(&all, input)
    }

    /// With the file of the pepper.
    pub(crate) fn peppered(&self, words: &[&str]) -> Answer {
        let pepper = self.path("pepper");
        let mut all = words.to_vec();
        all.extend(["--pepper-file", pepper.as_str()]);
        self.run(&all)
    }

    /// Exactly these words.
    pub(crate) fn bare(&self, words: &[&str], input: &str) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringwall"));
        command.args(words).current_dir(self.folder.path());
        command.env_clear();
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        let answer = run(command, input);
        for secret in &self.secrets {
            let is_shown = answer.stdout.contains(secret) || answer.stderr.contains(secret);
            assert!(!is_shown, "{words:?} shows a secret: {answer:?}");
        }
        answer
    }

    pub(crate) fn hasher(&self) -> SecretHasher {
        let id = PepperId::new("1").expect("plain");
        SecretHasher::peppered(id, &SecretBytes::new(PEPPER.as_bytes().to_vec())).expect("long")
    }
}

/// Ends what does not end.
fn run(mut command: Command, input: &str) -> Answer {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    // Who ends early reads nothing.
    stdin.write_all(input.as_bytes()).unwrap_or_default();
    drop(stdin);
    let mut out = child.stdout.take().expect("piped");
    let mut err = child.stderr.take().expect("piped");
    let out = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let err = thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let ended = (0..ROUNDS).find_map(|_| {
        let status = child.try_wait().expect("it is ours");
        if status.is_none() {
            thread::sleep(Duration::from_millis(20));
        }
        status
    });
    let Some(status) = ended else {
        child.kill().expect("it runs");
        child.wait().expect("it is ours");
        panic!("it did not end");
    };
    Answer {
        code: status.code().expect("it ended by itself"),
        stdout: out.join().expect("no panic").expect("text"),
        stderr: err.join().expect("no panic").expect("text"),
    }
}
