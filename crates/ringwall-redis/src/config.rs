//! Where the server is, and how it is spoken to.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::secret::SecretString;
use url::{Host, Url};

use crate::Error;
use crate::cluster::{self, Node};

/// For one answer. A request waits for it, so it is short; a server in the same data centre answers
/// in less than a millisecond.
const TIMEOUT: Duration = Duration::from_millis(250);
/// The longest that can be set: a request that waits longer is a request that fails.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// Commands at once, on the one connection: more than a server answers within the time-out.
const IN_FLIGHT: usize = 1024;
/// The most that can be set.
const MAX_IN_FLIGHT: usize = 65_536;
/// Databases of a server go from 0 to 15 unless it says otherwise.
const MAX_DATABASE: u32 = 1 << 20;

/// How to reach one Redis (6.2 or later, or Valkey): one primary, which is a cluster's node only where that is said
/// ([`cluster_node`](Self::cluster_node)).
///
/// Its `Debug` form shows neither name nor password.
pub struct RedisConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) database: u32,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ringwall_transport::ClientTls>,
    /// The URL said `rediss`.
    tls_demanded: bool,
    clear_text_permitted: bool,
    pub(crate) timeout: Duration,
    pub(crate) in_flight: usize,
    pub(crate) survives_restarts: bool,
    pub(crate) cluster_node: bool,
    /// Of a cluster: the slot whose node is spoken to.
    pub(crate) slot: Option<u16>,
    pub(crate) clock: Arc<dyn WallClock>,
}

impl RedisConfig {
    /// A server at this name or address, database 0, without a password.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            user: None,
            password: None,
            database: 0,
            #[cfg(feature = "tls")]
            tls: None,
            tls_demanded: false,
            clear_text_permitted: false,
            timeout: TIMEOUT,
            in_flight: IN_FLIGHT,
            survives_restarts: false,
            cluster_node: false,
            slot: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// From `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS, which still
    /// wants [`Self::tls`]. Name and password are percent-encoded. Parameters are refused.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for everything else, without a word of the text.
    pub fn from_url(url: &SecretString) -> Result<Self, Error> {
        let parsed = Url::parse(url.expose())
            .map_err(|_| Error::Configuration("the URL cannot be parsed"))?;
        let tls_demanded = match parsed.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => {
                return Err(Error::Configuration(
                    "the URL must begin with redis:// or rediss://",
                ));
            }
        };
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(Error::Configuration(
                "the URL has parameters, which are set by methods",
            ));
        }
        let host = match parsed.host() {
            // The schemes are none that the parser knows, so it leaves addresses as they are written.
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => {
                return Err(Error::Configuration("the URL names no host"));
            }
        };
        let database = match parsed.path().trim_start_matches('/') {
            "" => 0,
            number => number
                .parse()
                .map_err(|_| Error::Configuration("the database in the URL is not a number"))?,
        };
        let mut config = Self::new(host, parsed.port().unwrap_or(6379));
        config.database = database;
        config.tls_demanded = tls_demanded;
        if !parsed.username().is_empty() {
            config.user = Some(decoded(parsed.username())?);
        }
        if let Some(password) = parsed.password() {
            config.password = Some(SecretString::new(decoded(password)?));
        }
        Ok(config)
    }

    /// The name of the user (ACL). Without one, the password is that of the default user.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// The password.
    #[must_use]
    pub fn password(mut self, password: SecretString) -> Self {
        self.password = Some(password);
        self
    }

    /// The number of the database.
    #[must_use]
    pub const fn database(mut self, number: u32) -> Self {
        self.database = number;
        self
    }

    /// Speaks TLS, and accepts the servers that these roots vouch for under the host's name. When the
    /// certificates were replaced, the connection is made anew.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: ringwall_transport::ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Permits a connection without TLS to another machine: whoever is in between reads the password,
    /// and can answer each claim as they like. For networks that encrypt by themselves.
    #[must_use]
    pub const fn clear_text_permitted(mut self) -> Self {
        self.clear_text_permitted = true;
        self
    }

    /// For how long an answer is waited for: 250 ms unless set, at most ten seconds.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Commands that may wait for an answer at the same time: 1,024 unless set. One more is refused. Checks of limits
    /// share calls, of which there are four; of the checks that wait for one there may be as many again.
    #[must_use]
    pub const fn in_flight(mut self, commands: usize) -> Self {
        self.in_flight = commands;
        self
    }

    /// States that the server keeps each write that it confirmed when it is restarted, or its machine
    /// loses power: `appendonly yes` and `appendfsync always`, on a disk that outlives it. Without this
    /// statement, what may have been claimed before the server's start is refused.
    #[must_use]
    pub const fn survives_restarts(mut self) -> Self {
        self.survives_restarts = true;
        self
    }

    /// States that the server is a primary node of a cluster, and the one that serves the slot of the keys: those of
    /// rate limits are all in one slot, that of their tag. Keys of other nodes are refused (the server
    /// answers `MOVED`, and nobody follows; see [`cluster`](Self::cluster) for that). A name in front that moves with the slot is noticed as with one
    /// server.
    #[must_use]
    pub const fn cluster_node(mut self) -> Self {
        self.cluster_node = true;
        self
    }

    /// States that the server is a node of a cluster, any of them: it is asked which one serves the keys with `tag` in
    /// braces ([`RedisLimiterBuilder::tag`](crate::RedisLimiterBuilder::tag); `limits` unless set there), and that
    /// one is spoken to. When the slot moves, or its node fails and another one takes over, the connection moves too,
    /// within seconds; until then the answer is that there is none.
    ///
    /// Every node is spoken to as this one is: the same user and password, TLS with the same roots (a certificate has
    /// to be for the name or the address that the cluster announces), and without TLS on this machine alone, unless
    /// [`clear_text_permitted`](Self::clear_text_permitted).
    #[must_use]
    pub fn cluster(mut self, tag: &str) -> Self {
        self.cluster_node = true;
        self.slot = Some(cluster::slot_of(tag));
        self
    }

    /// The clock by which the server's start is judged; the system's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// What is wrong with it, before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.host.is_empty() || self.port == 0 {
            return Err(Error::Configuration("host or port is missing"));
        }
        if self.user.is_some() && self.password.is_none() {
            return Err(Error::Configuration("a user without a password"));
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return Err(Error::Configuration(
                "the time-out must be from 1 ns to 10 s",
            ));
        }
        if self.in_flight == 0 || self.in_flight > MAX_IN_FLIGHT {
            return Err(Error::Configuration(
                "commands in flight must be from 1 to 65,536",
            ));
        }
        if self.database > MAX_DATABASE {
            return Err(Error::Configuration(
                "the number of the database is too high",
            ));
        }
        if self.cluster_node && self.database != 0 {
            return Err(Error::Configuration(
                "a node of a cluster has database 0 alone",
            ));
        }
        self.check_node(&self.node())
    }

    /// Whether a node of the cluster may be spoken to as it would be.
    pub(crate) fn check_node(&self, node: &Node) -> Result<(), Error> {
        if self.has_tls() || (!self.tls_demanded && node.is_loopback()) {
            return Ok(());
        }
        if self.tls_demanded {
            return Err(Error::Configuration(
                "the URL demands TLS: set the roots with `tls` (feature `tls`)",
            ));
        }
        if self.clear_text_permitted {
            return Ok(());
        }
        Err(Error::Configuration(
            "another machine is spoken to with TLS: set the roots with `tls` (feature `tls`), or \
             name `clear_text_permitted`",
        ))
    }

    #[cfg(feature = "tls")]
    pub(crate) const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    #[cfg(not(feature = "tls"))]
    #[expect(
        clippy::unused_self,
        reason = "the same call with and without the feature"
    )]
    pub(crate) const fn has_tls(&self) -> bool {
        false
    }

    /// The server that was named.
    pub(crate) fn node(&self) -> Node {
        Node {
            host: self.host.clone(),
            port: self.port,
        }
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Error::Configuration("name or password in the URL is not UTF-8"))
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .field("tls", &self.has_tls())
            .field("timeout", &self.timeout)
            .field("in_flight", &self.in_flight)
            .field("survives_restarts", &self.survives_restarts)
            .field("cluster_node", &self.cluster_node)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(url: &str) -> Result<RedisConfig, Error> {
        RedisConfig::from_url(&SecretString::new(url.to_owned()))
    }

    #[test]
    fn reads_urls() {
        let config = from("redis://al%40ice:se%3Acret@127.0.0.1:7000/3").expect("valid");
        assert_eq!(config.user.as_deref(), Some("al@ice"));
        assert!(
            config
                .password
                .as_ref()
                .is_some_and(|word| word.matches("se:cret"))
        );
        assert_eq!(
            (config.host.as_str(), config.port, config.database),
            ("127.0.0.1", 7000, 3)
        );
        config.check().expect("loopback");
        let config = from("redis://:secret@[::1]").expect("valid");
        assert_eq!(
            (config.host.as_str(), config.port, config.database),
            ("::1", 6379, 0)
        );
        assert_eq!(config.user, None);
        config.check().expect("loopback");
    }

    #[test]
    fn refuses_what_it_does_not_understand_and_repeats_nothing_of_it() {
        for url in [
            "hunter2",
            "http://:hunter2@localhost",
            "redis://:hunter2@localhost/?hunter2=1",
            "redis://:hunter2@localhost/hunter2",
            "redis://:hunter2@localhost/-1",
            "redis://:hunter2@localhost#hunter2",
            "redis://:hunter2@",
            "redis:hunter2",
            "redis:///hunter2",
            "redis://:%ff@localhost",
            "redis://:hunter2@localhost:99999",
        ] {
            let error = from(url).expect_err(url);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(!error.is_retryable());
        }
    }

    #[test]
    fn speaks_to_another_machine_only_with_tls_or_by_name() {
        for host in [
            "redis.example.com",
            "10.0.0.1",
            "::ffff:10.0.0.1",
            "localhost.example.com",
        ] {
            assert!(RedisConfig::new(host, 6379).check().is_err(), "{host}");
            let permitted = RedisConfig::new(host, 6379).clear_text_permitted();
            permitted.check().expect("by name");
        }
        for host in [
            "localhost",
            "127.0.0.1",
            "127.1.2.3",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            RedisConfig::new(host, 6379).check().expect("this machine");
        }
        // What a URL demands is not loosened by another name.
        let config = from("rediss://localhost")
            .expect("valid")
            .clear_text_permitted();
        assert!(config.check().is_err());
    }

    #[test]
    fn refuses_bounds_out_of_range() {
        let config = || RedisConfig::new("localhost", 6379);
        for config in [
            config().timeout(Duration::ZERO),
            config().timeout(Duration::from_secs(11)),
            config().in_flight(0),
            config().in_flight(65_537),
            config().database(u32::MAX),
            config().cluster_node().database(1),
            config().user("alice"),
            RedisConfig::new("", 6379),
            RedisConfig::new("localhost", 0),
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }

    #[test]
    fn never_shows_name_or_password() {
        let config = from("redis://hunter1:hunter2@localhost").expect("valid");
        let shown = format!("{config:?} {config:#?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
