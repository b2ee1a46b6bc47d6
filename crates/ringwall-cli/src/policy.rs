//! `ringwall policy`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use ringwall_authz::{
    Cases, MAX_POLICY_BYTES, Policy, PolicyFaults, RowLevelSecurityOptions, TableContent,
};
use serde_json::json;

use crate::arguments::{
    PolicyArguments, PolicyCommand, PolicyDiffArguments, PolicyDoctorArguments,
    PolicyExplainArguments, PolicyRlsArguments, PolicyTestArguments, SecurityArguments,
};
use crate::failure::Failure;
use crate::output::Output;
use crate::store::{self, Place, Store};

/// Every command but `doctor`, which waits for a server.
pub(crate) fn run(command: PolicyCommand, output: Output) -> Result<ExitCode, Failure> {
    match command {
        PolicyCommand::Check(arguments) => check(&arguments, output),
        PolicyCommand::Test(arguments) => test(&arguments, output),
        PolicyCommand::Explain(arguments) => explain(&arguments, output),
        PolicyCommand::Rls(arguments) => rls(&arguments, output),
        PolicyCommand::Diff(arguments) => diff(&arguments, output),
        PolicyCommand::Doctor(_) => Err(Failure::Arguments("the doctor needs a server")),
    }
}

/// A text of a file that an operator named. Policies are no secrets, so their names may be told.
fn text(path: &Path) -> Result<String, Failure> {
    let unread = |problem: String| Failure::PolicyFile {
        path: path.display().to_string(),
        problem,
    };
    let file = File::open(path).map_err(|error| unread(error.to_string()))?;
    let mut text = String::new();
    let most = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX);
    // One more, so that a longer file is told from one that just fits.
    file.take(most.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(|error| unread(error.to_string()))?;
    Ok(text)
}

fn read(path: &Path) -> Result<Result<Policy, PolicyFaults>, Failure> {
    let text = text(path)?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    Ok(if is_json {
        Policy::from_json(&text)
    } else {
        Policy::from_toml(&text)
    })
}

/// The policy, or what is wrong with it, told.
fn policy(path: &Path, output: Output) -> Result<Option<Policy>, Failure> {
    match read(path)? {
        Ok(policy) => Ok(Some(policy)),
        Err(faults) => {
            complain(path, &faults, output)?;
            Ok(None)
        }
    }
}

/// The policy, for a command that needs a sound one beside something else.
pub(crate) fn sound(path: &Path) -> Result<Policy, Failure> {
    read(path)?.map_err(|faults| Failure::PolicyFile {
        path: path.display().to_string(),
        problem: faults.to_string(),
    })
}

fn complain(path: &Path, faults: &PolicyFaults, output: Output) -> Result<(), Failure> {
    if !output.is_json() {
        for fault in faults.faults() {
            let line = fault.line.map(|line| format!(":{line}"));
            let place = match fault.path.as_str() {
                "" => String::new(),
                place => format!("{place}: "),
            };
            let line = line.unwrap_or_default();
            output.note(&format!(
                "{}{line}: {place}{}",
                path.display(),
                fault.message
            ));
        }
        return Ok(());
    }
    let faults: Vec<_> = faults
        .faults()
        .iter()
        .map(|fault| json!({ "line": fault.line, "path": fault.path, "message": fault.message }))
        .collect();
    output.answer(&json!({ "ok": false, "faults": faults }), "")
}

fn check(arguments: &PolicyArguments, output: Output) -> Result<ExitCode, Failure> {
    let Some(policy) = policy(&arguments.policy, output)? else {
        return Ok(ExitCode::FAILURE);
    };
    let document = policy.document();
    let tables: Vec<String> = policy
        .tables()
        .into_iter()
        .map(|table| table.name)
        .collect();
    let value = json!({
        "ok": true,
        "name": document.name,
        "hash": policy.hash().to_string(),
        "rules": document.rules.len(),
        "roles": document.roles.len(),
        "resources": document.resources.len(),
        "tables": tables,
    });
    let text = format!(
        "{}: {} rules, {} roles, {} types of resource; hash {}",
        document.name,
        document.rules.len(),
        document.roles.len(),
        document.resources.len(),
        policy.hash()
    );
    output.answer(&value, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn cases(path: &Path) -> Result<Cases, Failure> {
    Cases::from_toml(&text(path)?).map_err(|error| Failure::PolicyFile {
        path: path.display().to_string(),
        problem: error.to_string(),
    })
}

fn test(arguments: &PolicyTestArguments, output: Output) -> Result<ExitCode, Failure> {
    let Some(policy) = policy(&arguments.policy.policy, output)? else {
        return Ok(ExitCode::FAILURE);
    };
    let (mut passed, mut failed) = (0_u64, 0_u64);
    for path in &arguments.cases {
        for outcome in cases(path)?.run(&policy) {
            let is_ok = outcome.failure.is_none();
            if is_ok {
                passed = passed.saturating_add(1);
            } else {
                failed = failed.saturating_add(1);
            }
            let value = json!({ "case": outcome.name, "ok": is_ok, "failure": outcome.failure });
            output.answer(&value, &outcome.to_string())?;
        }
    }
    output.note(&format!(
        "{passed} cases came out as they say, {failed} did not"
    ));
    // A file without cases shows nothing.
    Ok(if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn explain(arguments: &PolicyExplainArguments, output: Output) -> Result<ExitCode, Failure> {
    let Some(policy) = policy(&arguments.policy.policy, output)? else {
        return Ok(ExitCode::FAILURE);
    };
    let (mut found, mut is_wrong) = (false, false);
    for case in cases(&arguments.cases)?.cases {
        if arguments
            .case
            .as_ref()
            .is_some_and(|name| *name != case.name)
        {
            continue;
        }
        found = true;
        let explained = case.explain(&policy);
        let explanation = match explained {
            Ok(explanation) => explanation,
            Err(problem) => {
                output.answer(
                    &json!({ "case": case.name, "problem": problem }),
                    &format!("{}: {problem}", plain(&case.name)),
                )?;
                is_wrong = true;
                continue;
            }
        };
        let rules: Vec<_> = explanation
            .rules
            .iter()
            .map(|rule| {
                json!({ "rule": rule.rule, "applies": rule.applies, "because": rule.because })
            })
            .collect();
        let value = json!({
            "case": case.name,
            "permit": explanation.decision.is_permit(),
            "cause": explanation.decision.cause().as_str(),
            "rules": rules,
        });
        let name = plain(&case.name);
        output.answer(&value, &format!("{name}\n{explanation}"))?;
    }
    if is_wrong {
        return Ok(ExitCode::FAILURE);
    }
    if found {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Arguments(
        "there is no case of this name in the file",
    ))
}

/// A name of a file's choosing, without what moves a terminal's cursor or makes a line.
fn plain(name: &str) -> String {
    let shown = name.chars().filter(|character| !character.is_control());
    shown.collect()
}

fn security(arguments: &SecurityArguments) -> Result<RowLevelSecurityOptions, Failure> {
    let options = RowLevelSecurityOptions::new(&arguments.role).and_then(|options| {
        let options = match &arguments.functions_schema {
            Some(schema) => options.schema(schema)?,
            None => options,
        };
        match &arguments.attributes_table {
            Some(table) => options.attributes_table(table),
            None => Ok(options),
        }
    });
    options.map_err(|_| {
        Failure::Arguments(
            "a role, a schema or a table is named by something that is no identifier",
        )
    })
}

/// Security that protects no row would look as if it did.
fn check_tables(policy: &Policy) -> Result<(), Failure> {
    let tables = policy.tables();
    if tables
        .iter()
        .any(|table| table.holds == TableContent::Resources)
    {
        return Ok(());
    }
    Err(Failure::Arguments(
        "the policy names no table of a type of resource, so that no row would be protected: [resources.<type>.table]",
    ))
}

fn rls(arguments: &PolicyRlsArguments, output: Output) -> Result<ExitCode, Failure> {
    let Some(policy) = policy(&arguments.policy.policy, output)? else {
        return Ok(ExitCode::FAILURE);
    };
    check_tables(&policy)?;
    let options = security(&arguments.security)?;
    let statements = policy.row_level_security(&options)?;
    output.answer(&json!({ "sql": statements }), statements.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// 0 when nothing is different, 1 otherwise.
fn diff(arguments: &PolicyDiffArguments, output: Output) -> Result<ExitCode, Failure> {
    let before = policy(&arguments.before, output)?;
    let after = policy(&arguments.after, output)?;
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(ExitCode::FAILURE);
    };
    let differences = before.document().differences(after.document());
    for difference in &differences {
        let value = serde_json::to_value(difference).unwrap_or_default();
        output.answer(&value, &difference.to_string())?;
    }
    Ok(if differences.is_empty() {
        output.note("the policies say the same");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Looks into the database.
pub(crate) async fn doctor(
    arguments: PolicyDoctorArguments,
    output: Output,
) -> Result<ExitCode, Failure> {
    let Some(policy) = policy(&arguments.policy.policy, output)? else {
        return Ok(ExitCode::FAILURE);
    };
    check_tables(&policy)?;
    let options = security(&arguments.security)?;
    let place = Place::of_store(&arguments.store)?;
    store::refuse_unused(&[&place], &arguments.store.connection, None)?;
    let Store::Postgres(database) = place.open().await? else {
        return Err(Failure::Arguments("row-level security is PostgreSQL's"));
    };
    let examination = database
        .examine(&policy, &options, &arguments.accept)
        .await?;
    for finding in &examination.findings {
        let mark = if finding.is_accepted {
            "accepted"
        } else if finding.kind.is_hole() {
            "HOLE    "
        } else {
            "warning "
        };
        let value = json!({
            "code": finding.kind.code(),
            "object": finding.object,
            "allows": finding.allows,
            "repair": finding.repair,
            "hole": finding.kind.is_hole(),
            "accepted": finding.is_accepted,
        });
        output.answer(&value, &format!("{mark}  {finding}"))?;
    }
    for one in &examination.unused {
        output.note(&format!(
            "accepted and not found: take it off the list: {one}"
        ));
    }
    if examination.findings.is_empty() {
        output.note("nothing was found by which row-level security could do nothing");
    }
    Ok(if examination.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
