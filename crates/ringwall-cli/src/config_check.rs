//! `ringwall config check`.

use std::process::ExitCode;

use ringwall_gate::config::{ConfigFaults, GateConfig};
use serde_json::json;

use crate::arguments::{CheckArguments, ConfigCommand};
use crate::failure::Failure;
use crate::output::Output;
use crate::service;

/// Reads a configuration as the service does, from the environment of this process.
pub(crate) fn run(command: ConfigCommand, output: Output) -> Result<ExitCode, Failure> {
    let ConfigCommand::Check(CheckArguments { service }) = command;
    let Some(sources) = service::sources(&service) else {
        return Err(Failure::Arguments(
            "name a configuration with --config or --env-prefix",
        ));
    };
    match GateConfig::load(sources) {
        Ok(config) => {
            let effective = config.effective().to_string();
            let value = json!({
                "ok": true,
                "profile": if config.profile().is_development() { "development" } else { "production" },
                "notices": config.notices(),
                "effective": effective,
            });
            if !output.is_json() {
                for notice in config.notices() {
                    output.note(&format!("ringwall: notice: {notice}"));
                }
            }
            output.answer(&value, effective.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            complain(&faults, output)?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn complain(faults: &ConfigFaults, output: Output) -> Result<(), Failure> {
    if !output.is_json() {
        output.note(&format!("ringwall: {faults}"));
        return Ok(());
    }
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| {
            json!({
                "field": fault.field(),
                "source": fault.source().to_string(),
                "problem": fault.problem(),
                "remedy": fault.remedy(),
            })
        })
        .collect();
    output.answer(&json!({ "ok": false, "faults": faults }), "")
}
