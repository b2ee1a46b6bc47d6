//! The process, the WHERE of both dialects, and row-level security say the same.

use std::collections::BTreeSet;

use ringwall_authz::{Context, Policy, RowFilter, Subject};
use ringwall_postgres::{PushRows as _, WithSubject as _};
use sqlx::{Postgres, QueryBuilder, Row as _, Sqlite};

use crate::dice::{ACTIONS, Dice, policy};
use crate::sqlite_rows::PushRows as _;
use crate::world::{Caller, Row, World, decided};

/// How many (policy, subject, row set) are compared: `RINGWALL_AUTHZ_CASES`, or 2,000.
fn cases() -> usize {
    let cases = std::env::var("RINGWALL_AUTHZ_CASES").ok();
    cases.map_or(2000, |cases| cases.parse().expect("a number"))
}

const SUBJECTS_PER_POLICY: usize = 8;
const ROWS: usize = 14;

#[tokio::test]
async fn property_the_process_two_dialects_and_row_level_security_agree() {
    let world = World::new().await;
    let seed = std::env::var("RINGWALL_AUTHZ_SEED").ok();
    let seed = seed.map_or(7, |seed| seed.parse().expect("a number"));
    let (mut done, mut yes, mut no, mut refused) = (0, 0, 0, 0);
    let mut number = 0_u64;
    while done < cases() {
        number += 1;
        let mut dice = Dice::new(seed + number * 1_000_003);
        let document = policy(&mut dice);
        let told = serde_json::to_string(&document).expect("it has a text");
        // What no file would be accepted with is no policy.
        let Ok(policy) = Policy::new(document) else {
            refused += 1;
            continue;
        };
        world.enforce(&policy).await;
        let rows: Vec<Row> = (0..ROWS)
            .map(|number| Row::random(&mut dice, number))
            .collect();
        world.fill(&rows).await;
        for _ in 0..SUBJECTS_PER_POLICY {
            let caller = Caller::random(&mut dice, &rows);
            world.know(&caller).await;
            let subject = caller.subject(&policy);
            let context = caller.context(&policy);
            for action in ACTIONS {
                let expected_all = decided(&policy, &subject, &context, action, &rows);
                yes += expected_all.len();
                no += ROWS - expected_all.len();
                let what = || {
                    format!(
                        "seed {seed} number {number} action {action}\n{told}\n{caller:?}\n{rows:#?}"
                    )
                };
                let filter = policy
                    .filter(&subject, action, "case", &context)
                    .expect("all can be pushed");
                assert_eq!(
                    in_postgres(&world, &filter).await,
                    expected_all,
                    "PostgreSQL: {}",
                    what()
                );
                assert_eq!(
                    in_sqlite(&world, &filter).await,
                    expected_all,
                    "SQLite: {}",
                    what()
                );
                // Each row is put in by itself, which takes its time.
                let (tried, expected) = if action == "create" {
                    let tried = &rows[..5];
                    let expected = tried.iter().map(|row| &row.id);
                    let expected = expected.filter(|id| expected_all.contains(*id)).cloned();
                    (tried, expected.collect())
                } else {
                    (&rows[..], expected_all.clone())
                };
                let seen = secured(&world, &subject, &context, action, tried).await;
                match seen {
                    Seen::Rows(seen) => assert_eq!(seen, expected, "RLS: {}", what()),
                    Seen::Number(seen) => assert_eq!(seen, expected.len(), "RLS: {}", what()),
                }
            }
            done += 1;
        }
    }
    // A run that permits all or nothing proves nothing.
    assert!(
        yes * 25 > no && no * 25 > yes,
        "{done} cases, {yes} rows permitted, {no} not, {refused} policies refused"
    );
    world.remove().await;
}

async fn in_postgres(world: &World, filter: &RowFilter) -> BTreeSet<String> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT c.id FROM cases AS c WHERE c.id <> ");
    query
        .push_bind("none")
        .push(" AND ")
        .push_filter(filter, Some("c"));
    let found = query.build().fetch_all(&world.owner).await;
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", query.sql().as_str()));
    found.iter().map(|row| row.get(0)).collect()
}

async fn in_sqlite(world: &World, filter: &RowFilter) -> BTreeSet<String> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM cases WHERE id <> ");
    query
        .push_bind("none")
        .push(" AND ")
        .push_filter(filter, None);
    let found = query.build().fetch_all(&world.sqlite).await;
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", query.sql().as_str()));
    found.iter().map(|row| row.get(0)).collect()
}

/// What row-level security lets the subject do: which rows it reads; how many it changes, removes, or puts in.
enum Seen {
    Rows(BTreeSet<String>),
    Number(usize),
}

async fn secured(
    world: &World,
    subject: &Subject,
    context: &Context<'_>,
    action: &str,
    rows: &[Row],
) -> Seen {
    let mut transaction = world.runtime.begin().await.expect("it begins");
    transaction
        .with_subject(subject, context)
        .await
        .expect("it is told");
    let affected = |done: Result<sqlx::postgres::PgQueryResult, sqlx::Error>| {
        let done = done.unwrap_or_else(|error| panic!("{error}"));
        usize::try_from(done.rows_affected()).expect("it fits")
    };
    let seen = match action {
        "read" => {
            let found = sqlx::query("SELECT id FROM cases")
                .fetch_all(&mut *transaction)
                .await;
            let found = found.unwrap_or_else(|error| panic!("{error}"));
            Seen::Rows(found.iter().map(|row| row.get(0)).collect())
        }
        "delete" => Seen::Number(affected(
            sqlx::query("DELETE FROM cases")
                .execute(&mut *transaction)
                .await,
        )),
        "update" => Seen::Number(affected(
            sqlx::query("UPDATE cases SET note = 'changed'")
                .execute(&mut *transaction)
                .await,
        )),
        _ => Seen::Rows(put_in(&mut transaction, rows).await),
    };
    transaction.rollback().await.expect("it ends");
    seen
}

/// Which rows may be put in. Each is tried by itself.
async fn put_in(
    transaction: &mut sqlx::Transaction<'_, Postgres>,
    rows: &[Row],
) -> BTreeSet<String> {
    let mut done = BTreeSet::new();
    for row in rows {
        let mut savepoint = sqlx::Acquire::begin(&mut **transaction)
            .await
            .expect("it begins");
        let put = sqlx::query(
            "INSERT INTO cases VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10::timestamptz,$11::uuid)",
        )
        .bind(&row.id)
        .bind(row.org)
        .bind(row.project)
        .bind(row.owner)
        .bind(row.department)
        .bind(row.region)
        .bind(row.sensitivity)
        .bind(row.amount)
        .bind(row.flag)
        .bind(row.opened)
        .bind(row.device)
        .execute(&mut *savepoint)
        .await;
        // Whoever may put the row in learns that it is there already, and nobody else does.
        let code = put
            .as_ref()
            .err()
            .and_then(|error| error.as_database_error())
            .and_then(|error| error.code())
            .map(|code| code.to_string());
        match code.as_deref() {
            Some("23505") => {
                done.insert(row.id.clone());
            }
            Some("42501") => {}
            other => panic!("{other:?} {put:?}"),
        }
        savepoint.rollback().await.expect("it ends");
    }
    done
}
