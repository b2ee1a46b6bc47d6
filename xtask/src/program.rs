//! Other programs, run with their command line shown and their exit status respected.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::failure::{Failure, Result};

/// One call of another program. Nothing runs until [`run`](Self::run),
/// [`capture`](Self::capture) or [`observe`](Self::observe).
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    shown: String,
}

/// The output to follow; the other one goes to the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Output,
    Error,
}

/// What a program that was allowed to fail left behind.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) succeeded: bool,
    /// Standard output, then standard error.
    pub(crate) text: String,
}

/// Whether cargo set a variable to tell this program of its own package. Build scripts look at some of them and run again
/// when they differ, so that cargo by hand and cargo from here would each build anew what the other built.
fn is_of_this_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "OUT_DIR"
}

impl Program {
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref();
        // The path of the toolchain's own cargo says nothing that `cargo` does not.
        let shown = Path::new(name)
            .file_name()
            .unwrap_or(name)
            .to_string_lossy()
            .into_owned();
        let mut command = Command::new(name);
        for (variable, _) in std::env::vars_os() {
            if is_of_this_package(&variable) {
                command.env_remove(variable);
            }
        }
        Self { command, shown }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.shown.push(' ');
        self.shown.push_str(&arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<I>(self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        args.into_iter().fold(self, |program, arg| program.arg(arg))
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs with this program's own input and outputs; a non-zero exit is a failure.
    pub(crate) fn run(mut self) -> Result<()> {
        println!("$ {}", self.shown);
        let status = self
            .command
            .status()
            .map_err(|error| self.not_started(&error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("`{}` failed ({status})", self.shown)))
    }

    /// Runs with this program's own input and outputs and returns the exit code, 1 for a program
    /// that a signal ended.
    pub(crate) fn exit_code(mut self) -> Result<u8> {
        let status = self
            .command
            .status()
            .map_err(|error| self.not_started(&error))?;
        let code = status.code().unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(1))
    }

    /// Standard output of a program that must succeed; its complaints go to the terminal.
    pub(crate) fn capture(mut self) -> Result<String> {
        self.command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = self
            .command
            .output()
            .map_err(|error| self.not_started(&error))?;
        if !output.status.success() {
            return Err(Failure::new(format!(
                "`{}` failed ({})",
                self.shown, output.status
            )));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("`{}` did not print UTF-8", self.shown)))
    }

    /// Both outputs of a program that may fail.
    pub(crate) fn observe(mut self) -> Result<Observed> {
        self.command.stdin(Stdio::null());
        let output = self
            .command
            .output()
            .map_err(|error| self.not_started(&error))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Observed {
            succeeded: output.status.success(),
            text,
        })
    }

    /// What goes through `stream` of a program that may fail, shown line by line as it comes.
    pub(crate) fn follow(mut self, stream: Stream) -> Result<Observed> {
        println!("$ {}", self.shown);
        match stream {
            Stream::Output => self.command.stdout(Stdio::piped()),
            Stream::Error => self.command.stderr(Stdio::piped()),
        };
        let mut child = self
            .command
            .spawn()
            .map_err(|error| self.not_started(&error))?;
        let pipe: Option<Box<dyn Read>> = match stream {
            Stream::Output => child
                .stdout
                .take()
                .map(|pipe| Box::new(pipe) as Box<dyn Read>),
            Stream::Error => child
                .stderr
                .take()
                .map(|pipe| Box::new(pipe) as Box<dyn Read>),
        };
        let mut text = String::new();
        let mut reader = BufReader::new(pipe.ok_or_else(|| Failure::new("no pipe to follow"))?);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let shown = String::from_utf8_lossy(&line);
            print!("{shown}");
            text.push_str(&shown);
            line.clear();
        }
        let status = child.wait().map_err(|error| self.not_started(&error))?;
        Ok(Observed {
            succeeded: status.success(),
            text,
        })
    }

    /// Whether the program exists and succeeds, without a word on the terminal.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("could not start `{}`: {error}", self.shown))
    }
}

/// Where a program of this name would be found, or `None`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_in_the_failure() {
        let failure = Program::new("false").arg("--quietly").run().unwrap_err();
        assert!(
            failure.to_string().contains("`false --quietly` failed"),
            "{failure}"
        );
    }

    #[test]
    fn a_missing_program_is_a_failure_and_not_a_success() {
        let name = "a-program-that-does-not-exist";
        assert!(!Program::new(name).succeeds());
        assert!(Program::new(name).run().is_err());
        assert_eq!(on_path(name), None);
    }

    #[test]
    fn an_observed_failure_keeps_what_was_said() {
        let observed = Program::new("sh")
            .args(["-c", "echo said; exit 3"])
            .observe()
            .unwrap();
        assert!(!observed.succeeded);
        assert_eq!(observed.text, "said\n");
    }

    #[test]
    fn a_followed_program_is_waited_for() {
        let followed = Program::new("sh")
            .args(["-c", "echo one; echo two; exit 1"])
            .follow(Stream::Output);
        let followed = followed.unwrap();
        assert!(!followed.succeeded);
        assert_eq!(followed.text, "one\ntwo\n");
    }

    #[test]
    fn the_exit_code_is_passed_on() {
        assert_eq!(Program::new("sh").args(["-c", "exit 7"]).exit_code(), Ok(7));
    }
}
