//! `ringwall policy`.

use ringwall_authz::ready;

use crate::runner::World;

const CASES: &str = r#"
[[cases]]
name = "an analyst reads its own case"
subject = { id = "u1", org = "o1", roles = ["analyst"] }
action = "read"
resource = { type = "case", id = "c1", org = "o1", attributes = { owner = "u1" } }
expect = "permit"
rule = "analyst-own"

[[cases]]
name = "and nobody else's"
subject = { id = "u2", org = "o1", roles = ["analyst"] }
action = "read"
resource = { type = "case", id = "c1", org = "o1", attributes = { owner = "u1" } }
expect = "forbid"
"#;

#[test]
fn says_what_a_policy_comes_to_and_on_which_lines_it_is_wrong() {
    let world = World::empty();
    let file = world.write("rows.toml", ready::ROWS);
    let checked = world.bare(&["policy", "check", &file], "").done();
    assert!(
        checked.line().starts_with("rows: 4 rules, 4 roles"),
        "{checked:?}"
    );
    let checked = world.bare(&["--json", "policy", "check", &file], "").done();
    let value = checked.json().remove(0);
    assert_eq!((&value["ok"], &value["rules"]), (&true.into(), &4.into()));
    let wrong = ready::ROWS.replace("\"resource.owner\"", "\"resource.ownr\"");
    let file = world.write("wrong.toml", &wrong);
    let refused = world.bare(&["policy", "check", &file], "");
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    let line = wrong
        .lines()
        .position(|line| line.contains("ownr"))
        .expect("a line")
        + 1;
    assert!(
        refused.stderr.contains(&format!("wrong.toml:{line}: ")),
        "{refused:?}"
    );
    assert!(
        refused
            .stderr
            .contains("unknown attribute \"resource.ownr\""),
        "{refused:?}"
    );
    let refused = world.bare(&["--json", "policy", "check", &file], "");
    assert_eq!(refused.json().remove(0)["faults"][0]["line"], line);
    let missing = world.bare(&["policy", "check", "nowhere.toml"], "");
    missing.refused(1);
    let json = serde_json::to_string(
        ringwall_authz::Policy::from_toml(ready::ROWS)
            .expect("a policy")
            .document(),
    );
    let file = world.write("rows.json", &json.expect("a text"));
    world.bare(&["policy", "check", &file], "").done();
}

#[test]
fn decides_cases_and_says_which_come_out_otherwise() {
    let world = World::empty();
    let policy = world.write("rows.toml", ready::ROWS);
    let cases = world.write("cases.toml", CASES);
    let tested = world
        .bare(&["policy", "test", &policy, "--cases", &cases], "")
        .done();
    assert_eq!(
        tested
            .stdout
            .lines()
            .filter(|line| line.starts_with("ok"))
            .count(),
        2
    );
    let turned = world.write(
        "turned.toml",
        &CASES.replace("expect = \"forbid\"", "expect = \"permit\""),
    );
    let tested = world.bare(&["policy", "test", &policy, "--cases", &turned], "");
    assert_eq!(tested.code, 1);
    assert!(
        tested.stdout.contains("FAILED  and nobody else's"),
        "{tested:?}"
    );
    // It says why, with the rule and the values.
    assert!(
        tested.stdout.contains("resource.owner = \"u1\""),
        "{tested:?}"
    );
    let none = world.write("none.toml", "cases = []");
    assert_eq!(
        world
            .bare(&["policy", "test", &policy, "--cases", &none], "")
            .code,
        1
    );
    let wrong = world.write(
        "wrong.toml",
        &CASES.replace("roles = [\"analyst\"]", "roles = [\"analist\"]"),
    );
    let tested = world.bare(&["policy", "test", &policy, "--cases", &wrong], "");
    assert!(
        tested.stdout.contains("there is no role \"analist\""),
        "{tested:?}"
    );
    let explained = world.bare(
        &[
            "policy",
            "explain",
            &policy,
            "--cases",
            &cases,
            "--case",
            "and nobody else's",
        ],
        "",
    );
    let explained = explained.done();
    assert!(
        explained
            .stdout
            .contains("permit analyst-own does not apply"),
        "{explained:?}"
    );
    assert!(
        !explained.stdout.contains("an analyst reads"),
        "{explained:?}"
    );
}

#[test]
fn prints_row_level_security_and_what_is_different() {
    let world = World::empty();
    let policy = world.write("rows.toml", ready::ROWS);
    let printed = world
        .bare(&["policy", "rls", &policy, "--role", "app"], "")
        .done();
    for part in [
        "ENABLE ROW LEVEL SECURITY",
        "FORCE ROW LEVEL SECURITY",
        "AS RESTRICTIVE",
        "TO \"app\"",
    ] {
        assert!(printed.stdout.contains(part), "{part}");
    }
    world
        .bare(&["policy", "rls", &policy, "--role", "a; b"], "")
        .refused(2);
    let same = world.bare(&["policy", "diff", &policy, &policy], "").done();
    assert_eq!(same.stdout, "");
    let other = world.write("other.toml", &ready::ROWS.replace("rank = 40", "rank = 41"));
    let different = world.bare(&["policy", "diff", &policy, &other], "");
    assert_eq!(different.code, 1);
    assert!(
        different.stdout.contains("+ roles.admin: {\"rank\":41}"),
        "{different:?}"
    );
}

#[test]
fn security_that_would_protect_no_row_is_refused() {
    let world = World::empty();
    let text = r#"
version = 1
name = "no-table"
roles.admin = {}
resources.case = { actions = ["read"], attributes = { owner = "text" } }

# Pairs have a table, and rows have none.
[relations.teams]
value = "text"
table = "teams"
value_column = "team"

[[rules]]
id = "read"
effect = "permit"
resource = "case"
actions = ["read"]
roles = ["admin"]
when = { related = ["teams", "resource.owner"] }
"#;
    let file = world.write("rows.toml", text);
    world.bare(&["policy", "check", &file], "").done();
    let refused = world.bare(&["policy", "rls", &file, "--role", "app"], "");
    assert!(
        refused.stderr.contains("no row would be protected"),
        "{refused:?}"
    );
    refused.refused(2);
}
