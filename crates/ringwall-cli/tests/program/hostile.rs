//! Arguments that somebody chose with care.

use crate::runner::World;

fn create<'a>(org: &'a str, name: &'a str, by: &'a str) -> Vec<&'a str> {
    vec![
        "apikey",
        "create",
        "--org",
        org,
        "--name",
        name,
        "--by",
        by,
        "--never-expires",
    ]
}

#[test]
fn sql_in_names_is_a_name() {
    const NAME: &str = "x'); DROP TABLE ringwall_api_keys; --";
    let world = World::of_file();
    world
        .peppered(&create("acme", NAME, "o'brien\" OR 1=1 --"))
        .done();
    let listed = world
        .run(&["--json", "apikey", "list", "--org", "acme"])
        .done()
        .json();
    assert_eq!(listed[0]["name"], NAME);
    let other = ["apikey", "list", "--org", "x'OR'1'='1"];
    assert_eq!(world.run(&other).done().stdout, "");
    let revoke = [
        "apikey",
        "revoke",
        "--org",
        "acme",
        "--yes",
        "--all-of-creator",
        "' OR 1=1 --",
    ];
    assert_eq!(world.run(&revoke).done().line(), "revoked 0 API keys");
}

#[test]
fn names_start_no_line_and_move_no_cursor() {
    let world = World::of_file();
    for bad in [
        "a\nb",
        "a\rb",
        "a\tb",
        "\u{1b}[2J",
        "a\u{202e}b",
        "",
        "a\u{85}b",
    ] {
        for words in [
            create(bad, "CI", "alice"),
            create("acme", bad, "alice"),
            create("acme", "CI", bad),
        ] {
            let refused = world.peppered(&words).refused(2);
            assert!(!refused.stderr.contains('\u{1b}'), "{refused:?}");
            assert!(refused.stderr.lines().count() <= 2, "{refused:?}");
        }
        if bad.contains(char::is_control) || bad.is_empty() {
            let words = ["revoke", "subject", "--issuer", "i", "--subject", bad];
            world.run(&words).refused(2);
        }
    }
    let long = "x".repeat(200);
    world.peppered(&create("acme", &long, "alice")).refused(2);
    world.peppered(&create(&long, "CI", "alice")).refused(2);
    assert_eq!(
        world
            .run(&["apikey", "list", "--org", "acme"])
            .done()
            .stdout,
        ""
    );
}

#[test]
fn what_was_typed_in_the_wrong_place_is_not_repeated() {
    let world = World::of_file().secret("hunter2");
    let key = "pak_0123456789hunter2_hunter2";
    for words in [
        &["apikey", "import", key][..],
        &["apikey", "list", "--org", "acme", key],
        &["apikey", "list", "--org", "hunter2\n"],
        &[
            "apikey",
            "rotate",
            key,
            "--org",
            "acme",
            "--by",
            "b",
            "--grace-seconds",
            "0",
        ],
        &["apikey", "list", "--org", "acme", "--password=hunter2"],
        &["apikey", "list", "--org", "acme", "--hunter2"],
        &[
            "apikey",
            "list",
            "--org",
            "acme",
            "--timeout-seconds",
            "hunter2",
        ],
        &[
            "apikey",
            "review",
            "--org",
            "acme",
            "--unused-days",
            "hunter2",
        ],
        &["hunter2"],
        &["apikey", "hunter2"],
        &["--hunter2"],
    ] {
        world.run(words).refused(2);
    }
}

#[test]
fn a_password_in_the_arguments_is_refused_and_not_repeated() {
    let world = World::empty().secret("hunter2");
    for url in [
        "postgres://user:hunter2@localhost/db",
        "postgresql://:hunter2@localhost/db",
        "redis://:hunter2@localhost",
        "rediss://user:hunter2@localhost/0",
    ] {
        for words in [
            &["apikey", "list", "--org", "acme", "--store", url][..],
            &["migrate", "--store", url],
            &[
                "revoke",
                "token",
                "--issuer",
                "i",
                "--token-id",
                "t",
                "--store",
                url,
            ],
            &[
                "revoke", "org", "--org", "acme", "--store", "sqlite:x", "--log", url,
            ],
        ] {
            let refused = world.bare(words, "").refused(2);
            assert!(refused.stderr.contains("read by every user"), "{refused:?}");
        }
    }
}

#[test]
fn a_store_is_one_of_three_kinds() {
    let world = World::empty().secret("hunter2");
    for url in [
        "",
        "hunter2",
        "mysql://hunter2@localhost/db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite://hunter2",
        "sqlite:hunter2?mode=memory",
        "sqlite:file:hunter2",
        "http://hunter2",
    ] {
        let words = ["apikey", "list", "--org", "acme", "--store", url];
        world.bare(&words, "").refused(2);
        world.bare(&["migrate", "--store", url], "").refused(2);
    }
    for url in [
        "postgres://localhost/hunter2?password=hunter2",
        "postgres://localhost",
    ] {
        let words = ["apikey", "list", "--org", "acme", "--store", url];
        world.bare(&words, "").refused(1);
    }
    // Keys are not in Redis, and Redis has no schema.
    let redis = ["--store", "redis://localhost"];
    for words in [
        &["apikey", "list", "--org", "acme"][..],
        &["migrate"],
        &["revoke", "org", "--org", "a"],
    ] {
        let mut words = words.to_vec();
        words.extend(redis);
        world.bare(&words, "").refused(2);
    }
    let files = std::fs::read_dir(world.folder.path())
        .expect("ours")
        .count();
    assert_eq!(files, 1, "the pepper alone: no store was made");
}

#[test]
fn another_machine_is_not_spoken_to_in_the_clear() {
    let world = World::empty();
    // A documentation address (RFC 5737), to which nothing is sent.
    let words = [
        "revoke",
        "token",
        "--issuer",
        "i",
        "--token-id",
        "t",
        "--store",
        "redis://192.0.2.1",
    ];
    let refused = world.bare(&words, "").refused(1);
    assert!(refused.stderr.contains("TLS"), "{refused:?}");
}

#[test]
fn a_secret_is_read_from_a_small_file_and_from_nothing_else() {
    let world = World::empty().secret("hunter2");
    let folder = world.path("");
    let empty = world.write("empty", "");
    // To open it would wait for somebody who writes.
    let pipe = world.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it is there").success());
    for (file, told) in [
        (folder.as_str(), "not a regular file"),
        (pipe.as_str(), "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("missing", "cannot be read"),
        // The password itself, where its file belongs.
        ("hunter2", "cannot be read"),
        (empty.as_str(), "is empty"),
    ] {
        let words = [
            "migrate",
            "--store",
            "postgres://user@localhost/db",
            "--password-file",
            file,
        ];
        let refused = world.bare(&words, "").refused(1);
        assert!(refused.stderr.contains(told), "{refused:?}");
    }
}

#[test]
fn an_option_that_no_store_of_the_command_has_a_use_for_is_refused() {
    let world = World::empty();
    let sqlite = format!("sqlite:{}", world.path("ringwall.sqlite"));
    let token = ["revoke", "token", "--issuer", "i", "--token-id", "t"];
    let list = ["apikey", "list", "--org", "acme"];
    let org = ["revoke", "org", "--org", "acme", "--yes"];
    for (words, store, more) in [
        (&list[..], sqlite.as_str(), &["--schema", "x"][..]),
        (&list, &sqlite, &["--root-certificates", "x.pem"]),
        (&list, &sqlite, &["--permit-clear-text"]),
        (&["migrate"], &sqlite, &["--schema", "x"]),
        (&token, &sqlite, &["--redis-prefix", "x"]),
        (&token, "redis://localhost", &["--schema", "x"]),
        (
            &token,
            "redis://localhost",
            &["--root-certificates", "pepper"],
        ),
        (&token, "postgres://u@localhost/d", &["--redis-prefix", "x"]),
        (&org, &sqlite, &["--redis-prefix", "x"]),
        (
            &org,
            &sqlite,
            &["--log", "redis://localhost", "--schema", "x"],
        ),
    ] {
        let mut all = words.to_vec();
        all.extend(["--store", store]);
        all.extend(more);
        let refused = world.bare(&all, "").refused(2);
        assert!(refused.stderr.contains(" is for "), "{all:?}: {refused:?}");
    }
}
