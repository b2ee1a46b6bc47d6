//! A migration, and transactions that go on meanwhile.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::isolation::{policy, world};
use crate::world::run;

/// Returns when the migration waits for a table for itself alone.
async fn waits(connection: &mut PgConnection, schema: &str) {
    for _ in 0..100_000 {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE NOT l.granted AND l.mode = 'AccessExclusiveLock' AND n.nspname::text = $1",
        )
        .bind(schema)
        .fetch_one(&mut *connection)
        .await
        .expect("it answers");
        if waiting > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not wait");
}

#[tokio::test]
async fn indexes_are_there_before_tables_are_locked_and_who_has_read_a_table_still_writes_it() {
    let policy = policy();
    let (world, _) = world(&policy).await;
    run(&world.owner, "DROP INDEX ringwall_cases_tenant").await;
    let options: PgConnectOptions = world.url.as_str().parse().expect("a URL");
    let mut witness = options.connect().await.expect("it connects");
    let mut reader = world.runtime.begin().await.expect("it begins");
    let read = sqlx::query("SELECT id FROM cases")
        .fetch_all(&mut *reader)
        .await;
    assert!(read.expect("it answers").is_empty());
    let service = async {
        waits(&mut witness, &world.schema).await;
        let index = format!("{}.ringwall_cases_tenant", world.schema);
        let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(index)
            .fetch_one(&mut witness)
            .await
            .expect("it answers");
        assert!(is_there, "it is committed");
        // With a lock on the table that allows reading alone, each would wait for the other.
        sqlx::query("UPDATE cases SET note = 'x'")
            .execute(&mut *reader)
            .await
            .expect("it goes on");
        reader.commit().await.expect("it ends");
    };
    tokio::join!(world.enforce(&policy), service);
    witness.close().await.expect("it closes");
    world.remove().await;
}
