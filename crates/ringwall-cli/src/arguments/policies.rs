//! What is said of authorization policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ringwall_postgres::{AcceptedFinding, InvalidAcceptance};

use super::StoreArguments;

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say everything that is wrong with a policy, or what it comes to
    Check(PolicyArguments),
    /// Decide cases, and say which come out otherwise than they say
    Test(PolicyTestArguments),
    /// Say of each rule why it does or does not apply in the cases
    Explain(PolicyExplainArguments),
    /// Print the statements that make PostgreSQL hold the policy by row-level security
    Rls(PolicyRlsArguments),
    /// Say what is different between two policies
    Diff(PolicyDiffArguments),
    /// Look for every way in which row-level security could do nothing
    Doctor(PolicyDoctorArguments),
}

#[derive(Args)]
pub(crate) struct PolicyArguments {
    /// The policy: TOML, or JSON if its name ends in .json
    #[arg(value_name = "POLICY")]
    pub(crate) policy: PathBuf,
}

#[derive(Args)]
pub(crate) struct PolicyTestArguments {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,
    /// A file of cases (TOML; repeatable)
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) cases: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct PolicyExplainArguments {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,
    /// A file of cases (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: PathBuf,
    /// The case of this name alone
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Option<String>,
}

#[derive(Args)]
pub(crate) struct PolicyRlsArguments {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,
    #[command(flatten)]
    pub(crate) security: SecurityArguments,
}

/// For whom row-level security is, and where its parts are.
#[derive(Args)]
pub(crate) struct SecurityArguments {
    /// The role that the service connects as
    #[arg(long, value_name = "NAME")]
    pub(crate) role: String,
    /// The schema for the functions [default: ringwall]
    #[arg(long, value_name = "NAME")]
    pub(crate) functions_schema: Option<String>,
    /// The table with the attributes of subjects, with its schema: `ringwall migrate` makes
    /// ringwall.ringwall_user_attributes [default: ringwall_user_attributes, by the search path]
    #[arg(long, value_name = "NAME")]
    pub(crate) attributes_table: Option<String>,
}

#[derive(Args)]
pub(crate) struct PolicyDiffArguments {
    /// The policy of before
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// The policy of now
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
}

#[derive(Args)]
pub(crate) struct PolicyDoctorArguments {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,
    #[command(flatten)]
    pub(crate) security: SecurityArguments,
    /// A finding that you have looked at and accept, as the report names it, such as View:app.masked_cases
    /// (repeatable); it stays in the report
    #[arg(long, value_name = "CODE:OBJECT", value_parser = accepted)]
    pub(crate) accept: Vec<AcceptedFinding>,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

fn accepted(text: &str) -> Result<AcceptedFinding, InvalidAcceptance> {
    text.parse()
}
