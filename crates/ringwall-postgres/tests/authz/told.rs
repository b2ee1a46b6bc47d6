//! For how long a session is told who acts, and what it sees when nobody told it.

use ringwall_postgres::{SubjectError, WithSubject as _};
use sqlx::{Acquire as _, Executor as _, PgConnection, Row as _};

use crate::callers::now;
use crate::isolation::{give, policy, subject, world};
use crate::world::{World, run};

async fn seen(connection: &mut PgConnection) -> Vec<String> {
    let rows = sqlx::query("SELECT id FROM cases ORDER BY id")
        .fetch_all(connection)
        .await
        .expect("it answers");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_savepoint_is_not_told_who_acts_and_the_outer_transaction_goes_on_as_before() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    give(&directory, "o1", "boss", "admin").await;
    let analyst = subject(&policy, &directory, "o1", "u1").await;
    let boss = subject(&policy, &directory, "o1", "boss").await;
    let context = policy.context(now());
    let mut outer = world.runtime.begin().await.expect("it begins");
    outer
        .with_subject(&analyst, &context)
        .await
        .expect("it is told");
    assert_eq!(seen(&mut outer).await, ["a1"]);
    let mut inner = outer.begin().await.expect("a savepoint");
    let refused = inner.with_subject(&boss, &context).await;
    assert!(matches!(refused, Err(SubjectError::Nested)), "{refused:?}");
    // What the outer transaction was told holds, within and after.
    assert_eq!(seen(&mut inner).await, ["a1"]);
    let mut innermost = inner.begin().await.expect("a savepoint");
    let refused = innermost.with_subject(&boss, &context).await;
    assert!(matches!(refused, Err(SubjectError::Nested)), "{refused:?}");
    innermost.rollback().await.expect("it ends");
    inner.commit().await.expect("it is released");
    assert_eq!(seen(&mut outer).await, ["a1"]);
    // At the outermost level, somebody else may act from here on.
    outer
        .with_subject(&boss, &context)
        .await
        .expect("it is told");
    assert_eq!(seen(&mut outer).await, ["a1", "a2"]);
    outer.commit().await.expect("it ends");
    world.remove().await;
}

#[tokio::test]
async fn a_savepoint_of_a_transaction_that_was_not_told_is_not_told_either() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "boss", "admin").await;
    let boss = subject(&policy, &directory, "o1", "boss").await;
    let mut outer = world.runtime.begin().await.expect("it begins");
    let mut inner = outer.begin().await.expect("a savepoint");
    let refused = inner.with_subject(&boss, &policy.context(now())).await;
    assert!(matches!(refused, Err(SubjectError::Nested)), "{refused:?}");
    inner.commit().await.expect("it is released");
    assert!(seen(&mut outer).await.is_empty());
    outer.commit().await.expect("it ends");
    world.remove().await;
}

/// Sees nothing, changes nothing, and is refused what is new.
async fn is_nobody(world: &World, when: &str) {
    let mut transaction = world.runtime.begin().await.expect("it begins");
    assert!(seen(&mut transaction).await.is_empty(), "{when}");
    for table in [
        "case_assignments",
        "ringwall_user_attributes",
        "ringwall_user_departments",
    ] {
        let rows = transaction
            .fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
                "SELECT 1 FROM {table}"
            ))))
            .await
            .expect("it answers");
        assert!(rows.is_empty(), "{when} {table}");
    }
    for statement in ["UPDATE cases SET note = 'x'", "DELETE FROM cases"] {
        let done = sqlx::query(statement)
            .execute(&mut *transaction)
            .await
            .expect("it answers");
        assert_eq!(done.rows_affected(), 0, "{when} {statement}");
    }
    transaction.rollback().await.expect("it ends");
    for org in ["'o1'", "NULL", "''"] {
        let mut transaction = world.runtime.begin().await.expect("it begins");
        let statement = format!(
            "INSERT INTO cases (id, org_id, owner_id, sensitivity, region) VALUES ('n', {org}, 'u1', 'public', 'eu')"
        );
        let done = transaction
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement)))
            .await;
        let error = done.expect_err("it is refused");
        let code = error.as_database_error().and_then(|error| error.code());
        // insufficient_privilege: new row violates row-level security.
        assert_eq!(code.as_deref(), Some("42501"), "{when} {org}");
        transaction.rollback().await.expect("it ends");
    }
}

#[tokio::test]
async fn a_transaction_that_nobody_told_sees_and_writes_nothing_also_after_one_that_was_told() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "boss", "admin").await;
    run(
        &world.owner,
        "INSERT INTO case_assignments VALUES ('o1', 'boss', 'a1'), ('', '', 'a1');
         INSERT INTO ringwall_user_departments VALUES ('o1', 'boss', 'sales'), ('', '', 'sales');
         INSERT INTO cases (id, org_id, owner_id, sensitivity, region) VALUES ('e1', '', '', 'public', 'eu'), ('n1', NULL, NULL, 'public', 'eu')",
    )
    .await;
    is_nobody(&world, "before anybody").await;
    let boss = subject(&policy, &directory, "o1", "boss").await;
    for is_committed in [true, false] {
        let mut transaction = world.runtime.begin().await.expect("it begins");
        transaction
            .with_subject(&boss, &policy.context(now()))
            .await
            .expect("it is told");
        assert_eq!(seen(&mut transaction).await, ["a1", "a2"]);
        if is_committed {
            transaction.commit().await.expect("it ends");
        } else {
            transaction.rollback().await.expect("it ends");
        }
        // The same connection: there is one. PostgreSQL says '' there for what was told once.
        let left: Option<String> =
            sqlx::query_scalar("SELECT current_setting('ringwall.org', TRUE)")
                .fetch_one(&world.runtime)
                .await
                .expect("it answers");
        assert_eq!(left.as_deref(), Some(""));
        is_nobody(&world, "after somebody").await;
    }
    world.remove().await;
}
