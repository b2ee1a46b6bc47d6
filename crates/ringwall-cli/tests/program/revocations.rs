//! What is taken back, on a SQLite file.

use core::time::Duration;

use ringwall_authn::api_key::ApiKeyErrorKind;
use ringwall_authn::revocation::{Revocation, RevocationCursor, RevocationStore as _, Revoked};
use ringwall_core::clock::{SystemClock, WallClock as _};
use ringwall_sqlite::SqliteRevocations;

use crate::files::{CREATE, LIST, database, id_of, judged};
use crate::runner::World;

async fn log(world: &World) -> Vec<Revocation> {
    let log = SqliteRevocations::open(&database(world).await)
        .await
        .expect("migrated");
    let page = log.read(RevocationCursor::START, 10.try_into().expect("not zero"));
    page.await.expect("it answers").revocations
}

#[tokio::test]
async fn revokes_one_key_and_no_other() {
    let world = World::of_file();
    let one = world.peppered(CREATE).done().line().to_owned();
    let other = world.peppered(CREATE).done().line().to_owned();
    world
        .run(&["apikey", "revoke", &id_of(&one), "--org", "other"])
        .refused(1);
    judged(&world, &one).await.expect("as it was");
    world
        .run(&["apikey", "revoke", &id_of(&one), "--org", "acme"])
        .done();
    assert_eq!(
        judged(&world, &one).await.expect_err("revoked"),
        ApiKeyErrorKind::Rejected
    );
    judged(&world, &other).await.expect("as it was");
}

#[tokio::test]
async fn many_keys_are_revoked_when_their_number_is_typed() {
    let world = World::of_file();
    let key = world.peppered(CREATE).done().line().to_owned();
    world.peppered(CREATE).done();
    let all = ["apikey", "revoke", "--org", "acme", "--all-of-org"];
    for answer in ["", "y\n", "yes\n", "3\n", "22\n", "2 2\n", "-2\n"] {
        let refused = world.run_with(&all, answer);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (1, ""),
            "{answer:?}"
        );
        assert!(
            refused.stderr.contains("2 API keys of organisation acme"),
            "{refused:?}"
        );
        assert!(
            refused.stderr.contains("nothing was changed"),
            "{refused:?}"
        );
    }
    judged(&world, &key).await.expect("as it was");
    assert_eq!(
        world.run_with(&all, "2\n").done().line(),
        "revoked 2 API keys"
    );
    assert_eq!(
        judged(&world, &key).await.expect_err("revoked"),
        ApiKeyErrorKind::Rejected
    );
    let again = ["apikey", "revoke", "--org", "acme", "--all-of-org", "--yes"];
    assert_eq!(world.run(&again).done().line(), "revoked 0 API keys");
}

#[test]
fn revokes_what_somebody_made_or_a_project_has() {
    let world = World::of_file();
    world.peppered(CREATE).done();
    let create = |by: &str, project: &str| {
        world.peppered(&[
            "apikey",
            "create",
            "--org",
            "acme",
            "--name",
            "x",
            "--by",
            by,
            "--project",
            project,
            "--never-expires",
        ])
    };
    create("bob", "web").done();
    create("bob", "app").done();
    let revoke = |more: &[&str], input: &str| {
        let mut words = vec!["apikey", "revoke", "--org", "acme"];
        words.extend(more);
        world.run_with(&words, input)
    };
    assert_eq!(
        revoke(&["--all-of-project", "web"], "1\n").done().line(),
        "revoked 1 API keys"
    );
    assert_eq!(
        revoke(&["--all-of-creator", "bob"], "1\n").done().line(),
        "revoked 1 API keys"
    );
    // What is ambiguous is refused.
    revoke(&["--all-of-org", "--project", "web", "--yes"], "").refused(2);
    revoke(&["--all-of-org", "--all-of-creator", "bob", "--yes"], "").refused(2);
    revoke(&["--yes"], "").refused(2);
    let states: Vec<_> = world.run(LIST).done().json();
    let active = states.iter().filter(|key| key["state"] == "active");
    assert_eq!(active.count(), 1);
}

#[tokio::test]
async fn revocations_of_tokens_stand_in_the_log() {
    let world = World::of_file();
    let issuer = ["--issuer", "https://login.example.com"];
    let revoke = |words: &[&str]| {
        let mut all = vec!["revoke"];
        all.extend(words);
        all.extend(issuer);
        world.run(&all).done();
    };
    let before = SystemClock::new().now().expect("a clock");
    revoke(&["token", "--token-id", "t-1"]);
    revoke(&["subject", "--subject", "bob"]);
    revoke(&[
        "subject",
        "--subject",
        "eve",
        "--issued-until",
        "2026-01-31T00:00:00Z",
    ]);
    revoke(&["key", "--yes", "--key-id", "k-1"]);
    let log = SqliteRevocations::open(&database(&world).await)
        .await
        .expect("migrated");
    let page = log.read(RevocationCursor::START, 10.try_into().expect("not zero"));
    let page = page.await.expect("it answers").revocations;
    assert_eq!(page.len(), 4);
    let day = Duration::from_secs(24 * 3600);
    for one in &page {
        assert!(one.last_expiry() >= before.checked_add(day).expect("in range"));
        match one.revoked() {
            Revoked::Token { issuer, token_id } => {
                assert_eq!(
                    (&**issuer, &**token_id),
                    ("https://login.example.com", "t-1")
                );
            }
            Revoked::Subject {
                subject,
                issued_until,
                ..
            } if &**subject == "eve" => {
                assert_eq!(issued_until.to_string(), "2026-01-31T00:00:00.000000Z");
            }
            Revoked::Subject {
                subject,
                issued_until,
                ..
            } => {
                assert_eq!(&**subject, "bob");
                assert!(*issued_until > before);
            }
            // Whoever has the key makes tokens for years to come.
            Revoked::SigningKey { key_id, .. } => {
                assert_eq!(&**key_id, "k-1");
                assert!(one.last_expiry() > before.checked_add(day * 3000).expect("in range"));
            }
            other @ Revoked::Org { .. } => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_organisation_is_revoked_with_its_keys_in_one_call() {
    let world = World::of_file();
    let key = world.peppered(CREATE).done().line().to_owned();
    let revoke = ["revoke", "org", "--org", "acme"];
    let refused = world.run_with(&revoke, "acme\n");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("1 API keys of organisation acme"),
        "{refused:?}"
    );
    judged(&world, &key).await.expect("as it was");
    world.run_with(&revoke, "1\n").done();
    assert_eq!(
        judged(&world, &key).await.expect_err("revoked"),
        ApiKeyErrorKind::Rejected
    );
    let log = SqliteRevocations::open(&database(&world).await)
        .await
        .expect("migrated");
    let page = log.read(RevocationCursor::START, 10.try_into().expect("not zero"));
    let page = page.await.expect("it answers").revocations;
    assert!(
        matches!(page.as_slice(), [one] if matches!(one.revoked(), Revoked::Org { org, .. } if &**org == "acme"))
    );
}

#[tokio::test]
async fn a_signing_key_is_revoked_when_its_id_is_typed() {
    let world = World::of_file();
    let revoke = [
        "revoke",
        "key",
        "--issuer",
        "https://login.example.com",
        "--key-id",
        "k 1",
    ];
    for answer in [
        "",
        "\n",
        "y\n",
        "yes\n",
        "k\n",
        "k 11\n",
        "https://login.example.com\n",
    ] {
        let refused = world.run_with(&revoke, answer);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (1, ""),
            "{answer:?}"
        );
        assert!(
            refused.stderr.contains("nothing was changed"),
            "{refused:?}"
        );
    }
    assert_eq!(log(&world).await, []);
    world.run_with(&revoke, "k 1\n").done();
    assert_eq!(log(&world).await.len(), 1);
    // What cannot be revoked is not asked for.
    let bad = ["revoke", "key", "--issuer", "i", "--key-id", "a\nb"];
    let refused = world.run_with(&bad, "a\n").refused(2);
    assert!(!refused.stderr.contains("to go on"), "{refused:?}");
}

#[tokio::test]
async fn what_was_issued_until_a_time_is_revoked_and_nothing_later() {
    let world = World::of_file();
    let until = "2026-01-31T00:00:00.000000Z";
    world
        .run(&[
            "revoke",
            "org",
            "--org",
            "acme",
            "--yes",
            "--issued-until",
            until,
        ])
        .done();
    let log = log(&world).await;
    assert!(
        matches!(log[0].revoked(), Revoked::Org { issued_until, .. } if issued_until.to_string() == until)
    );
}

#[tokio::test]
async fn a_revocation_is_remembered_as_long_as_the_service_accepts_tokens() {
    let world = World::of_file();
    let text = "modes = [\"jwt\"]\n[tokens]\nissuer = \"https://login.example.com\"\naudience = \"api\"\n\
                max_lifetime_seconds = 1000000\nclock_skew_seconds = 300\n";
    let file = world.write("gate.toml", text);
    let revoke = |more: &[&str]| {
        let mut words = vec![
            "revoke",
            "subject",
            "--issuer",
            "https://login.example.com",
            "--subject",
            "bob",
        ];
        words.extend(more);
        world.run(&words)
    };
    let before = SystemClock::new().now().expect("a clock");
    revoke(&["--config", &file]).done();
    let log = log(&world).await;
    let after = |seconds| {
        before
            .checked_add(Duration::from_secs(seconds))
            .expect("in range")
    };
    assert!(log[0].last_expiry() >= after(1_000_000 + 600));
    assert!(
        matches!(log[0].revoked(), Revoked::Subject { issued_until, .. } if *issued_until >= after(300))
    );
    revoke(&["--config", &file, "--longest-lifetime-seconds", "60"]).refused(2);
    let keys = world.write(
        "keys.toml",
        "modes = [\"api_key\"]\n[api_keys]\nhash = \"sha256\"\n",
    );
    revoke(&["--config", &keys]).refused(2);
}
