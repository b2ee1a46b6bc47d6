//! `ringwall subject`.

use ringwall_authz::ready;
use serde_json::json;

use crate::runner::World;

const OF: [&str; 4] = ["--org", "acme", "--subject", "ada"];

/// A command about ada in acme.
fn words<'a>(command: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    command
        .iter()
        .copied()
        .chain(OF)
        .chain(rest.iter().copied())
        .collect()
}

#[test]
fn gives_and_takes_what_is_known_of_a_subject() {
    let world = World::of_file();
    let run = |command: &str, rest: &[&str]| {
        let words = words(&["--json", "subject", command], rest);
        world.run(&words).done().json().remove(0)
    };
    let nothing = run("show", &[]);
    assert_eq!(nothing["roles"], json!([]));
    let given = run(
        "grant",
        &[
            "--role",
            "admin",
            "--role",
            "viewer",
            "--department",
            "sales",
            "--attribute",
            "clearance=internal",
            "--attribute",
            "note=a=b",
            "--expires-at",
            "2027-01-01T00:00:00Z",
        ],
    );
    assert_eq!(given["roles"], json!(["admin", "viewer"]));
    assert_eq!(given["departments"], json!(["sales"]));
    assert_eq!(given["attributes"][1]["value"], "a=b");
    assert_eq!(
        given["attributes"][0]["expires_at"],
        "2027-01-01T00:00:00.000000Z"
    );
    let taken = run(
        "revoke",
        &[
            "--role",
            "admin",
            "--attribute",
            "note=a=b",
            "--department",
            "sales",
        ],
    );
    assert_eq!(taken["roles"], json!(["viewer"]));
    assert_eq!(taken["departments"], json!([]));
    assert_eq!(taken["attributes"].as_array().map(Vec::len), Some(1));
    assert!(taken["version"].as_u64() > given["version"].as_u64());
    let shown = world.run(&words(&["subject", "show"], &[])).done();
    assert!(
        shown.stdout.contains("roles        viewer") && shown.stdout.contains("departments  -"),
        "{shown:?}"
    );
    let elsewhere = [
        "subject",
        "show",
        "--json",
        "--org",
        "globex",
        "--subject",
        "ada",
    ];
    let elsewhere = world.run(&elsewhere).done().json().remove(0);
    assert_eq!(elsewhere["roles"], json!([]));
}

#[test]
fn forgets_a_subject_when_its_name_is_typed() {
    let world = World::of_file();
    world
        .run(&words(&["subject", "grant"], &["--role", "admin"]))
        .done();
    let forget = words(&["subject", "forget"], &[]);
    assert_eq!(world.run_with(&forget, "y\n").code, 1);
    let shown = world.run(&words(&["subject", "show"], &[])).done();
    assert!(shown.stdout.contains("admin"), "{shown:?}");
    world.run_with(&forget, "ada\n").done();
    let shown = world.run(&words(&["subject", "show"], &[])).done();
    assert!(!shown.stdout.contains("admin"), "{shown:?}");
}

#[test]
fn refuses_what_would_be_kept_and_do_nothing() {
    let world = World::of_file();
    let policy = world.write("rows.toml", ready::ROWS);
    let grant = |rest: &[&str]| world.run(&words(&["subject", "grant"], rest));
    grant(&["--role", "admin", "--policy", &policy]).done();
    for rest in [
        &["--role", "Admin", "--policy", &policy][..],
        &["--role", "\u{430}dmin", "--policy", &policy],
        &["--role", ""],
        &["--role", "a\nb"],
        &["--attribute", "clearance"],
        &["--attribute", "=internal"],
        &[
            "--department",
            "sales",
            "--expires-at",
            "2027-01-01T00:00:00Z",
        ],
        &[],
    ] {
        grant(rest).refused(2);
    }
    let revoke = ["--attribute", "a=b", "--expires-at", "2027-01-01T00:00:00Z"];
    world
        .run(&words(&["subject", "revoke"], &revoke))
        .refused(2);
    let redis = ["subject", "show", "--store", "redis://127.0.0.1:1"];
    world.bare(&words(&redis, &[]), "").refused(2);
    let shown = world
        .run(&words(&["--json", "subject", "show"], &[]))
        .done();
    let shown = shown.json().remove(0);
    assert_eq!(
        (&shown["roles"], &shown["departments"]),
        (&json!(["admin"]), &json!([]))
    );
}

#[test]
fn a_file_that_is_not_there_does_not_become_an_empty_directory() {
    let world = World::empty();
    world
        .run(&words(&["subject", "grant"], &["--role", "admin"]))
        .refused(1);
    assert!(!std::path::Path::new(&world.path("ringwall.sqlite")).exists());
}

#[test]
fn says_when_there_was_nothing_to_take() {
    let world = World::of_file();
    world
        .run(&words(&["subject", "grant"], &["--role", "admin"]))
        .done();
    for rest in [&["--role", "Admin"][..], &["--attribute", "a=b"]] {
        let refused = world.run(&words(&["subject", "revoke"], rest));
        refused.refused(1);
    }
    let of = ["--org", "acme", "--subject", "Ada", "--yes"];
    let forget: Vec<&str> = ["subject", "forget"].into_iter().chain(of).collect();
    world.run(&forget).refused(1);
    let shown = world.run(&words(&["subject", "show"], &[])).done();
    assert!(shown.stdout.contains("admin"), "{shown:?}");
}

const BY_UUID: &str = r#"
version = 1
name = "uuids"
subject = { id = "uuid", tenant = "uuid", attributes = { region = "text", regions = "text_set" } }
roles.admin = {}
resources.case = { actions = ["read"] }
"#;

#[test]
fn spells_ids_as_the_services_of_the_policy_do() {
    let world = World::of_file();
    let policy = world.write("uuids.toml", BY_UUID);
    let of = [
        "--org",
        "0A0E0000-0000-4000-8000-000000000001",
        "--subject",
        "ADA00000-0000-4000-8000-000000000001",
    ];
    let run = |command: &str, rest: &[&str]| {
        let words: Vec<&str> = ["--json", "subject", command]
            .into_iter()
            .chain(of)
            .chain(rest.iter().copied())
            .collect();
        world.run(&words)
    };
    let given = run("grant", &["--role", "admin", "--policy", &policy]);
    let given = given.done().json().remove(0);
    assert_eq!(given["subject"], "ada00000-0000-4000-8000-000000000001");
    assert_eq!(given["org"], "0a0e0000-0000-4000-8000-000000000001");
    // Letter by letter it is somebody else.
    run("revoke", &["--role", "admin"]).refused(1);
    let taken = run("revoke", &["--role", "admin", "--policy", &policy]);
    assert_eq!(taken.done().json().remove(0)["roles"], json!([]));
}

#[test]
fn gives_no_second_value_that_makes_the_first_one_unknown() {
    let world = World::of_file();
    let policy = world.write("uuids.toml", BY_UUID);
    let grant = |attribute: &str| {
        let rest = ["--attribute", attribute, "--policy", &policy];
        world.run(&words(&["subject", "grant"], &rest))
    };
    grant("region=eu").done();
    grant("region=eu").done();
    grant("region=us").refused(1);
    grant("regions=eu").done();
    grant("regions=us").done();
    grant("shoes=44").refused(2);
}
