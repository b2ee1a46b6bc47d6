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
