//! Why a command did not do what it was asked for.

use std::io;
use std::process::ExitCode;

use ringwall_authn::api_key::{ApiKeyManagementError, InvalidApiKeyName, PepperError};
use ringwall_authn::revocation::{InvalidRevocation, RevocationStoreError};
use ringwall_authz::DirectoryError;
use ringwall_authz::directory::InvalidFact;
use ringwall_core::clock::ClockUnavailable;
use ringwall_gate::config::ConfigFaults;

/// Texts hold names of options, files and variables, and never a value of theirs that may be a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Arguments that are understood one by one, and not together.
    #[error("{0}")]
    Arguments(&'static str),
    /// A file that an argument names. Its name is not repeated: somebody may have written the secret itself.
    #[error("the file that {option} names {problem}")]
    File {
        option: &'static str,
        problem: String,
    },
    /// A policy, or cases of one, which hold no secrets.
    #[error("{path}: {problem}")]
    PolicyFile { path: String, problem: String },
    #[error("the policy cannot be pushed into a database")]
    Filter(#[from] ringwall_authz::FilterError),
    /// A secret that is missing, or cannot be one.
    #[error("{0}")]
    Secret(String),
    /// Told with each fault, none of which holds a value.
    #[error("the service's configuration cannot be used: {0}")]
    Config(#[from] ConfigFaults),
    #[error("the runtime cannot start")]
    Runtime(#[source] io::Error),
    #[error("the standard input cannot be read")]
    Input(#[source] io::Error),
    #[error("the standard output cannot be written")]
    Output(#[source] io::Error),
    /// It is made, and cannot be shown a second time.
    #[error("the API key {id} was made and could not be shown: revoke it, and make another one")]
    KeyNotShown {
        id: String,
        #[source]
        source: io::Error,
    },
    #[error("it was not confirmed, and nothing was changed")]
    NotConfirmed,
    #[error("there is no file at this path: `ringwall migrate` makes it")]
    NoFile,
    #[error("the SQLite store cannot be used")]
    Sqlite(#[from] ringwall_sqlite::Error),
    #[error("the PostgreSQL store cannot be used")]
    Postgres(#[from] ringwall_postgres::Error),
    #[error("the row-level security could not be examined")]
    Examination(#[from] ringwall_postgres::ExaminationError),
    #[error("the Redis store cannot be used")]
    Redis(#[from] ringwall_redis::Error),
    #[error("--root-certificates cannot be used")]
    Tls(#[from] ringwall_transport::TlsError),
    #[error("the API keys could not be managed")]
    ApiKeys(#[from] ApiKeyManagementError),
    #[error("the name of the API key cannot be used")]
    ApiKeyName(#[from] InvalidApiKeyName),
    #[error("the pepper cannot be used")]
    Pepper(#[from] PepperError),
    #[error("the revocation cannot be written")]
    Revocation(#[from] InvalidRevocation),
    #[error("the revocation was not stored: repeat the command")]
    RevocationStore(#[from] RevocationStoreError),
    #[error("the role, attribute or department cannot be kept: {0}")]
    Fact(#[from] InvalidFact),
    #[error("the policy has no {what} {name:?}; it has: {declared}")]
    Undeclared {
        what: &'static str,
        name: String,
        declared: String,
    },
    #[error(
        "{org} knows nothing of this of {subject}, and nothing was changed: names are compared letter by letter, and \
         `ringwall subject show` says what is known"
    )]
    NothingTaken { org: String, subject: String },
    #[error(
        "{0} has another value, and the policy takes two of them for none: revoke the other one first"
    )]
    SecondValue(String),
    #[error("what is known of the subject was not all changed: repeat the command")]
    Directory(#[from] DirectoryError),
    /// Both parts were tried.
    #[error(
        "not everything of the organisation was revoked (API keys: {api_keys}; tokens: {tokens}): \
         repeat the command"
    )]
    Org { api_keys: String, tokens: String },
    #[error(
        "the API keys cannot be counted, and nothing was changed: with --yes, what can be revoked is"
    )]
    Uncounted(#[source] Box<Self>),
    /// What became of a part, in one line.
    #[error("{0}")]
    Part(String),
    #[error("the time is not known")]
    Clock(#[from] ClockUnavailable),
    #[error("the time is beyond what can be written")]
    TimeOutOfRange,
}

impl Failure {
    /// 2 for what has to be written in another way, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if matches!(
            self,
            Self::Arguments(_)
                | Self::Undeclared { .. }
                | Self::ApiKeyName(_)
                | Self::Fact(_)
                | Self::Revocation(_)
        ) {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    }
}
