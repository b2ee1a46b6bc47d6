//! What is said of subjects in the directory.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};

use super::{StoreArguments, org, subject};

#[derive(Subcommand)]
pub(crate) enum SubjectCommand {
    /// Show all that is known of a subject in an organisation
    Show(SubjectArguments),
    /// Give roles, values of attributes and departments
    Grant(FactArguments),
    /// Take roles, values of attributes and departments
    Revoke(FactArguments),
    /// Forget all that is known of a subject in an organisation
    Forget(ForgetSubjectArguments),
}

#[derive(Args)]
pub(crate) struct SubjectArguments {
    /// The organisation
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Who: what credentials have as sub
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) subject: Subject,
    /// The policy that decides by what is known: ids that are UUIDs to it are spelled as its services spell them, and what
    /// would do nothing by it is not given
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

#[derive(Args)]
#[command(group = ArgGroup::new("facts").args(["role", "attribute", "department"]).multiple(true).required(true))]
pub(crate) struct FactArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// A role (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Vec<String>,
    /// A value of an attribute (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) attribute: Vec<String>,
    /// From when on the values of attributes that are given do not hold (RFC 3339) [default: they have no end]
    #[arg(long, value_name = "TIME", requires = "attribute")]
    pub(crate) expires_at: Option<Timestamp>,
    /// A department (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(crate) department: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ForgetSubjectArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
