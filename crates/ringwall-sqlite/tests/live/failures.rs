//! Files that are locked, gone or damaged.

use std::path::Path;
use std::time::Duration;

use ringwall_authn::api_key::{ApiKeyQuery, ApiKeyStore as _, ApiKeyStoreErrorKind, ApiKeysOf};
use ringwall_authn::revocation::{Revocation, RevocationCursor, RevocationStore as _};
use ringwall_core::clock::Timestamp;
use ringwall_sqlite::{SqliteApiKeys, SqliteConfig, SqliteDatabase, SqliteRevocations};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::keys::{key, org};
use crate::setting::fresh;

const NOW: Timestamp = Timestamp::from_unix_micros(1_767_225_600_000_000);
/// Far more than the time-out of the stores here.
const LIMIT: Duration = Duration::from_secs(60);

async fn impatient(file: &str) -> SqliteDatabase {
    let config = SqliteConfig::new(file).timeout(Duration::from_millis(200));
    SqliteDatabase::open(config).await.expect("it opens")
}

async fn beside(file: impl AsRef<Path>) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file);
    SqlitePool::connect_with(options).await.expect("it opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_for_the_lock_is_told_and_nothing_is_done() {
    let place = fresh().await;
    let database = impatient(&place.address).await;
    let keys = SqliteApiKeys::open(&database).await.expect("migrated");
    let revocations = SqliteRevocations::open(&database).await.expect("migrated");
    let (known, new) = (key(&org()), key(&org()));
    keys.insert(known.clone()).await.expect("it answers");

    let pool = beside(&place.address).await;
    let lock = pool.begin_with("BEGIN IMMEDIATE").await.expect("free");
    let waits = async {
        let refused = keys.insert(new.clone()).await.expect_err("locked");
        assert!(refused.is_retryable(), "{refused:?}");
        let whose = ApiKeysOf::Org(known.tenant.org.clone());
        let refused = keys.revoke_all(&whose, NOW).await.expect_err("locked");
        assert!(matches!(
            refused.kind(),
            ApiKeyStoreErrorKind::Unavailable { .. }
        ));
        let one = Revocation::org(&known.tenant.org, NOW, NOW);
        let refused = revocations.append(&one).await.expect_err("locked");
        assert!(refused.is_retryable(), "{refused:?}");
        // Readers wait for nobody.
        let found = keys.find(&known.id).await.expect("it answers");
        assert_eq!(found.as_ref(), Some(&known));
    };
    tokio::time::timeout(LIMIT, waits).await.expect("bounded");
    lock.rollback().await.expect("held");

    assert_eq!(keys.find(&new.id).await.expect("it answers"), None);
    keys.insert(new.clone()).await.expect("free");
    assert!(keys.find(&new.id).await.expect("it answers").is_some());
    let limit = std::num::NonZeroU16::MIN;
    let page = revocations.read(RevocationCursor::START, limit).await;
    assert!(page.expect("it answers").revocations.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_leaves_nothing_half_done_and_holds_nobody_up() {
    let place = fresh().await;
    let database = impatient(&place.address).await;
    let keys = SqliteApiKeys::open(&database).await.expect("migrated");
    for n in 0..50 {
        let one = key(&org());
        let insertion = keys.insert(one.clone());
        let patience = Duration::from_micros(n * 40);
        let answered = tokio::time::timeout(patience, async { insertion.await }).await;
        let found = keys.find(&one.id).await.expect("it answers");
        if let Ok(answered) = answered {
            answered.expect("free");
            assert_eq!(found.as_ref(), Some(&one));
        }
    }
    let config = SqliteConfig::new(&place.address).timeout(LIMIT);
    let other = SqliteDatabase::open(config).await.expect("it opens");
    let other = SqliteApiKeys::open(&other).await.expect("migrated");
    other.insert(key(&org())).await.expect("free");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_are_dropped_while_they_wait_for_the_lock_keep_no_reader_waiting() {
    let place = fresh().await;
    let config = SqliteConfig::new(&place.address).timeout(LIMIT);
    let database = SqliteDatabase::open(config.connections(2))
        .await
        .expect("it opens");
    let keys = SqliteApiKeys::open(&database).await.expect("migrated");
    let (known, new) = (key(&org()), key(&org()));
    keys.insert(known.clone()).await.expect("it answers");

    let pool = beside(&place.address).await;
    let lock = pool.begin_with("BEGIN IMMEDIATE").await.expect("free");
    for _ in 0..4 {
        let insertion = keys.insert(new.clone());
        let patience = Duration::from_millis(50);
        let dropped = tokio::time::timeout(patience, async { insertion.await }).await;
        assert!(dropped.is_err(), "somebody else has the lock");
    }
    let reading = keys.find(&known.id);
    let found = tokio::time::timeout(LIMIT / 4, async { reading.await }).await;
    let found = found.expect("readers wait for nobody");
    assert_eq!(found.expect("it answers"), Some(known));
    lock.rollback().await.expect("held");

    assert_eq!(keys.find(&new.id).await.expect("it answers"), None);
    keys.insert(new).await.expect("free");
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_corrupt_in_every_answer_and_can_be_taken_back() {
    let place = fresh().await;
    let database = impatient(&place.address).await;
    let keys = SqliteApiKeys::open(&database).await.expect("migrated");
    let (good, bad) = (key(&org()), key(&org()));
    let bad_org = bad.tenant.org.clone();
    keys.insert(good.clone()).await.expect("new");
    keys.insert(bad.clone()).await.expect("new");
    let pool = beside(&place.address).await;
    sqlx::query("UPDATE ringwall_api_keys SET networks = '[\"anywhere\"]' WHERE id = ?1")
        .bind(bad.id.as_str())
        .execute(&pool)
        .await
        .expect("it is done");
    let corrupt = ApiKeyStoreErrorKind::Corrupt;
    let error = keys.find(&bad.id).await.expect_err("unreadable");
    assert_eq!(error.kind(), corrupt);
    assert!(!error.is_retryable());
    let list = keys.list(ApiKeyQuery::new(bad_org.clone())).await;
    assert_eq!(list.expect_err("unreadable").kind(), corrupt);
    let revoked = keys.revoke(&bad_org, &bad.id, NOW).await;
    assert_eq!(revoked.expect_err("unreadable").kind(), corrupt);
    let all = keys.revoke_all(&ApiKeysOf::Org(bad_org), NOW).await;
    assert_eq!(all.expect("it answers"), 0, "it was taken back");
    assert!(keys.find(&good.id).await.expect("it answers").is_some());
}

#[tokio::test]
async fn a_revocation_that_cannot_be_read_is_an_error_and_never_skipped() {
    let place = fresh().await;
    let database = impatient(&place.address).await;
    let store = SqliteRevocations::open(&database).await.expect("migrated");
    let one = Revocation::org(&org(), NOW, NOW);
    store.append(&one).await.expect("it answers");
    let pool = beside(&place.address).await;
    let limit = std::num::NonZeroU16::MAX;
    for statement in [
        "UPDATE ringwall_revocations SET kind = 'later'",
        "DELETE FROM ringwall_revocations_head",
    ] {
        sqlx::query(statement)
            .execute(&pool)
            .await
            .expect("it is done");
        let read = store.read(RevocationCursor::START, limit).await;
        assert!(!read.expect_err("unreadable").is_retryable());
    }
    let error = store.append(&one).await.expect_err("without an end");
    assert!(!error.is_retryable());
}
