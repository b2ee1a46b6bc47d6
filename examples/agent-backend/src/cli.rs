//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use ringwall_core::principal::{InvalidName, OrgId, ProjectId, Role, Scope, Subject};
use ringwall_core::profile::Profile;

/// Where a development service keeps its data unless told otherwise.
const DEV_DATA_DIR: &str = "agent-backend-data";

/// The back end of an AI-agent product, protected by Ringwall.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve requests until SIGINT or SIGTERM
    Serve(ServeArgs),
    /// Print a token of the development issuer of a data folder
    Token(TokenArgs),
    /// Say what somebody is in an organisation: the first administrator, who makes the others
    Member(MemberArgs),
    /// Start the service on a free port and drive it through every control
    Tour(TourArgs),
}

#[derive(Args, Debug, Default)]
pub(crate) struct ServeArgs {
    /// Need no set-up: make a development issuer in the data folder and trust it
    #[arg(long)]
    pub(crate) dev: bool,
    /// The configuration (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, such as 127.0.0.1:8080; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the data is kept; with --dev ./agent-backend-data unless set
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Let --dev listen on addresses that other machines can reach
    #[arg(long, requires = "dev")]
    pub(crate) dev_beyond_loopback: bool,
    /// The URL by which clients use the service; the audience unless set, when that is a URL
    #[arg(long, value_name = "URL")]
    pub(crate) resource: Option<String>,
    /// The Redis in which all processes count their limits together, such as `redis://127.0.0.1:6379`
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// The PostgreSQL in which the cases are, under row-level security, such as `postgres://user@127.0.0.1/database`;
    /// without it they are in a file of the data folder
    #[arg(long, value_name = "URL")]
    pub(crate) postgres: Option<String>,
    /// Put the policy of this program into force in a PostgreSQL that holds another one: said once, with the first process of
    /// a new version
    #[arg(long)]
    pub(crate) replace_policy: bool,
    #[command(flatten)]
    pub(crate) tokens: TokensArgs,
}

/// Whose tokens are accepted, as the section `tokens` of the configuration has it.
#[derive(Args, Debug, Default)]
pub(crate) struct TokensArgs {
    /// Whose tokens are accepted: what they have as iss, such as `https://login.example.com`
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// What the tokens for this service have as aud
    #[arg(long)]
    audience: Option<String>,
    /// Where the issuer's keys are; without it, the issuer's metadata says so (OIDC discovery)
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// Who runs the issuer: generic (RFC 9068), plain, auth0, cognito, entra-id, google, keycloak,
    /// okta or supabase
    #[arg(long)]
    provider: Option<String>,
    /// The organisation that all tokens belong to, for issuers whose tokens name none
    #[arg(long)]
    org: Option<String>,
}

impl ServeArgs {
    /// Whether this guards something real.
    pub(crate) const fn profile(&self) -> Profile {
        if self.dev {
            Profile::Development
        } else {
            Profile::Production
        }
    }

    /// The options that were given, with the settings that they are for.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, String)> {
        let tokens = &self.tokens;
        let listen = self.listen.map(|listen| listen.to_string());
        let texts = [
            ("--listen", "listen", listen),
            ("--resource", "resource.url", self.resource.clone()),
            ("--redis", "redis.url", self.redis.clone()),
            ("--postgres", "postgres.url", self.postgres.clone()),
            ("--issuer", "tokens.issuer", tokens.issuer.clone()),
            ("--audience", "tokens.audience", tokens.audience.clone()),
            ("--jwks-url", "tokens.jwks_url", tokens.jwks_url.clone()),
            ("--provider", "tokens.provider", tokens.provider.clone()),
            ("--org", "tokens.org", tokens.org.clone()),
        ];
        let texts = texts.into_iter();
        texts.filter_map(|(option, setting, text)| Some((option, setting, text?)))
    }

    /// The data folder of a development service, of which the configuration may name one.
    pub(crate) fn dev_data_dir(&self, named: Option<&Path>) -> PathBuf {
        let named = self.data_dir.as_deref().or(named);
        named.unwrap_or(Path::new(DEV_DATA_DIR)).to_owned()
    }
}

#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    /// The data folder of a service that was started with --dev
    #[arg(long, value_name = "DIR", default_value = DEV_DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// Who the token speaks for
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) sub: Subject,
    /// The organisation
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// The project within the organisation
    #[arg(long, value_parser = project)]
    pub(crate) project: Option<ProjectId>,
    /// A role; may be repeated
    #[arg(long, value_parser = role)]
    pub(crate) role: Vec<Role>,
    /// A scope, such as cases:read; may be repeated
    #[arg(long, value_parser = scope)]
    pub(crate) scope: Vec<Scope>,
    /// The agent that acts for the subject
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) actor: Option<Subject>,
    /// How many seconds ago the login behind the token was (auth_time); not said unless set
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) login_age: Option<u32>,
    /// How well the person was authenticated (acr); not said unless set
    #[arg(long, value_name = "CLASS")]
    pub(crate) acr: Option<String>,
    /// How long the token lives; a day at most, which is what the service accepts
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) ttl: u64,
}

#[derive(Args, Debug)]
pub(crate) struct MemberArgs {
    /// The data folder of the service
    #[arg(long, value_name = "DIR", default_value = DEV_DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// The PostgreSQL of the service, if it has one, as the owner of its tables: `postgres.owner_url`
    #[arg(long, value_name = "URL")]
    pub(crate) postgres: Option<String>,
    /// The file with the password for it
    #[arg(long, value_name = "FILE", requires = "postgres")]
    pub(crate) password_file: Option<PathBuf>,
    /// The organisation
    #[arg(long, value_parser = org)]
    pub(crate) org: OrgId,
    /// Who it is: the sub of the tokens
    #[arg(long, value_name = "SUBJECT", value_parser = subject)]
    pub(crate) sub: Subject,
    /// A role to give: admin, manager, analyst or viewer; may be repeated
    #[arg(long, value_parser = role)]
    pub(crate) role: Vec<Role>,
    /// A department to add to; may be repeated
    #[arg(long)]
    pub(crate) department: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct TourArgs {
    /// Write the result as a JSON list too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn subject(text: &str) -> Result<Subject, InvalidName> {
    Subject::new(text)
}

fn org(text: &str) -> Result<OrgId, InvalidName> {
    OrgId::new(text)
}

fn project(text: &str) -> Result<ProjectId, InvalidName> {
    ProjectId::new(text)
}

fn role(text: &str) -> Result<Role, InvalidName> {
    Role::new(text)
}

fn scope(text: &str) -> Result<Scope, InvalidName> {
    Scope::new(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
