//! Where the server is, and how it is spoken to.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use percent_encoding::percent_decode_str;
use ringwall_core::secret::SecretString;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::{Host, Url};

use crate::Error;

/// For one call. A server in the same data centre answers in milliseconds; a writer may have to wait for
/// others.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest that can be set: a request that waits longer is a request that fails.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections of one process. A server has a hundred for all, unless it says otherwise.
const CONNECTIONS: u32 = 8;
/// The most that can be set.
const MAX_CONNECTIONS: u32 = 256;
/// Where the tables are.
const SCHEMA: &str = "ringwall";
/// What the server makes of a name that is longer is another one (`NAMEDATALEN`).
const MAX_SCHEMA: usize = 63;

/// How to reach one PostgreSQL (13 or later): its primary.
///
/// Its `Debug` form shows neither name nor password.
#[must_use = "nothing is opened before `PostgresDatabase::open`"]
pub struct PostgresConfig {
    host: String,
    port: u16,
    database: String,
    user: String,
    password: Option<SecretString>,
    schema: String,
    #[cfg(feature = "tls")]
    root_certificates: Option<Vec<u8>>,
    tls_demanded: bool,
    clear_text_permitted: bool,
    pub(crate) timeout: Duration,
    pub(crate) connections: u32,
}

impl PostgresConfig {
    /// A server at this name or address, or the folder of a Unix-domain socket when `host` begins with
    /// `/`.
    pub fn new(
        host: impl Into<String>,
        port: u16,
        database: impl Into<String>,
        user: impl Into<String>,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            database: database.into(),
            user: user.into(),
            password: None,
            schema: SCHEMA.to_owned(),
            #[cfg(feature = "tls")]
            root_certificates: None,
            tls_demanded: false,
            clear_text_permitted: false,
            timeout: TIMEOUT,
            connections: CONNECTIONS,
        }
    }

    /// From `postgres://user[:password]@host[:port]/database`. Names and password are percent-encoded, and
    /// so is the folder of a socket in the place of the host. Of the parameters, `sslmode` alone is
    /// understood: `verify-full`, which is what another machine is spoken to with anyway, or `disable`,
    /// which for another machine needs [`clear_text_permitted`](Self::clear_text_permitted) as well.
    /// `prefer`, `require` and `verify-ca` accept whoever answers, and are refused.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], without a word of the text.
    pub fn from_url(url: &SecretString) -> Result<Self, Error> {
        let parsed = Url::parse(url.expose())
            .map_err(|_| Error::Configuration("the URL cannot be parsed"))?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") {
            return Err(Error::Configuration("the URL must begin with postgres://"));
        }
        if parsed.fragment().is_some() {
            return Err(Error::Configuration("the URL has a fragment"));
        }
        let host = match parsed.host() {
            // The schemes are none that the parser knows, so it leaves names as they are written.
            Some(Host::Domain(name)) if !name.is_empty() => decoded(name)?,
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => {
                return Err(Error::Configuration("the URL names no host"));
            }
        };
        let database = decoded(parsed.path().trim_start_matches('/'))?;
        let user = decoded(parsed.username())?;
        let mut config = Self::new(host, parsed.port().unwrap_or(5432), database, user);
        if let Some(password) = parsed.password() {
            config.password = Some(SecretString::new(decoded(password)?));
        }
        for (name, value) in parsed.query_pairs() {
            match (&*name, &*value) {
                ("sslmode", "verify-full") => config.tls_demanded = true,
                ("sslmode", "disable") => config.tls_demanded = false,
                ("sslmode", _) => {
                    return Err(Error::Configuration(
                        "sslmode must be verify-full, or disable: all others accept whoever answers",
                    ));
                }
                _ => {
                    return Err(Error::Configuration(
                        "the URL has parameters other than sslmode, which are set by methods",
                    ));
                }
            }
        }
        Ok(config)
    }

    /// The password. The driver keeps a copy, which is not wiped.
    pub fn password(mut self, password: SecretString) -> Self {
        self.password = Some(password);
        self
    }

    /// The schema that the tables are in: 1 to 63 lower-case letters, digits and underscores, no digit
    /// first, and not `pg_` in front. `ringwall` unless set.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Certificates (PEM) that vouch for the server, beside those of the system. The name of the host has
    /// to be in the server's certificate (`verify-full`). Speaks TLS to this machine too.
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self.tls_demanded = true;
        self
    }

    /// Loosens: another machine may be spoken to without TLS, so that whoever is in between reads the
    /// hashes of keys, and can answer as they like. For networks that encrypt by themselves.
    pub const fn clear_text_permitted(mut self) -> Self {
        self.clear_text_permitted = true;
        self
    }

    /// How long a call may take, waiting for a connection and for other writers included: two seconds
    /// unless set, a minute at most.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connections at once: 8 unless set, 256 at most.
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    pub(crate) fn schema_name(&self) -> &str {
        &self.schema
    }

    /// What is wrong with it, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.host.is_empty() || self.port == 0 {
            return Err(Error::Configuration("host or port is missing"));
        }
        if self.database.is_empty() || self.user.is_empty() {
            return Err(Error::Configuration("database or user is missing"));
        }
        if !is_schema(&self.schema) {
            return Err(Error::Configuration(
                "a schema is 1 to 63 lower-case letters, digits and underscores, no digit first, \
                 and not pg_ in front",
            ));
        }
        if self.timeout < Duration::from_millis(1) || self.timeout > MAX_TIMEOUT {
            return Err(Error::Configuration(
                "the time-out must be from 1 ms to 60 s",
            ));
        }
        if self.connections == 0 || self.connections > MAX_CONNECTIONS {
            return Err(Error::Configuration("connections must be from 1 to 256"));
        }
        if self.is_socket() && self.tls_demanded {
            return Err(Error::Configuration(
                "there is no TLS on a socket of this machine",
            ));
        }
        if self.speaks_tls() && !cfg!(feature = "tls") {
            return Err(Error::Configuration(
                "another machine is spoken to with TLS: switch the feature `tls` on, or name \
                 `clear_text_permitted`",
            ));
        }
        Ok(())
    }

    fn speaks_tls(&self) -> bool {
        self.tls_demanded || !(self.is_local() || self.clear_text_permitted)
    }

    fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    fn is_local(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            // RFC 6761 §6.3: the name never leaves the machine.
            Err(_) => self.host.eq_ignore_ascii_case("localhost") || self.is_socket(),
        }
    }

    /// For connections of your own to the same server, such as the pool that a service queries its tables through:
    /// with the same TLS, search path and time-outs, and without looking at environment or `.pgpass`.
    ///
    /// Row-level security is `on` there: it filters. The stores of this crate have it `off`, which is an error where it
    /// would.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`].
    pub fn connect_options(&self) -> Result<PgConnectOptions, Error> {
        self.check()?;
        // Of two that name the same setting, the server takes the later one.
        Ok(self.options().options([("row_security", "on")]))
    }

    /// In the driver's words.
    pub(crate) fn options(&self) -> PgConnectOptions {
        let mode = if self.speaks_tls() {
            PgSslMode::VerifyFull
        } else {
            PgSslMode::Disable
        };
        let milliseconds = self.timeout.as_millis();
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.user)
            // Not the one of the environment, where another program may need another one.
            .password(self.password.as_ref().map_or("", SecretString::expose))
            .ssl_mode(mode)
            .application_name("ringwall")
            .options([
                // Temporary tables come last, and not first.
                ("search_path", format!("{},pg_temp", self.schema)),
                // A store that row-level security hides rows from has to fail, and not to believe what is left.
                ("row_security", "off".to_owned()),
                ("statement_timeout", milliseconds.to_string()),
                ("lock_timeout", milliseconds.to_string()),
                // A process that was stopped must not hold the others up for ever.
                (
                    "idle_in_transaction_session_timeout",
                    milliseconds.saturating_mul(2).to_string(),
                ),
            ])
            .disable_statement_logging();
        if self.is_socket() {
            options = options.socket(&self.host);
        }
        #[cfg(feature = "tls")]
        if let Some(pem) = &self.root_certificates {
            options = options.ssl_root_cert_from_pem(pem.clone());
        }
        options
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| Error::Configuration("a part of the URL is not text"))
}

/// It stands in statements, so it is a name that needs no quotes, in quotes.
fn is_schema(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_SCHEMA).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.starts_with("pg_")
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .field("schema", &self.schema)
            .field("speaks_tls", &self.speaks_tls())
            .field("timeout", &self.timeout)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(url: &str) -> Result<PostgresConfig, Error> {
        PostgresConfig::from_url(&SecretString::new(url.to_owned()))
    }

    #[test]
    fn reads_urls() {
        let config = from("postgres://al%40ice:se%3Acret@127.0.0.1:7000/d%20b").expect("valid");
        let password = config.password.as_ref().expect("there is one");
        assert!(password.matches("se:cret"));
        assert_eq!(
            (config.user.as_str(), config.host.as_str(), config.port),
            ("al@ice", "127.0.0.1", 7000)
        );
        assert_eq!(config.database, "d b");
        config.check().expect("this machine");
        let config = from("postgresql://u@[::1]/db").expect("valid");
        assert_eq!((config.host.as_str(), config.port), ("::1", 5432));
        config.check().expect("this machine");
        let config = from("postgres://u@%2Fvar%2Frun%2Fpostgresql/db").expect("valid");
        assert_eq!(config.host, "/var/run/postgresql");
        config.check().expect("this machine");
    }

    #[test]
    fn refuses_what_it_does_not_understand_and_repeats_nothing_of_it() {
        for url in [
            "hunter2",
            "http://u:hunter2@localhost/db",
            "postgres://u:hunter2@localhost/db?sslmode=prefer",
            "postgres://u:hunter2@localhost/db?sslmode=require",
            "postgres://u:hunter2@localhost/db?sslmode=verify-ca",
            "postgres://u:hunter2@localhost/db?sslmode=hunter2",
            "postgres://u:hunter2@localhost/db?host=hunter2",
            "postgres://u:hunter2@localhost/db#hunter2",
            "postgres:///hunter2",
            "postgres://u:%ff@localhost/db",
        ] {
            let error = from(url).expect_err(url);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn speaks_to_another_machine_only_with_verified_tls_or_by_name() {
        for host in [
            "db.example.com",
            "10.0.0.1",
            "::ffff:10.0.0.1",
            "localhost.example.com",
        ] {
            let config = || PostgresConfig::new(host, 5432, "db", "u");
            assert!(config().speaks_tls(), "{host}");
            assert_eq!(config().check().is_ok(), cfg!(feature = "tls"));
            let ssl = config().options().get_ssl_mode();
            assert!(matches!(ssl, PgSslMode::VerifyFull), "{ssl:?}");
            let permitted = config().clear_text_permitted();
            permitted.check().expect("by name");
            let ssl = permitted.options().get_ssl_mode();
            assert!(matches!(ssl, PgSslMode::Disable), "{ssl:?}");
        }
        // It takes both words.
        let disabled = from("postgres://u@db.example.com/db?sslmode=disable").expect("valid");
        assert!(disabled.speaks_tls());
        for host in ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1", "/run"] {
            let config = PostgresConfig::new(host, 5432, "db", "u");
            assert!(!config.speaks_tls(), "{host}");
            config.check().expect("this machine");
        }
        // What a URL demands is not loosened by another name.
        let demanded = from("postgres://u@localhost/db?sslmode=verify-full").expect("valid");
        assert!(demanded.clear_text_permitted().speaks_tls());
    }

    #[test]
    fn refuses_bounds_and_names_out_of_range() {
        let config = || PostgresConfig::new("localhost", 5432, "db", "u");
        config().check().expect("the defaults");
        let long = "s".repeat(64);
        for schema in [
            "", "Ringwall", "1a", "a-b", "a\"b", "a,b", "a b", "pg_x", "ä", &long,
        ] {
            assert!(config().schema(schema).check().is_err(), "{schema:?}");
        }
        config().schema("_a1").check().expect("a name");
        for config in [
            config().timeout(Duration::ZERO),
            config().timeout(Duration::from_secs(61)),
            config().connections(0),
            config().connections(257),
            PostgresConfig::new("", 5432, "db", "u"),
            PostgresConfig::new("localhost", 0, "db", "u"),
            PostgresConfig::new("localhost", 5432, "", "u"),
            PostgresConfig::new("localhost", 5432, "db", ""),
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }

    #[test]
    fn never_shows_name_or_password() {
        let config = from("postgres://hunter1:hunter2@localhost/db").expect("valid");
        let shown = format!("{config:?} {config:#?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
