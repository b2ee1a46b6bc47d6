//! `ringwall config check`.

use crate::runner::World;

const GOOD: &str = r#"
realm = "cases"
modes = ["api_key", "jwt"]
[api_keys]
pepper = { file = "pepper" }
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
"#;
/// What is for a development machine alone, with two secrets that a configuration names.
const SHARED: &str = r#"
profile = "development"
modes = ["api_key", "jwt"]
[api_keys]
pepper = { file = "pepper" }
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
hmac_secret = { env = "TOKEN_SECRET" }
hmac_secret_encoding = "text"
"#;
const SECRET: &str = "hunter2 hunter2 hunter2 hunter2 hunter2";

fn world() -> World {
    World::empty()
        .secret("hunter2")
        .variable("TOKEN_SECRET", SECRET)
}

#[test]
fn prints_what_a_configuration_comes_to_without_its_secrets() {
    let world = world();
    let file = world.write("gate.toml", GOOD);
    let checked = world
        .bare(&["config", "check", "--config", &file], "")
        .done();
    assert!(
        checked.stdout.contains("realm = \"cases\" # "),
        "{checked:?}"
    );
    assert!(checked.stdout.contains("[redacted]"), "{checked:?}");
    let checked = world
        .bare(&["--json", "config", "check", "--config", &file], "")
        .done();
    let value = checked.json().remove(0);
    assert_eq!(value["ok"], true);
    assert_eq!(value["profile"], "production");
    let file = world.write("gate.toml", SHARED);
    let checked = world
        .bare(&["config", "check", "--config", &file], "")
        .done();
    assert_eq!(
        checked.stdout.matches("[redacted]").count(),
        2,
        "{checked:?}"
    );
}

#[test]
fn prints_every_fault_with_its_place_and_its_remedy() {
    let world = world();
    let bad = "realm = \"\"\nmodes = [\"api_key\"]\nnonsense = \"hunter2\"\n[api_keys]\npepper = \"hunter2\"\n";
    let file = world.write("gate.toml", bad);
    let checked = world
        .bare(&["config", "check", "--config", &file], "")
        .refused(1);
    for told in [
        "realm (",
        "nonsense (",
        "api_keys.pepper (",
        "gate.toml:5",
        "; ",
    ] {
        assert!(checked.stderr.contains(told), "{told}: {checked:?}");
    }
    let checked = world.bare(&["config", "check", "--json", "--config", &file], "");
    assert_eq!(checked.code, 1);
    let value = checked.json().remove(0);
    assert_eq!(value["ok"], false);
    let faults = value["faults"].as_array().expect("a list");
    assert!(faults.len() >= 3);
    for fault in faults {
        for part in ["field", "source", "problem", "remedy"] {
            assert!(
                fault[part].as_str().is_some_and(|text| !text.is_empty()),
                "{fault}"
            );
        }
    }
}

#[test]
fn variables_of_the_prefix_go_before_the_file() {
    let world = world().variable("CASES__REALM", "tickets");
    let file = world.write("gate.toml", GOOD);
    let words = [
        "config",
        "check",
        "--config",
        &file,
        "--env-prefix",
        "CASES",
    ];
    let checked = world.bare(&words, "").done();
    assert!(
        checked
            .stdout
            .contains("realm = \"tickets\" # CASES__REALM"),
        "{checked:?}"
    );
    // Without the prefix they are nobody's.
    let checked = world
        .bare(&["config", "check", "--config", &file], "")
        .done();
    assert!(checked.stdout.contains("realm = \"cases\""), "{checked:?}");
}

#[test]
fn old_names_are_read_when_they_are_asked_for() {
    let world = world().variable("JWT_SECRET", SECRET);
    let text = SHARED.replace("hmac_secret = { env = \"TOKEN_SECRET\" }\n", "");
    let file = world.write("gate.toml", &text);
    world
        .bare(&["config", "check", "--config", &file], "")
        .refused(1);
    let words = ["config", "check", "--config", &file, "--old-names"];
    let checked = world.bare(&words, "").done();
    assert!(
        checked.stderr.contains("JWT_SECRET is an old name"),
        "{checked:?}"
    );
}

#[test]
fn a_configuration_has_a_source() {
    let world = world();
    let refused = world.bare(&["config", "check"], "").refused(2);
    assert!(refused.stderr.contains("--config"), "{refused:?}");
    world
        .bare(&["config", "check", "--config", "missing.toml"], "")
        .refused(1);
    world
        .bare(&["config", "check", "--env-prefix", "A__B\n"], "")
        .refused(1);
}
