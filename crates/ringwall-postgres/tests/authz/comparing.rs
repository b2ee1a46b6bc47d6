//! Values that PostgreSQL writes, or compares, otherwise than the process.

use ringwall_authz::{Policy, StoredAttribute, Subject, SubjectDirectory as _};
use ringwall_core::clock::Timestamp;
use ringwall_postgres::{PushRows as _, WithSubject as _};
use sqlx::{Postgres, QueryBuilder, Row as _};

use crate::callers::now;
use crate::isolation::{org, seen, subject, user, world};
use crate::world::{World, run};

/// A row: its id, when it was opened, its department and its region.
type Case<'a> = (&'a str, Option<Timestamp>, Option<&'a str>, Option<&'a str>);

/// Those of the first organisation that the process permits, a query finds and row-level security shows: the same.
async fn agreed(
    world: &World,
    policy: &Policy,
    subject: &Subject,
    until: Option<Timestamp>,
    rows: &[Case<'_>],
) -> Vec<String> {
    let context = policy.context(now()).attribute("until", until);
    let mut decided = Vec::new();
    for (id, opened, department, region) in rows {
        let case = policy.resource("case").expect("declared");
        let case = case
            .id(*id)
            .org("o1")
            .attribute("opened", *opened)
            .attribute("department", *department)
            .attribute("region", *region);
        assert_eq!(case.errors(), []);
        let decision = policy.decide(subject, "read", &case, &context);
        decided.extend(decision.is_permit().then(|| (*id).to_owned()));
    }
    let filter = policy
        .filter(subject, "read", "case", &context)
        .expect("it can be pushed");
    let mut query = QueryBuilder::<Postgres>::new("SELECT id FROM cases WHERE ");
    query.push_filter(&filter, None).push(" ORDER BY id");
    let found = query.build().fetch_all(&world.owner).await;
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", query.sql().as_str()));
    let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, decided, "a query");
    let mut transaction = world.runtime.begin().await.expect("it begins");
    let told = transaction.with_subject(subject, &context).await;
    told.expect("it is told");
    let shown = sqlx::query("SELECT id FROM cases ORDER BY id")
        .fetch_all(&mut *transaction)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let shown: Vec<String> = shown.iter().map(|row| row.get(0)).collect();
    assert_eq!(shown, decided, "row-level security");
    transaction.rollback().await.expect("it ends");
    decided
}

fn policy_of(condition: &str) -> Policy {
    let text = format!(
        r#"
        version = 1
        name = "comparing"
        [context]
        until = "timestamp"
        [resources.case]
        actions = ["read"]
        attributes = {{ opened = "timestamp", department = "text", region = "text" }}
        table = {{ name = "cases", commands = {{ select = "read" }} }}
        [[rules]]
        id = "rule"
        effect = "permit"
        resource = "case"
        actions = ["read"]
        when = {condition}
    "#
    );
    Policy::from_toml(&text).expect("a policy")
}

#[tokio::test]
async fn times_that_postgresql_writes_otherwise_are_compared_as_in_the_process() {
    let at = Timestamp::from_unix_micros;
    // The last day of the year 0, today, and the year 10000.
    let rows = [
        ("a1", Some(at(-62_135_596_800_000_001)), None, None),
        ("a2", Some(now()), None, None),
        ("a3", Some(at(253_402_300_800_000_000)), None, None),
        ("a4", None, None, None),
    ];
    let before = policy_of(r#"{ le = ["resource.opened", "context.until"] }"#);
    let (world, directory) = world(&before).await;
    run(
        &world.owner,
        "DELETE FROM cases; INSERT INTO cases (id, org_id, opened) VALUES
            ('a1', 'o1', '0001-12-31T23:59:59.999999Z BC'), ('a2', 'o1', '2026-06-01T00:00:00.000001Z'),
            ('a3', 'o1', '10000-01-01T00:00:00Z'), ('a4', 'o1', NULL)",
    )
    .await;
    for (until, expected) in [
        (i64::MIN, &[][..]),
        // Before anything that PostgreSQL holds, and long before the year 0.
        (-210_866_803_200_000_001, &[]),
        (-62_167_219_200_000_000, &[]),
        (-62_135_596_800_000_002, &[]),
        (-62_135_596_800_000_001, &["a1"]),
        (now().unix_micros(), &["a1", "a2"]),
        (253_402_300_799_999_999, &["a1", "a2"]),
        (253_402_300_800_000_000, &["a1", "a2", "a3"]),
        (i64::MAX, &["a1", "a2", "a3"]),
    ] {
        let subject = subject(&before, &directory, "o1", "u1").await;
        let found = agreed(&world, &before, &subject, Some(at(until)), &rows).await;
        assert_eq!(found, expected, "{until}");
    }
    // The same as a constant of the policy.
    let constant = r#"{ eq = ["resource.opened", { timestamp = "0000-12-31T23:59:59.999999Z" }] }"#;
    let constant = policy_of(constant);
    world.enforce(&constant).await;
    let subject = subject(&constant, &directory, "o1", "u1").await;
    let found = agreed(&world, &constant, &subject, None, &rows).await;
    assert_eq!(found, ["a1"]);
    world.remove().await;
}

#[tokio::test]
async fn columns_with_different_collations_are_compared_byte_by_byte() {
    let rows = [
        ("a1", None, Some("a"), Some("B")),
        ("a2", None, Some("ä"), Some("b")),
        ("a3", None, Some("b"), Some("b")),
        ("a4", None, Some("b"), None),
    ];
    for (condition, expected) in [
        (
            r#"{ eq = ["resource.department", "resource.region"] }"#,
            &["a3"][..],
        ),
        (
            r#"{ ne = ["resource.department", "resource.region"] }"#,
            &["a1", "a2"],
        ),
        // A dictionary has "a" before "B", and "ä" before "b".
        (
            r#"{ gt = ["resource.department", "resource.region"] }"#,
            &["a1", "a2"],
        ),
        (
            r#"{ gt = ["resource.department", { text = "b" }] }"#,
            &["a2"],
        ),
    ] {
        let policy = policy_of(condition);
        let (world, directory) = world(&policy).await;
        run(
            &world.owner,
            "DELETE FROM cases;
             DROP POLICY ringwall_select ON cases;
             ALTER TABLE cases ALTER department TYPE text COLLATE \"und-x-icu\", ALTER region TYPE text COLLATE \"C\";
             INSERT INTO cases (id, org_id, department, region) VALUES
                ('a1', 'o1', 'a', 'B'), ('a2', 'o1', 'ä', 'b'), ('a3', 'o1', 'b', 'b'), ('a4', 'o1', 'b', NULL)",
        )
        .await;
        world.enforce(&policy).await;
        let subject = subject(&policy, &directory, "o1", "u1").await;
        let found = agreed(&world, &policy, &subject, None, &rows).await;
        assert_eq!(found, expected, "{condition}");
        world.remove().await;
    }
}

#[tokio::test]
async fn a_time_that_is_none_is_unknown_to_the_database_too() {
    let text = r#"
        version = 1
        name = "times"
        [subject.attributes]
        until = "timestamp"
        [resources.case]
        actions = ["read"]
        table = { name = "cases", commands = { select = "read" } }
        [[rules]]
        id = "until"
        effect = "permit"
        resource = "case"
        actions = ["read"]
        when = { lt = ["context.now", "subject.until"] }
    "#;
    let policy = Policy::from_toml(text).expect("a policy");
    let (world, directory) = world(&policy).await;
    let (o1, u1) = (org("o1"), user("u1"));
    for (value, expected) in [
        ("2030-01-01T00:00:00Z", true),
        ("2028-02-29T23:59:59.999999+02:00", true),
        // PostgreSQL would end the statement for these.
        ("2030-01-01T00:00:00+15:59", true),
        ("2030-01-01T00:00:00+16:00", false),
        ("0000-01-01T00:00:00Z", false),
        ("infinity", false),
        ("tomorrow", false),
        ("2030-01-01", false),
        ("2030-02-30T00:00:00Z", false),
        ("2030-01-01T24:00:00Z", false),
        ("2030-01-01T00:00:00.0000001Z", false),
        ("2030-01-01T00:00:00", false),
        ("garbage", false),
    ] {
        directory.forget(&o1, &u1).await.expect("forgotten");
        let attribute = StoredAttribute::new("until", value, None);
        directory
            .grant_attribute(&o1, &u1, &attribute)
            .await
            .expect("granted");
        let subject = subject(&policy, &directory, "o1", "u1").await;
        let case = policy
            .resource("case")
            .expect("declared")
            .id("a1")
            .org("o1");
        let context = policy.context(now());
        let decided = policy.decide(&subject, "read", &case, &context).is_permit();
        let seen = seen(&world, &policy, &subject, now()).await;
        assert_eq!(
            (decided, seen.len()),
            (expected, if expected { 2 } else { 0 }),
            "{value}"
        );
    }
    world.remove().await;
}

#[tokio::test]
async fn a_stored_value_that_is_none_of_its_type_is_unknown_to_the_database_too() {
    let text = r#"
        version = 1
        name = "stored"
        [subject.attributes]
        limit = "integer"
        trusted = "boolean"
        device = "uuid"
        clearance = "sensitivity"
        [resources.case]
        actions = ["read"]
        table = { name = "cases", commands = { select = "read" } }
        [[rules]]
        id = "set"
        effect = "permit"
        resource = "case"
        actions = ["read"]
        when = { any = [
            { is_set = "subject.limit" }, { is_set = "subject.trusted" }, { is_set = "subject.device" },
            { is_set = "subject.clearance" },
        ] }
    "#;
    let policy = Policy::from_toml(text).expect("a policy");
    let (world, directory) = world(&policy).await;
    let (o1, u1) = (org("o1"), user("u1"));
    for (key, value, expected) in [
        ("limit", "0", true),
        ("limit", "-7", true),
        ("limit", "-9223372036854775808", true),
        ("limit", "9223372036854775808", false),
        ("limit", "007", false),
        ("limit", "+7", false),
        ("limit", "-0", false),
        ("limit", "7 ", false),
        ("limit", "\u{667}", false),
        ("trusted", "false", true),
        ("trusted", "TRUE", false),
        ("trusted", "1", false),
        ("device", "f81d4fae-7dec-11d0-a765-00A0C91E6BF6", true),
        ("device", "f81d4fae7dec11d0a76500a0c91e6bf6", false),
        ("device", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}", false),
        ("clearance", "internal", true),
        ("clearance", "Internal", false),
    ] {
        directory.forget(&o1, &u1).await.expect("forgotten");
        let attribute = StoredAttribute::new(key, value, None);
        directory
            .grant_attribute(&o1, &u1, &attribute)
            .await
            .expect("granted");
        let subject = subject(&policy, &directory, "o1", "u1").await;
        let case = policy.resource("case").expect("declared");
        let case = case.id("a1").org("o1");
        let decision = policy.decide(&subject, "read", &case, &policy.context(now()));
        let seen = seen(&world, &policy, &subject, now()).await;
        assert_eq!(
            (decision.is_permit(), seen.len()),
            (expected, if expected { 2 } else { 0 }),
            "{key} {value}"
        );
    }
    world.remove().await;
}
