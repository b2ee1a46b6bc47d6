//! Versions of the schema.

use ringwall_postgres::{Error, PostgresApiKeys, PostgresRevocations};
use sqlx::AssertSqlSafe;

use crate::setting::{open, schema, shared_url};

/// Past the crate.
async fn change(schema: &str, statement: &str) {
    let pool = sqlx::PgPool::connect(&shared_url()).await.expect("it runs");
    let mut connection = pool.acquire().await.expect("it runs");
    let path = format!("SET search_path = {schema}");
    let path = sqlx::raw_sql(AssertSqlSafe(path));
    path.execute(&mut *connection).await.expect("it is done");
    let changed = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(&mut *connection)
        .await
        .expect("it is done");
    assert_eq!(changed.rows_affected(), 1);
    connection.close().await.expect("it closes");
}

#[tokio::test]
async fn stores_refuse_a_schema_that_was_not_migrated() {
    let (url, schema) = (shared_url(), schema());
    let database = open(&url, &schema).await;
    let status = database.migrations().status().await.expect("empty");
    assert_eq!((status.version(), status.newest()), (0, 3));
    assert!(!status.is_current());
    let keys = PostgresApiKeys::open(&database).await.map(drop);
    let revocations = PostgresRevocations::open(&database).await.map(drop);
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
    PostgresApiKeys::open(&database).await.expect("migrated");
    PostgresRevocations::open(&database)
        .await
        .expect("migrated");
    assert_eq!(database.migrations().migrate().await.expect("it can"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_migrators_at_once_one_migrates() {
    for _ in 0..5 {
        let (url, schema) = (shared_url(), schema());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (url, schema) = (url.clone(), schema.clone());
                // The schema itself is made by one of them too.
                tokio::spawn(async move { open(&url, &schema).await.migrations().migrate().await })
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
    let (url, schema) = (shared_url(), schema());
    let database = open(&url, &schema).await;
    database.migrations().migrate().await.expect("it can");
    let statement = "UPDATE ringwall_migrations SET checksum = 'x' WHERE version = 2";
    change(&schema, statement).await;
    for refused in [
        database.migrations().status().await.map(drop),
        database.migrations().migrate().await.map(drop),
        PostgresApiKeys::open(&database).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Changed { version: 2 })));
    }
}

#[tokio::test]
async fn a_schema_that_a_newer_program_migrated_is_refused() {
    let (url, schema) = (shared_url(), schema());
    let database = open(&url, &schema).await;
    database.migrations().migrate().await.expect("it can");
    let statement = "INSERT INTO ringwall_migrations VALUES (4, 'later', 'x', 0)";
    change(&schema, statement).await;
    for refused in [
        database.migrations().status().await.map(drop),
        database.migrations().migrate().await.map(drop),
        PostgresRevocations::open(&database).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::TooNew { found: 4, known: 3 })));
    }
}

#[tokio::test]
async fn a_record_with_a_gap_is_refused() {
    let (url, schema) = (shared_url(), schema());
    let database = open(&url, &schema).await;
    database.migrations().migrate().await.expect("it can");
    change(&schema, "DELETE FROM ringwall_migrations WHERE version = 1").await;
    let refused = database.migrations().migrate().await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn a_user_without_rights_is_refused_and_a_user_with_the_rights_of_the_readme_is_served() {
    use ringwall_authn::api_key::ApiKeyStore as _;
    use ringwall_authn::revocation::{Revocation, RevocationStore as _};
    let (url, schema) = (shared_url(), schema());
    let database = open(&url, &schema).await;
    database.migrations().migrate().await.expect("it can");

    let pool = sqlx::PgPool::connect(&url).await.expect("it runs");
    let user = format!("{schema}_app");
    let run = async |statement: String| {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        statement.execute(&pool).await.expect("it is done");
    };
    run(format!("CREATE ROLE {user} LOGIN PASSWORD 'word'")).await;
    let mut theirs = url::Url::parse(&url).expect("a URL");
    theirs.set_username(&user).expect("a name");
    theirs.set_password(Some("word")).expect("a password");
    let theirs = open(theirs.as_str(), &schema).await;
    let refused = PostgresApiKeys::open(&theirs).await.map(drop);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert!(theirs.migrations().migrate().await.is_err());

    // The lines of the README.
    for line in include_str!("../../README.md")
        .lines()
        .filter(|line| line.starts_with("GRANT "))
    {
        let line = line.replace(" ringwall.", &format!(" {schema}."));
        let line = line.replace("SCHEMA ringwall", &format!("SCHEMA {schema}"));
        run(line.replace("app;", &format!("{user};"))).await;
    }
    let keys = PostgresApiKeys::open(&theirs).await.expect("it may");
    let (one, now) = (crate::keys::key(&crate::keys::org()), crate::failures::NOW);
    keys.insert(one.clone()).await.expect("it may");
    keys.record_uses(&[(one.id.clone(), now)])
        .await
        .expect("it may");
    keys.revoke(&one.tenant.org, &one.id, now)
        .await
        .expect("it may");
    let log = PostgresRevocations::open(&theirs).await.expect("it may");
    let revocation = Revocation::org(&one.tenant.org, now, now);
    log.append(&revocation).await.expect("it may");
    let over = ringwall_core::clock::Timestamp::from_unix_micros(i64::MAX);
    assert_eq!(log.purge(over).await.expect("it may"), 1);
}
