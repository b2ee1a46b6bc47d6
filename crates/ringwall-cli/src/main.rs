//! The command `ringwall`: what an operator does beside a running service.
//!
//! Secrets come from files, the environment or the standard input, and never from an argument, which every
//! user of the machine can read. What a machine reads goes to the standard output, everything else to the
//! standard error. It ends with 0 when everything was done, with 1 when something was not, and with 2 when the
//! arguments cannot be understood.

mod api_keys;
mod arguments;
mod complaint;
mod config_check;
mod confirmation;
mod failure;
mod migrate;
mod output;
mod policy;
mod record;
mod revoke;
mod secrets;
mod service;
mod store;
mod subjects;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Cli, Command, PolicyCommand};
use crate::failure::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return complaint::of_arguments(&error),
    };
    let output = Output::new(cli.json);
    match run(cli.command, output) {
        Ok(code) => code,
        Err(failure) => {
            complaint::of_failure(&failure);
            failure.exit_code()
        }
    }
}

fn run(command: Command, output: Output) -> Result<ExitCode, Failure> {
    let done = match command {
        Command::Config(command) => return config_check::run(command, output),
        Command::Policy(command) => match *command {
            PolicyCommand::Doctor(arguments) => {
                return in_runtime(policy::doctor(arguments, output))?;
            }
            other @ (PolicyCommand::Check(_)
            | PolicyCommand::Test(_)
            | PolicyCommand::Explain(_)
            | PolicyCommand::Rls(_)
            | PolicyCommand::Diff(_)) => return policy::run(other, output),
        },
        Command::Migrate(arguments) => return in_runtime(migrate::run(arguments, output))?,
        Command::Apikey(command) => in_runtime(api_keys::run(*command, output))?,
        Command::Revoke(command) => in_runtime(revoke::run(command, output))?,
        Command::Subject(command) => in_runtime(subjects::run(*command, output))?,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// A question to the operator stops this thread; the worker keeps the connections meanwhile.
fn in_runtime<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    Ok(runtime.block_on(work))
}
