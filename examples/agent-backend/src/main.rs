//! The back end of an AI-agent product, protected by Ringwall.
//!
//! `serve` runs it, `token` issues tokens of its development issuer, `member` makes the first administrator, and `tour` starts it and
//! drives it through every control, hostile cases included. The README says what to copy.

mod authorization;
mod case;
mod case_store;
mod cli;
mod config;
mod credentials;
mod dev_issuer;
mod keys;
mod member;
mod metrics;
mod postgres;
mod project_limits;
mod routes;
mod serve;
mod server;
mod settings;
mod shared_limits;
mod store;
mod tenant;
mod token;
mod tour;
mod trusted;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Token(args) => token::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Member(args) => member::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Tour(args) => tour::run(&args),
    };
    done.unwrap_or_else(|error| {
        complain(&*error);
        ExitCode::FAILURE
    })
}

#[expect(
    clippy::print_stderr,
    reason = "a program that cannot start says so where its user looks"
)]
fn complain(error: &dyn Error) {
    eprintln!("agent-backend: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because {cause}");
        source = cause.source();
    }
}
