//! How a statement asks its session who acts.

use ringwall_authz::Policy;
use ringwall_postgres::WithSubject as _;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::callers::now;
use crate::isolation::{give, policy, policy_text, subject, world};

/// Agents act for somebody, or not at all.
const DELEGATED: &str = "
[[rules]]
id = \"agents-act-for-somebody\"
effect = \"forbid\"
resource = \"case\"
actions = [\"read\"]
when = { not = { is_set = \"subject.on_behalf_of\" } }
";

async fn texts(connection: &mut PgConnection, statement: &str) -> Vec<Option<String>> {
    sqlx::query_scalar(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
        .expect("it answers")
}

#[tokio::test]
async fn the_session_is_asked_once_for_a_statement_and_not_for_each_row() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    for role in ["analyst", "manager", "viewer"] {
        give(&directory, "o1", "u1", role).await;
    }
    let subject = subject(&policy, &directory, "o1", "u1").await;
    let mut transaction = world.runtime.begin().await.expect("it begins");
    let context = policy.context(now());
    let told = transaction.with_subject(&subject, &context);
    told.await.expect("it is told");
    for statement in [
        "SELECT id FROM cases",
        "UPDATE cases SET note = 'x'",
        "DELETE FROM cases",
    ] {
        let plan = texts(&mut transaction, &format!("EXPLAIN (VERBOSE) {statement}")).await;
        let plan: Vec<String> = plan.into_iter().flatten().collect();
        assert!(plan.iter().any(|line| line.contains("current_setting")));
        let plan = plan.join("\n");
        // What is computed for each row stands with the table, before the first question that is asked once.
        let (of_rows, asked_once) = plan.split_once("InitPlan").expect("questions");
        assert!(of_rows.contains("cases"), "{plan}");
        let of_rows: Vec<&str> = of_rows
            .lines()
            .chain(
                asked_once
                    .lines()
                    .filter(|line| line.contains("Filter: ") && line.contains("owner_id")),
            )
            .collect();
        assert!(
            !of_rows
                .iter()
                .any(|line| line.contains("current_setting") || line.contains("has_role")),
            "{plan}"
        );
    }
    transaction.rollback().await.expect("it ends");
    world.remove().await;
}

#[tokio::test]
async fn queries_of_the_services_own_ask_for_attributes_by_the_generated_functions() {
    let policy = policy();
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "u1", "analyst").await;
    give(&directory, "o1", "u2", "analyst").await;
    let place = format!("{}_functions", world.schema);
    let subject = subject(&policy, &directory, "o1", "u1").await;
    let mut transaction = world.runtime.begin().await.expect("it begins");
    for (is_told, clearance, has, has_not) in [
        (false, None, "false", "false"),
        (true, Some("confidential"), "true", "false"),
    ] {
        if is_told {
            let context = policy.context(now());
            let told = transaction.with_subject(&subject, &context);
            told.await.expect("it is told");
        }
        for (question, expected) in [
            ("attribute('clearance')", clearance),
            ("attribute('nothing')", None),
            ("has_attribute('regions', 'eu')::text", Some(has)),
            ("has_attribute('regions', 'us')::text", Some(has_not)),
            ("has_role('analyst')::text", Some(has)),
            ("has_role('admin')::text", Some("false")),
        ] {
            let answer = texts(&mut transaction, &format!("SELECT {place}.{question}")).await;
            assert_eq!(
                answer,
                [expected.map(str::to_owned)],
                "{question} {is_told}"
            );
        }
    }
    transaction.rollback().await.expect("it ends");
    world.remove().await;
}

#[tokio::test]
async fn whether_somebody_acts_for_another_is_unknown_where_nobody_told_it() {
    let policy = format!("{}{DELEGATED}", policy_text());
    let policy = Policy::from_toml(&policy).expect("a policy");
    let (world, directory) = world(&policy).await;
    give(&directory, "o1", "boss", "admin").await;
    let subject = subject(&policy, &directory, "o1", "boss").await;
    for (delegated, is_seen) in [("vtrue", true), ("vfalse", false), ("", false)] {
        let mut transaction = world.runtime.begin().await.expect("it begins");
        let context = policy.context(now());
        let told = transaction.with_subject(&subject, &context);
        told.await.expect("it is told");
        // As by a process that does not know of the setting, and would leave it out.
        let setting = format!("SELECT set_config('ringwall.delegated', '{delegated}', TRUE)");
        texts(&mut transaction, &setting).await;
        let seen = texts(&mut transaction, "SELECT id FROM cases").await;
        assert_eq!(!seen.is_empty(), is_seen, "{delegated:?}");
        transaction.rollback().await.expect("it ends");
    }
    world.remove().await;
}
