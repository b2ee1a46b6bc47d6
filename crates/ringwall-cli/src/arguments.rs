//! The command line.

mod policies;
mod subjects;

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args, Parser, Subcommand};
use ringwall_authn::api_key::{AllowedNetwork, ApiKeyId, ApiKeyPrefix, PepperError, PepperId};
use ringwall_browser::OriginPattern;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{InvalidName, OrgId, ProjectId, Scope, Subject};
use ringwall_core::secret::SecretString;

pub(crate) use policies::*;
pub(crate) use subjects::*;

/// Check configurations and policies, migrate stores, manage API keys, and revoke tokens
#[derive(Parser)]
#[command(version, name = "ringwall")]
pub(crate) struct Cli {
    /// Answer in JSON, one object on each line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Configurations of a gate
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Authorization policies
    #[command(subcommand)]
    Policy(Box<PolicyCommand>),
    /// Bring the schema of a store to the version that this program knows
    Migrate(MigrateArguments),
    /// Make, list, replace and take back API keys
    #[command(subcommand)]
    Apikey(Box<ApiKeyCommand>),
    /// Take back tokens before they end
    #[command(subcommand)]
    Revoke(RevokeCommand),
    /// Show and change what the directory of subjects knows: roles, attributes and departments
    #[command(subcommand)]
    Subject(Box<SubjectCommand>),
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print what a configuration comes to, secrets redacted, or everything that is wrong with it
    Check(CheckArguments),
}

#[derive(Args)]
#[command(group = ArgGroup::new("sources").args(["config", "env_prefix"]).multiple(true).required(true))]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

/// The configuration of a service, as it reads it itself.
#[derive(Args)]
#[command(group = ArgGroup::new("service").args(["config", "env_prefix"]).multiple(true))]
pub(crate) struct ServiceArguments {
    /// The configuration of the service (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read the variables that begin with this and two underscores, such as RINGWALL; they go before the file
    #[arg(long, value_name = "PREFIX")]
    pub(crate) env_prefix: Option<String>,
    /// Read variables of old names too, such as JWT_SECRET
    #[arg(long, requires = "service")]
    pub(crate) old_names: bool,
    /// Sections and settings at the top that are the service's own (repeatable)
    #[arg(long, value_name = "NAME", requires = "service")]
    pub(crate) of_service: Vec<String>,
}

/// Where a store is, and how it is reached.
#[derive(Args)]
pub(crate) struct StoreArguments {
    /// sqlite:PATH, postgres://USER@HOST/DATABASE, or redis://HOST where a revocation goes there; without a
    /// password, which every user of this machine could read
    #[arg(long, value_name = "URL", value_parser = StoreUrl::new)]
    pub(crate) store: StoreUrl,
    /// The file with the password; else the variable RINGWALL_STORE_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArguments,
}

#[derive(Args)]
pub(crate) struct ConnectionArguments {
    /// The schema of PostgreSQL that the tables are in [default: ringwall]
    #[arg(long, value_name = "NAME")]
    pub(crate) schema: Option<String>,
    /// Certificates (PEM) that vouch for PostgreSQL, beside those of the system, or for Redis (rediss://)
    #[arg(long, value_name = "FILE")]
    pub(crate) root_certificates: Option<PathBuf>,
    /// Speak to another machine without TLS: whoever is in between reads and answers as they like
    #[arg(long)]
    pub(crate) permit_clear_text: bool,
    /// How long one call to the store may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(crate) timeout_seconds: u8,
}

/// A URL, which may hold a password where it should not. It is judged later, by who repeats nothing of it.
#[derive(Clone)]
pub(crate) struct StoreUrl(Arc<SecretString>);

impl StoreUrl {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the parser of arguments wants a result"
    )]
    fn new(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Arc::new(SecretString::new(text.to_owned()))))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreUrl([redacted])")
    }
}

#[derive(Args)]
pub(crate) struct MigrateArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Change nothing: print the steps, and end with 1 when one of them was not applied
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) status: bool,
    /// Change nothing: print the steps that would be applied
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key, and print it once
    Create(CreateArguments),
    /// Print the keys of an organisation, without anything secret
    List(ListArguments),
    /// Replace a key by a new one with the same rights, and print that once
    Rotate(RotateArguments),
    /// Take one key back, or many
    Revoke(RevokeKeysArguments),
    /// Print the keys that somebody should look at
    Review(ReviewArguments),
    /// Take over a key of the time before look-up ids, read from the standard input
    Import(CreateArguments),
}

/// How keys look, and what is stored of them: as the service's configuration has it, or as the options say.
#[derive(Args)]
#[command(group = ArgGroup::new("hash").args(["pepper_file", "no_pepper"]).conflicts_with("service"))]
pub(crate) struct HashArguments {
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
    /// The file with the pepper; else the variable RINGWALL_PEPPER
    #[arg(long, value_name = "FILE")]
    pub(crate) pepper_file: Option<PathBuf>,
    /// The name of the pepper, as the service's api_keys.pepper_id
    #[arg(long, value_name = "NAME", default_value = "1", value_parser = pepper_id, conflicts_with_all = ["no_pepper", "service"])]
    pub(crate) pepper_id: PepperId,
    /// Store plain hashes (api_keys.hash = "sha256"): whoever can write the table can add a key
    #[arg(long)]
    pub(crate) no_pepper: bool,
    /// What keys begin with, as the service's api_keys.prefix
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "pak",
        conflicts_with = "service"
    )]
    pub(crate) key_prefix: ApiKeyPrefix,
}

#[derive(Args)]
#[command(group = ArgGroup::new("end").args(["expires_at", "expires_in_days", "never_expires"]).required(true))]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(flatten)]
    pub(crate) hash: HashArguments,
    /// What people call it
    #[arg(long)]
    pub(crate) name: String,
    /// Whose data it reaches
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Of which project; without one, the organisation's
    #[arg(long, value_parser = project)]
    pub(crate) project: Option<ProjectId>,
    /// What it may do, such as runs:read (repeatable); nothing unless set
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    pub(crate) scopes: Vec<Scope>,
    /// A scope that keys of this service can have (repeatable): others are refused then, and agent:* stands for
    /// those of its family
    #[arg(long = "known-scope", value_name = "SCOPE", value_parser = scope, conflicts_with = "service")]
    pub(crate) known_scopes: Vec<Scope>,
    /// From when on it is refused (RFC 3339), such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<Timestamp>,
    /// After how many days it is refused
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) expires_in_days: Option<u32>,
    /// It has no end
    #[arg(long)]
    pub(crate) never_expires: bool,
    /// An address or network that it may be used from, such as 192.0.2.0/24 (repeatable)
    #[arg(long = "network", value_name = "NETWORK")]
    pub(crate) networks: Vec<AllowedNetwork>,
    /// An origin of pages that it may be used on, such as https://app.example.com (repeatable)
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<OriginPattern>,
    /// Who makes it
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) by: Subject,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Whose keys
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Only those that are bound to this project
    #[arg(long, value_parser = project)]
    pub(crate) project: Option<ProjectId>,
}

#[derive(Args)]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(flatten)]
    pub(crate) hash: HashArguments,
    /// The look-up id of the key: the part between the underscores
    pub(crate) id: ApiKeyId,
    /// Whose key it is
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Of which project
    #[arg(long, value_parser = project)]
    pub(crate) project: Option<ProjectId>,
    /// How long the old key is accepted beside the new one; 0 ends it at once
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=2_592_000))]
    pub(crate) grace_seconds: u32,
    /// Who does it
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) by: Subject,
}

#[derive(Args)]
#[command(group = ArgGroup::new("whose").args(["id", "all_of_org", "all_of_project", "all_of_creator"]).required(true))]
pub(crate) struct RevokeKeysArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// The look-up id of the key: the part between the underscores
    pub(crate) id: Option<ApiKeyId>,
    /// Whose key it is
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Of which project the key is
    #[arg(long, value_parser = project, conflicts_with_all = ["all_of_org", "all_of_project", "all_of_creator"])]
    pub(crate) project: Option<ProjectId>,
    /// All keys of the organisation, those of its projects too
    #[arg(long)]
    pub(crate) all_of_org: bool,
    /// All keys that are bound to a project of the organisation
    #[arg(long, value_name = "PROJECT", value_parser = project)]
    pub(crate) all_of_project: Option<ProjectId>,
    /// All keys of the organisation that somebody made
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) all_of_creator: Option<Subject>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct ReviewArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Whose keys
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Keys older than this are due for rotation
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub(crate) rotation_days: u32,
    /// Keys that end within this time
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub(crate) expiry_days: u32,
    /// Keys that nobody used for this long
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub(crate) unused_days: u32,
}

#[derive(Subcommand)]
pub(crate) enum RevokeCommand {
    /// One token, by its issuer and its jti
    Token(RevokeTokenArguments),
    /// The tokens of a subject, and those with which others act for it
    Subject(RevokeSubjectArguments),
    /// The tokens that name a signing key of their issuer
    Key(RevokeSigningKeyArguments),
    /// All tokens of an organisation, and its API keys
    Org(RevokeOrgArguments),
}

#[derive(Args)]
pub(crate) struct LogArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// What the keys of Redis begin with [default: ringwall:revocations:]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) redis_prefix: Option<String>,
}

/// For how long a revocation has to be remembered.
#[derive(Args)]
pub(crate) struct LifetimeArguments {
    /// The longest life of a token that the services accept, as their max_lifetime_seconds: the revocation is
    /// remembered for so long, and forgotten afterwards
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..=315_360_000), conflicts_with = "service")]
    pub(crate) longest_lifetime_seconds: u32,
    #[command(flatten)]
    pub(crate) service: ServiceArguments,
}

#[derive(Args)]
pub(crate) struct RevokeTokenArguments {
    #[command(flatten)]
    pub(crate) log: LogArguments,
    /// iss
    #[arg(long)]
    pub(crate) issuer: String,
    /// jti
    #[arg(long, value_name = "JTI")]
    pub(crate) token_id: String,
    #[command(flatten)]
    pub(crate) lifetime: LifetimeArguments,
}

#[derive(Args)]
pub(crate) struct RevokeSubjectArguments {
    #[command(flatten)]
    pub(crate) log: LogArguments,
    /// iss
    #[arg(long)]
    pub(crate) issuer: String,
    /// sub
    #[arg(long)]
    pub(crate) subject: String,
    /// iat of the last token that is concerned; as late as an issuer's clock may be ahead unless set
    #[arg(long, value_name = "TIME")]
    pub(crate) issued_until: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) lifetime: LifetimeArguments,
}

#[derive(Args)]
pub(crate) struct RevokeSigningKeyArguments {
    #[command(flatten)]
    pub(crate) log: LogArguments,
    /// iss
    #[arg(long)]
    pub(crate) issuer: String,
    /// kid
    #[arg(long, value_name = "KID")]
    pub(crate) key_id: String,
    /// For how long it is remembered: whoever has the key makes tokens of tomorrow's date
    #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) remember_days: u32,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct RevokeOrgArguments {
    /// Where the API keys are: SQLite or PostgreSQL. The revocation goes there too, unless --log says otherwise
    #[command(flatten)]
    pub(crate) keys: LogArguments,
    /// Where the log of revocations is, when it is elsewhere, such as redis://HOST
    #[arg(long, value_name = "URL", value_parser = StoreUrl::new)]
    pub(crate) log: Option<StoreUrl>,
    /// The file with the password for --log; else the variable RINGWALL_LOG_PASSWORD
    #[arg(long, value_name = "FILE", requires = "log")]
    pub(crate) log_password_file: Option<PathBuf>,
    /// The organisation
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// iat of the last token that is concerned; as late as an issuer's clock may be ahead unless set
    #[arg(long, value_name = "TIME")]
    pub(crate) issued_until: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) lifetime: LifetimeArguments,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

fn org(text: &str) -> Result<OrgId, InvalidName> {
    OrgId::new(text)
}

fn project(text: &str) -> Result<ProjectId, InvalidName> {
    ProjectId::new(text)
}

fn subject(text: &str) -> Result<Subject, InvalidName> {
    Subject::new(text)
}

fn scope(text: &str) -> Result<Scope, InvalidName> {
    Scope::new(text)
}

fn pepper_id(text: &str) -> Result<PepperId, PepperError> {
    PepperId::new(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn never_shows_a_url() {
        let url = StoreUrl::new("postgres://u:hunter2@h/d").expect("never fails");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
