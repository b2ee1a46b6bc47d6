//! Servers that are down, silent, locked or wrong. Each test that stops a server has one of its own.

use std::num::NonZeroU16;
use std::time::Duration;

use ringwall_authn::api_key::{ApiKeyQuery, ApiKeyStore as _, ApiKeyStoreErrorKind, ApiKeysOf};
use ringwall_authn::revocation::{Revocation, RevocationCursor, RevocationStore as _};
use ringwall_core::clock::Timestamp;
use ringwall_postgres::{
    Error, PostgresApiKeys, PostgresConfig, PostgresDatabase, PostgresRevocations,
};
use sqlx::AssertSqlSafe;

use crate::keys::{key, org};
use crate::servers::postgres;
use crate::setting::{config, fresh, open, shared_url};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_micros(1_767_225_600_000_000);
/// Far more than the time-out of the stores here.
const LIMIT: Duration = Duration::from_secs(60);

async fn impatient(url: &str, schema: &str) -> PostgresDatabase {
    let config = config(url).schema(schema).timeout(Duration::from_secs(1));
    PostgresDatabase::open(config).await.expect("it opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_an_error_and_has_all_that_was_answered_when_it_is_back() {
    let mut server = postgres::start(None).expect("a server");
    let url = server.url().to_owned();
    open(&url, "ringwall")
        .await
        .migrations()
        .migrate()
        .await
        .expect("it can");
    let database = impatient(&url, "ringwall").await;
    let keys = PostgresApiKeys::open(&database).await.expect("migrated");
    let log = PostgresRevocations::open(&database)
        .await
        .expect("migrated");
    let one = key(&org());
    let revocation = Revocation::org(&one.tenant.org, NOW, NOW);
    keys.insert(one.clone()).await.expect("it answers");
    log.append(&revocation).await.expect("it answers");

    server.kill();
    let down = async {
        let error = keys.find(&one.id).await.expect_err("down");
        assert!(error.is_retryable(), "{error:?}");
        let error = log.append(&revocation).await.expect_err("down");
        assert!(error.is_retryable(), "{error:?}");
        assert!(!database.answers().await);
    };
    tokio::time::timeout(LIMIT, down).await.expect("bounded");

    server.start_again().expect("it starts");
    for _ in 0..60 {
        if database.answers().await {
            break;
        }
    }
    let found = keys.find(&one.id).await.expect("it answers");
    assert_eq!(found.as_ref(), Some(&one));
    let page = log.read(RevocationCursor::START, NonZeroU16::MAX).await;
    assert_eq!(page.expect("it answers").revocations, [revocation]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_is_an_error_in_time_and_its_connections_are_given_up() {
    let mut server = postgres::start(None).expect("a server");
    let url = server.url().to_owned();
    open(&url, "ringwall")
        .await
        .migrations()
        .migrate()
        .await
        .expect("it can");
    let database = impatient(&url, "ringwall").await;
    let keys = PostgresApiKeys::open(&database).await.expect("migrated");
    let one = key(&org());
    keys.insert(one.clone()).await.expect("it answers");

    // A pause of the whole server is one of its first process alone: who serves a connection is another,
    // so one that is connected is silenced by a lock.
    let pool = sqlx::PgPool::connect(&url).await.expect("it runs");
    let mut lock = pool.begin().await.expect("it runs");
    sqlx::raw_sql("LOCK TABLE ringwall.ringwall_api_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .expect("free");
    let silent = async {
        for _ in 0..12 {
            let error = keys.find(&one.id).await.expect_err("silent");
            let kind = error.kind();
            assert!(matches!(kind, ApiKeyStoreErrorKind::Unavailable { .. }));
        }
    };
    tokio::time::timeout(LIMIT, silent).await.expect("bounded");
    lock.rollback().await.expect("held");
    keys.find(&one.id).await.expect("it answers again");

    // And nobody who comes anew is served.
    server.pause();
    let config = || config(&url).timeout(Duration::from_secs(1));
    let opening = tokio::time::timeout(LIMIT, PostgresDatabase::open(config())).await;
    let error = opening.expect("bounded").expect_err("silent");
    assert!(error.is_retryable(), "{error:?}");
    server.resume();
    server.stop();
}

#[tokio::test]
async fn who_is_refused_is_told_so_and_the_password_is_in_no_error() {
    let wrong = shared_url().replacen("ringwall:", "ringwall:hunter2", 1);
    let error = PostgresDatabase::open(config(&wrong)).await.map(drop);
    let error = error.expect_err("a wrong password");
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let nowhere = PostgresConfig::new("127.0.0.1", 1, "db", "u").timeout(Duration::from_secs(1));
    let error = PostgresDatabase::open(nowhere).await.map(drop);
    assert!(matches!(error, Err(Error::Unavailable(_))), "{error:?}");
    let database = open(&shared_url(), "ringwall").await;
    let shown = format!("{database:?}");
    let url = url::Url::parse(&shared_url()).expect("a URL");
    let password = url.password().expect("there is one");
    assert!(!shown.contains(&format!("\"{password}\"")), "{shown}");
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_corrupt_in_every_answer_and_can_be_taken_back() {
    let place = fresh().await;
    let (url, schema) = place.address.split_once(' ').expect("two words");
    let database = open(url, schema).await;
    let keys = PostgresApiKeys::open(&database).await.expect("migrated");
    let (good, bad) = (key(&org()), key(&org()));
    let bad_org = bad.tenant.org.clone();
    keys.insert(good.clone()).await.expect("new");
    keys.insert(bad.clone()).await.expect("new");
    let pool = sqlx::PgPool::connect(url).await.expect("it runs");
    let damage =
        format!("UPDATE {schema}.ringwall_api_keys SET networks = '[\"anywhere\"]' WHERE id = $1");
    sqlx::query(AssertSqlSafe(damage))
        .bind(bad.id.as_str())
        .execute(&pool)
        .await
        .expect("it is done");
    let corrupt = ApiKeyStoreErrorKind::Corrupt;
    let error = keys.find(&bad.id).await.expect_err("unreadable");
    assert_eq!(error.kind(), corrupt);
    let list = keys.list(ApiKeyQuery::new(bad_org.clone())).await;
    assert_eq!(list.expect_err("unreadable").kind(), corrupt);
    let revoked = keys.revoke(&bad_org, &bad.id, NOW).await;
    assert_eq!(revoked.expect_err("unreadable").kind(), corrupt);
    let all = keys.revoke_all(&ApiKeysOf::Org(bad_org), NOW).await;
    assert_eq!(all.expect("it answers"), 0, "it was taken back");
    assert!(keys.find(&good.id).await.expect("it answers").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_note_uses_in_different_orders_do_not_lock_each_other_out() {
    let place = fresh().await;
    let (url, schema) = place.address.split_once(' ').expect("two words");
    let database = open(url, schema).await;
    let keys = PostgresApiKeys::open(&database).await.expect("migrated");
    let org = org();
    let mut uses = Vec::new();
    for _ in 0..50 {
        let one = key(&org);
        uses.push((one.id.clone(), NOW));
        keys.insert(one).await.expect("new");
    }
    let tasks: Vec<_> = (0..16_i64)
        .map(|n| {
            let keys = keys.clone();
            let at = Timestamp::from_unix_micros(NOW.unix_micros() + n);
            let mut uses: Vec<_> = uses.iter().map(|(id, _)| (id.clone(), at)).collect();
            if n % 2 == 0 {
                uses.reverse();
            }
            let whose = ApiKeysOf::Org(org.clone());
            tokio::spawn(async move {
                keys.record_uses(&uses).await?;
                keys.revoke_all(&whose, at).await
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("nobody is locked out");
    }
}

/// Somebody in between, who can fall silent: what goes through the connections of that moment stays
/// unanswered, while new ones are served.
struct Between {
    port: u16,
    silent: tokio::sync::watch::Sender<bool>,
}

impl Between {
    async fn to(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a port");
        let own = listener.local_addr().expect("bound").port();
        let silent = tokio::sync::watch::Sender::new(false);
        let watch = silent.subscribe();
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.expect("somebody");
                let mut watch = watch.clone();
                watch.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port))
                        .await
                        .expect("it serves");
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = watch.changed() => {
                            // Open, and silent.
                            std::future::pending::<()>().await;
                        }
                    }
                });
            }
        });
        Self { port: own, silent }
    }

    /// Silences the connections that there are.
    fn fall_silent(&self) {
        self.silent.send_modify(|silent| *silent = true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fell_silent_are_replaced_and_hold_nobody_up() {
    let place = fresh().await;
    let (url, schema) = place.address.split_once(' ').expect("two words");
    let server = url::Url::parse(url).expect("a URL");
    let between = Between::to(server.port().expect("a port")).await;
    let mut through = server.clone();
    through.set_port(Some(between.port)).expect("a port");
    let config = config(through.as_str())
        .schema(schema)
        .timeout(Duration::from_secs(3))
        .connections(1);
    let database = PostgresDatabase::open(config).await.expect("it opens");
    let keys = PostgresApiKeys::open(&database).await.expect("migrated");
    let one = key(&org());
    keys.insert(one.clone()).await.expect("it answers");
    // One is in the middle of its work when silence falls: it waits for a lock.
    let mut lock = sqlx::PgPool::connect(url)
        .await
        .expect("it runs")
        .begin()
        .await
        .expect("it runs");
    let statement = format!("LOCK TABLE {schema}.ringwall_api_keys IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut *lock)
        .await
        .expect("free");
    let waiting = tokio::spawn({
        let (keys, id) = (keys.clone(), one.id.clone());
        async move { keys.find(&id).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    between.fall_silent();
    let error = waiting.await.expect("no panic").expect_err("silent");
    assert!(error.is_retryable(), "{error:?}");
    lock.rollback().await.expect("held");
    // It was the only one, and is given up.
    let calls = async { while keys.find(&one.id).await.is_err() {} };
    tokio::time::timeout(LIMIT, calls)
        .await
        .expect("it goes on");
}
