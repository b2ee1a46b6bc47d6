//! The service as a process of its own.

use core::time::Duration;
use std::error::Error;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// How long the service may take to start or to stop.
const TIME: Duration = Duration::from_secs(10);

const STEP: Duration = Duration::from_millis(20);

/// A running service. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
}

/// How a service that does not start ended.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Option<i32>,
    pub(crate) says: String,
}

impl Service {
    /// Starts `program` and waits until it listens.
    pub(crate) async fn start(
        program: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
        folder: &Path,
        output: &Path,
        log: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let mut child = spawn(program, args, variables, folder, output, log)?;
        let waiting = async {
            loop {
                let said = fs::read_to_string(output)?;
                let line = said
                    .lines()
                    .find_map(|line| line.strip_prefix("listening on "))
                    .and_then(|url| url.split_once("://"))
                    .map(|(_, address)| address);
                if let Some(address) = line.filter(|_| said.contains('\n')) {
                    return Ok(address.parse::<SocketAddr>()?);
                }
                if let Some(status) = child.try_wait()? {
                    let log = fs::read_to_string(log)?;
                    return Err(format!("the service ended with {status}: {log}").into());
                }
                tokio::time::sleep(STEP).await;
            }
        };
        let answer: Result<SocketAddr, Box<dyn Error>> =
            match tokio::time::timeout(TIME, waiting).await {
                Ok(answer) => answer,
                Err(_) => Err("the service did not start in time".into()),
            };
        match answer {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells the service to stop, as an orchestrator does.
    #[cfg(unix)]
    pub(crate) fn terminate(&mut self) -> Result<(), Box<dyn Error>> {
        let id = i32::try_from(self.child.id())?;
        let id = rustix::process::Pid::from_raw(id).ok_or("the service has no process id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        Ok(())
    }

    /// Ends the service; there is no polite way here.
    #[cfg(not(unix))]
    pub(crate) fn terminate(&mut self) -> Result<(), Box<dyn Error>> {
        self.child.kill()?;
        Ok(())
    }

    /// Waits for the end.
    pub(crate) async fn ended(mut self) -> Result<ExitStatus, Box<dyn Error>> {
        wait(&mut self.child).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Starts a service that is expected to refuse.
pub(crate) async fn refusal(
    program: &Path,
    args: &[&str],
    folder: &Path,
) -> Result<Refusal, Box<dyn Error>> {
    let (output, log) = (folder.join("refused-output"), folder.join("refused-log"));
    let mut child = spawn(program, args, &[], folder, &output, &log)?;
    let status = wait(&mut child).await;
    end(&mut child);
    Ok(Refusal {
        code: status?.code(),
        says: fs::read_to_string(&log)?,
    })
}

fn spawn(
    program: &Path,
    args: &[&str],
    variables: &[(&str, &str)],
    folder: &Path,
    output: &Path,
    log: &Path,
) -> std::io::Result<Child> {
    Command::new(program)
        .args(args)
        .current_dir(folder)
        // Everything is logged, so that the tour can look for what must never be.
        .env("AGENT_BACKEND_LOG", "debug")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(File::create(output)?)
        .stderr(File::create(log)?)
        .spawn()
}

async fn wait(child: &mut Child) -> Result<ExitStatus, Box<dyn Error>> {
    let waiting = async {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(STEP).await;
        }
    };
    match tokio::time::timeout(TIME, waiting).await {
        Ok(status) => status,
        Err(_) => Err("the service did not end in time".into()),
    }
}

/// Ends this process, which may have ended already, and takes its status, so that none is left.
fn end(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}
