//! On the PostgreSQL and the Redis that `cargo xtask test` started.

use core::hash::BuildHasher as _;
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::ApiKeys;
use ringwall_authn::api_key::ApiKeyUse;
use ringwall_authn::revocation::{Revocation, RevocationCursor, RevocationStore as _, Revoked};
use ringwall_core::request::HeaderValues;
use ringwall_core::secret::SecretString;
use ringwall_postgres::{PostgresApiKeys, PostgresConfig, PostgresDatabase, PostgresRevocations};
use ringwall_redis::{RedisClient, RedisConfig, RedisRevocations};
use serde_json::Value;
use url::Url;

use crate::runner::World;

pub(crate) fn url_of(variable: &str) -> Url {
    let url = std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} names no server: run `cargo xtask test -p ringwall-cli`")
    });
    Url::parse(&url).expect("a URL")
}

/// The URL without its password, and the password.
pub(crate) fn without_password(mut url: Url) -> (String, String) {
    let password = url.password().expect("a password").to_owned();
    url.set_password(None).expect("it may have one");
    (url.to_string(), password)
}

fn salt() -> String {
    format!("{:016x}", RandomState::new().hash_one(0_u8))
}

/// A schema of its own.
struct Postgres {
    world: World,
    schema: String,
}

impl Postgres {
    fn new() -> Self {
        let (url, password) = without_password(url_of("RINGWALL_TEST_POSTGRES_URL"));
        let folder = tempfile::tempdir().expect("a folder");
        let schema = format!("cli_{}", salt());
        let store = [
            "--store",
            &url,
            "--schema",
            &schema,
            "--timeout-seconds",
            "30",
        ];
        let store = store.map(str::to_owned).to_vec();
        let world = World::at(folder, store)
            .secret(&password)
            .variable("RINGWALL_STORE_PASSWORD", &password);
        Self { world, schema }
    }

    async fn database(&self) -> PostgresDatabase {
        let url = SecretString::new(url_of("RINGWALL_TEST_POSTGRES_URL").to_string());
        let config = PostgresConfig::from_url(&url).expect("valid");
        let config = config.schema(&self.schema).timeout(Duration::from_secs(30));
        PostgresDatabase::open(config).await.expect("it opens")
    }

    async fn accepts(&self, key: &str) -> bool {
        let store = PostgresApiKeys::open(&self.database().await)
            .await
            .expect("migrated");
        let keys = ApiKeys::builder(Arc::new(store), self.world.hasher()).build();
        let usage = ApiKeyUse {
            address: None,
            origin: HeaderValues::Absent,
        };
        keys.verify(key.as_bytes(), usage).await.is_ok()
    }

    async fn revocations(&self) -> Vec<Revocation> {
        let log = PostgresRevocations::open(&self.database().await)
            .await
            .expect("migrated");
        let page = log.read(RevocationCursor::START, 10.try_into().expect("not zero"));
        page.await.expect("it answers").revocations
    }
}

/// A log of its own.
pub(crate) struct Redis {
    pub(crate) url: String,
    pub(crate) password: String,
    pub(crate) prefix: String,
}

impl Redis {
    pub(crate) fn new() -> Self {
        let (url, password) = without_password(url_of("RINGWALL_TEST_REDIS_URL"));
        Self {
            url,
            password,
            prefix: format!("cli:{}:", salt()),
        }
    }

    pub(crate) async fn revocations(&self) -> Vec<Revocation> {
        let url = SecretString::new(url_of("RINGWALL_TEST_REDIS_URL").to_string());
        let config = RedisConfig::from_url(&url)
            .expect("valid")
            .timeout(Duration::from_secs(10));
        let client = RedisClient::connect(config).await.expect("it runs");
        let log = RedisRevocations::with_prefix(&client, &self.prefix).expect("short");
        let page = log.read(RevocationCursor::START, 10.try_into().expect("not zero"));
        page.await.expect("it answers").revocations
    }
}

const CREATE: &[&str] = &[
    "apikey",
    "create",
    "--org",
    "acme",
    "--name",
    "x'); --",
    "--by",
    "alice",
    "--never-expires",
];

#[tokio::test]
async fn keys_live_in_postgresql() {
    let place = Postgres::new();
    let world = &place.world;
    assert_eq!(world.run(&["migrate", "--status"]).code, 1);
    world.run(&["apikey", "list", "--org", "acme"]).refused(1);
    world.run(&["migrate"]).done();
    world.run(&["migrate", "--status"]).done();
    let key = world.peppered(CREATE).done().line().to_owned();
    assert!(place.accepts(&key).await);
    let id = key.split('_').nth(1).expect("an id");
    let rotated = world.peppered(&[
        "apikey",
        "rotate",
        id,
        "--org",
        "acme",
        "--by",
        "bob",
        "--grace-seconds",
        "0",
    ]);
    let newer = rotated.done().line().to_owned();
    assert!(!place.accepts(&key).await);
    assert!(place.accepts(&newer).await);
    let listed = world
        .run(&["--json", "apikey", "list", "--org", "acme"])
        .done()
        .json();
    assert_eq!(listed.len(), 2);
    // Old ones count until they are taken back.
    let revoke = ["apikey", "revoke", "--org", "acme", "--all-of-org"];
    world.run_with(&revoke, "2\n").done();
    assert!(!place.accepts(&newer).await);
}

#[test]
fn migrators_at_once_apply_each_step_once() {
    let place = Postgres::new();
    let applied: u64 = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| place.world.run(&["--json", "migrate"]).done().json()))
            .collect();
        let answers = runs.into_iter().map(|run| run.join().expect("no panic"));
        answers
            .map(|answer| answer[0]["applied"].as_u64().expect("a number"))
            .sum()
    });
    let steps = place.world.run(&["migrate", "--status"]).done();
    assert_eq!(
        applied,
        u64::try_from(steps.stdout.lines().count()).expect("few")
    );
}

#[test]
fn the_doctor_says_what_it_found_and_what_was_accepted_of_it() {
    let place = Postgres::new();
    let world = &place.world;
    world.run(&["migrate"]).done();
    let policy = world.write("rows.toml", ringwall_authz::ready::ROWS);
    let role = format!("nobody_{}", salt());
    let doctor = ["--json", "policy", "doctor", &policy, "--role", &role];
    let examined = world.run(&doctor);
    assert_eq!(examined.code, 1);
    let findings = examined.json();
    let told = |finding: &Value| {
        let text = |name: &str| finding[name].as_str().expect("a text").to_owned();
        assert!(!text("allows").is_empty() && !text("repair").is_empty());
        format!("{}:{}", text("code"), text("object"))
    };
    let found: Vec<String> = findings.iter().map(told).collect();
    assert_eq!(found[0], format!("NoRole:{role}"));
    assert!(found.contains(&"NoTable:cases".to_owned()), "{found:?}");
    // All of it, one by one.
    let mut all: Vec<&str> = doctor.to_vec();
    for one in &found {
        all.extend(["--accept", one]);
    }
    let examined = world.run(&all).done();
    for finding in examined.json() {
        assert_eq!(
            (&finding["hole"], &finding["accepted"]),
            (&true.into(), &true.into())
        );
    }
    // The same for people. What is not there is told; what is not accepted is still a hole.
    let some = [
        "policy",
        "doctor",
        &policy,
        "--role",
        &role,
        "--accept",
        "NoTable:cases",
        "--accept",
        "View:app.gone",
    ];
    let examined = world.run(&some);
    assert_eq!(examined.code, 1);
    let starts = |start: &str| examined.stdout.lines().any(|line| line.starts_with(start));
    assert!(starts("accepted  NoTable:cases: "), "{examined:?}");
    assert!(
        starts(&format!("HOLE      NoRole:{role}: ")),
        "{examined:?}"
    );
    assert!(examined.stderr.contains("View:app.gone"), "{examined:?}");
    for wrong in ["NoTable", "Nothing:cases", "NoTable:"] {
        let mut words: Vec<&str> = doctor.to_vec();
        words.extend(["--accept", wrong]);
        world.run(&words).refused(2);
    }
}

#[test]
fn a_password_comes_from_a_file_before_the_environment_and_a_wrong_one_is_refused() {
    let place = Postgres::new();
    let world = place.world.secret("hunter2");
    let wrong = world.write("password", "hunter2\n");
    let refused = world
        .run(&["migrate", "--password-file", &wrong])
        .refused(1);
    assert!(refused.stderr.contains("refuses the user"), "{refused:?}");
    world.run(&["migrate"]).done();
}

#[tokio::test]
async fn an_organisation_is_revoked_in_postgresql_alone() {
    let place = Postgres::new();
    place.world.run(&["migrate"]).done();
    let key = place.world.peppered(CREATE).done().line().to_owned();
    place
        .world
        .run(&["revoke", "org", "--org", "acme", "--yes"])
        .done();
    assert!(!place.accepts(&key).await);
    let log = place.revocations().await;
    assert!(matches!(log[0].revoked(), Revoked::Org { org, .. } if &**org == "acme"));
    assert_eq!(log.len(), 1);
}

#[tokio::test]
async fn an_organisation_is_revoked_with_keys_in_postgresql_and_tokens_in_redis() {
    let place = Postgres::new();
    place.world.run(&["migrate"]).done();
    let key = place.world.peppered(CREATE).done().line().to_owned();
    let redis = Redis::new();
    let file = place.world.write("redis-password", &redis.password);
    let words = [
        "revoke",
        "org",
        "--org",
        "acme",
        "--log",
        &redis.url,
        "--log-password-file",
        &file,
        "--redis-prefix",
        &redis.prefix,
    ];
    let done = place.world.run_with(&words, "1\n").done();
    assert!(!done.stderr.contains(&redis.password));
    assert!(!place.accepts(&key).await);
    let log = redis.revocations().await;
    assert!(matches!(log[0].revoked(), Revoked::Org { org, .. } if &**org == "acme"));
    assert_eq!(place.revocations().await, []);
}

#[tokio::test]
async fn keys_are_revoked_also_when_the_log_is_out_of_reach_and_the_other_way_round() {
    let place = Postgres::new();
    place.world.run(&["migrate"]).done();
    let key = place.world.peppered(CREATE).done().line().to_owned();
    // A port that was free a moment ago.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("bound").port()
    };
    let dead = format!("redis://127.0.0.1:{port}");
    let words = ["revoke", "org", "--org", "acme", "--yes", "--log", &dead];
    let refused = place.world.run(&words).refused(1);
    assert!(
        refused.stderr.contains("API keys: 1 revoked"),
        "{refused:?}"
    );
    assert!(!place.accepts(&key).await);

    let redis = Redis::new();
    let dead = format!("postgres://user@127.0.0.1:{port}/db");
    let world = World::empty()
        .secret(&redis.password)
        .variable("RINGWALL_LOG_PASSWORD", &redis.password);
    let words = [
        "revoke",
        "org",
        "--org",
        "acme",
        "--store",
        &dead,
        "--log",
        &redis.url,
        "--redis-prefix",
        &redis.prefix,
        "--timeout-seconds",
        "5",
    ];
    let refused = world.bare(&words, "0\n").refused(1);
    assert!(refused.stderr.contains("cannot be counted"), "{refused:?}");
    assert_eq!(redis.revocations().await, []);
    let mut words = words.to_vec();
    words.push("--yes");
    let refused = world.bare(&words, "").refused(1);
    assert!(refused.stderr.contains("tokens: revoked"), "{refused:?}");
    assert_eq!(redis.revocations().await.len(), 1);
}

#[tokio::test]
async fn revocations_go_to_redis() {
    let redis = Redis::new();
    let world = World::empty()
        .secret(&redis.password)
        .variable("RINGWALL_STORE_PASSWORD", &redis.password);
    let issuer = ["--issuer", "https://login.example.com"];
    for words in [
        ["token", "--token-id", "t'; --"],
        ["subject", "--subject", "bob"],
        ["key", "--key-id", "k"],
    ] {
        let mut all = vec!["revoke"];
        all.extend(words);
        if words.contains(&"key") {
            all.push("--yes");
        }
        all.extend(issuer);
        all.extend(["--store", &redis.url, "--redis-prefix", &redis.prefix]);
        world.bare(&all, "").done();
    }
    let kinds: Vec<_> = redis
        .revocations()
        .await
        .iter()
        .map(|one| match one.revoked() {
            Revoked::Token { token_id, .. } => token_id.to_string(),
            Revoked::Subject { subject, .. } => subject.to_string(),
            Revoked::SigningKey { key_id, .. } => key_id.to_string(),
            Revoked::Org { org, .. } => org.to_string(),
        })
        .collect();
    assert_eq!(kinds, ["t'; --", "bob", "k"]);
}
