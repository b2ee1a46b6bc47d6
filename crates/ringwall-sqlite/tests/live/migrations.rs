//! Versions of the schema.

use ringwall_sqlite::{Error, SqliteApiKeys, SqliteConfig, SqliteDatabase, SqliteRevocations};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::setting::{folder, open};

/// A connection past the crate.
async fn beside(file: &std::path::Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(file);
    SqlitePool::connect_with(options).await.expect("it opens")
}

async fn change(file: &std::path::Path, statement: &'static str) {
    let pool = beside(file).await;
    let changed = sqlx::query(statement)
        .execute(&pool)
        .await
        .expect("it is done");
    assert_eq!(changed.rows_affected(), 1);
    pool.close().await;
}

#[tokio::test]
async fn stores_refuse_a_file_that_was_not_migrated() {
    let (_folder, file) = folder();
    let database = open(&file).await;
    let status = database.migrations().status().await.expect("empty");
    assert_eq!((status.version(), status.newest()), (0, 3));
    assert!(!status.is_current());
    let keys = SqliteApiKeys::open(&database).await.map(drop);
    let revocations = SqliteRevocations::open(&database).await.map(drop);
    for refused in [keys, revocations] {
        let error = refused.expect_err("there is no table");
        assert!(matches!(
            error,
            Error::NotMigrated {
                found: 0,
                needed: 3
            }
        ));
        assert!(error.to_string().contains("ringwall migrate"), "{error}");
    }
    assert_eq!(database.migrations().migrate().await.expect("it can"), 3);
    let status = database.migrations().status().await.expect("migrated");
    assert!(status.is_current());
    assert!(status.steps.iter().all(|step| step.applied_at.is_some()));
    SqliteApiKeys::open(&database).await.expect("migrated");
    SqliteRevocations::open(&database).await.expect("migrated");
    assert_eq!(database.migrations().migrate().await.expect("it can"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_migrators_at_once_one_migrates() {
    for _ in 0..5 {
        let (_folder, file) = folder();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let file = file.clone();
                // The file itself is made by all of them too.
                tokio::spawn(async move { open(&file).await.migrations().migrate().await })
            })
            .collect();
        let mut applied = Vec::new();
        for task in tasks {
            applied.push(task.await.expect("no panic").expect("it can"));
        }
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, 0, 0, 0, 0, 0, 3]);
    }
}

#[tokio::test]
async fn a_step_that_was_applied_with_another_text_is_refused() {
    let (_folder, file) = folder();
    let database = open(&file).await;
    database.migrations().migrate().await.expect("it can");
    let statement = "UPDATE ringwall_migrations SET checksum = 'x' WHERE version = 2";
    change(&file, statement).await;
    for refused in [
        database.migrations().status().await.map(drop),
        database.migrations().migrate().await.map(drop),
        SqliteApiKeys::open(&database).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Changed { version: 2 })));
    }
}

#[tokio::test]
async fn a_file_that_a_newer_program_migrated_is_refused() {
    let (_folder, file) = folder();
    let database = open(&file).await;
    database.migrations().migrate().await.expect("it can");
    let statement = "INSERT INTO ringwall_migrations VALUES (4, 'later', 'x', 0)";
    change(&file, statement).await;
    for refused in [
        database.migrations().status().await.map(drop),
        database.migrations().migrate().await.map(drop),
        SqliteRevocations::open(&database).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::TooNew { found: 4, known: 3 })));
    }
}

#[tokio::test]
async fn a_record_with_a_gap_is_refused() {
    let (_folder, file) = folder();
    let database = open(&file).await;
    database.migrations().migrate().await.expect("it can");
    change(&file, "DELETE FROM ringwall_migrations WHERE version = 1").await;
    let refused = database.migrations().migrate().await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let (_folder, file) = folder();
    let text = "this is a letter to somebody. ".repeat(100);
    std::fs::write(&file, &text).expect("it can");
    let refused = SqliteDatabase::open(SqliteConfig::new(&file))
        .await
        .map(drop);
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), text);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_those_beside_it_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, file) = folder();
    let database = open(&file).await;
    database.migrations().migrate().await.expect("it can");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let entry = entry.expect("a file");
        let mode = entry.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name());
    }
    assert_eq!(names.len(), 3, "{names:?}");
}
