//! `ringwall migrate`.

use std::process::ExitCode;

use ringwall_core::clock::Timestamp;
use serde_json::json;

use crate::arguments::MigrateArguments;
use crate::failure::Failure;
use crate::output::Output;
use crate::store::{self, Place, Store};

/// A step of a schema, of either database.
struct Step {
    version: u32,
    name: &'static str,
    applied_at: Option<Timestamp>,
}

/// Applies the steps that were not, or says which they are.
pub(crate) async fn run(arguments: MigrateArguments, output: Output) -> Result<ExitCode, Failure> {
    let place = Place::of_store(&arguments.store)?;
    if !place.holds_api_keys() {
        return Err(Failure::Arguments(
            "Redis has no schema: there is nothing to migrate",
        ));
    }
    store::refuse_unused(&[&place], &arguments.store.connection, None)?;
    if arguments.dry_run && place.missing_file().is_some() {
        let value = json!({ "file": "missing" });
        output.answer(&value, "the file would be made, and every step applied")?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = if arguments.status || arguments.dry_run {
        place.open().await?
    } else {
        place.open_or_make().await?
    };
    let done = work(&store, &arguments, output).await;
    store.close().await;
    done
}

async fn work(
    store: &Store,
    arguments: &MigrateArguments,
    output: Output,
) -> Result<ExitCode, Failure> {
    if !arguments.status && !arguments.dry_run {
        let applied = match store {
            Store::Sqlite(database) => database.migrations().migrate().await?,
            Store::Postgres(database) => database.migrations().migrate().await?,
            Store::Redis(_) => 0,
        };
        let text = match applied {
            0 => "nothing to do: the schema is current".to_owned(),
            1 => "applied 1 step".to_owned(),
            steps => format!("applied {steps} steps"),
        };
        output.answer(&json!({ "applied": applied }), &text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let steps = steps(store).await?;
    let mut is_current = true;
    for step in steps {
        is_current &= step.applied_at.is_some();
        if arguments.dry_run && step.applied_at.is_some() {
            continue;
        }
        let applied_at = step.applied_at.map(|at| at.to_string());
        let state = match (&applied_at, arguments.dry_run) {
            (Some(at), _) => format!("applied {at}"),
            (None, true) => "would be applied".to_owned(),
            (None, false) => "not applied".to_owned(),
        };
        let value = json!({
            "version": step.version,
            "name": step.name,
            "applied_at": applied_at,
        });
        output.answer(&value, &format!("{}\t{state}\t{}", step.version, step.name))?;
    }
    if is_current {
        output.note("the schema is current");
    }
    Ok(if is_current || arguments.dry_run {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn steps(store: &Store) -> Result<Vec<Step>, Failure> {
    Ok(match store {
        Store::Sqlite(database) => {
            let status = database.migrations().status().await?;
            let steps = status.steps.into_iter();
            steps
                .map(|step| Step {
                    version: step.version,
                    name: step.name,
                    applied_at: step.applied_at,
                })
                .collect()
        }
        Store::Postgres(database) => {
            let status = database.migrations().status().await?;
            let steps = status.steps.into_iter();
            steps
                .map(|step| Step {
                    version: step.version,
                    name: step.name,
                    applied_at: step.applied_at,
                })
                .collect()
        }
        Store::Redis(_) => Vec::new(),
    })
}
