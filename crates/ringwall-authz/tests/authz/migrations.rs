//! The names that row-level security has in a database.

use ringwall_authz::{Policy, RowLevelSecurityOptions, RowLevelSecurityParts, ready};

fn parts(schema: &str) -> (RowLevelSecurityParts, String) {
    let policy = Policy::from_toml(ready::ROWS).expect("a policy");
    let options = RowLevelSecurityOptions::new("runtime").and_then(|one| one.schema(schema));
    let options = options.expect("names");
    (
        policy.row_level_security_parts(&options).expect("parts"),
        policy.row_level_security(&options).expect("statements"),
    )
}

/// The name of the policy on the table of attributes.
fn own(schema: &str) -> String {
    let (parts, _) = parts(schema);
    let attributes = parts.tables.first().expect("the attributes");
    attributes.policies.first().expect("a policy").name.clone()
}

#[test]
fn names_that_are_too_long_for_the_database_stay_apart() {
    let long = "x".repeat(62);
    let (one, other) = (own(&format!("{long}a")), own(&format!("{long}b")));
    assert_ne!(one, other);
    // PostgreSQL cuts off what is longer.
    assert_eq!((one.len(), other.len()), (63, 63));
    assert_eq!(own("app"), "ringwall_own_app");
}

#[test]
fn names_that_differ_in_case_stay_apart() {
    let (_, statements) = parts("App");
    for part in [
        "CREATE POLICY \"ringwall_own_App\" ON",
        "DROP POLICY IF EXISTS \"ringwall_own_App\" ON",
        "COMMENT ON POLICY \"ringwall_own_App\" ON",
        "'\"App\"'::regnamespace",
    ] {
        assert!(statements.contains(part), "{part}");
    }
}

#[test]
fn indexes_come_before_the_transaction_that_changes_policies() {
    let (_, statements) = parts("app");
    let place = |part: &str| statements.find(part).expect("it is there");
    let index = place("CREATE INDEX IF NOT EXISTS \"ringwall_cases_tenant\"");
    assert!(index < place("COMMIT;"));
    for locking in ["DROP POLICY", "ALTER TABLE"] {
        assert!(place("COMMIT;") < place(locking), "{locking}");
    }
}
