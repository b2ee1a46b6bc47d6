//! On a SQLite file.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use ringwall_authn::ApiKeys;
use ringwall_authn::api_key::{ApiKeyErrorKind, ApiKeyUse};
use ringwall_authn::revocation::{RevocationCursor, RevocationStore as _, Revoked};
use ringwall_core::clock::{SystemClock, WallClock as _};
use ringwall_core::principal::Principal;
use ringwall_core::request::HeaderValues;
use ringwall_sqlite::{SqliteApiKeys, SqliteConfig, SqliteDatabase, SqliteRevocations};

use crate::runner::World;

const CREATE: &[&str] = &[
    "apikey",
    "create",
    "--org",
    "acme",
    "--name",
    "CI",
    "--by",
    "alice",
    "--scope",
    "runs:read",
    "--expires-in-days",
    "90",
];
const LIST: &[&str] = &["--json", "apikey", "list", "--org", "acme"];

async fn database(world: &World) -> SqliteDatabase {
    let config = SqliteConfig::new(world.path("ringwall.sqlite"));
    SqliteDatabase::open(config).await.expect("it opens")
}

/// As the service would judge the key.
async fn judged(world: &World, key: &str) -> Result<Principal, ApiKeyErrorKind> {
    let database = database(world).await;
    let store = SqliteApiKeys::open(&database).await.expect("migrated");
    let keys = ApiKeys::builder(Arc::new(store), world.hasher())
        .accept_imported()
        .build();
    let usage = ApiKeyUse {
        address: None,
        origin: HeaderValues::Absent,
    };
    let verdict = keys.verify(key.as_bytes(), usage).await;
    database.close().await;
    verdict
        .map(|principal| Principal::clone(&principal))
        .map_err(|error| error.kind())
}

fn id_of(key: &str) -> String {
    key.split('_').nth(1).expect("an id").to_owned()
}

#[test]
fn migrates_once_and_says_where_it_stands() {
    let world = World::empty();
    let status = world.run(&["migrate", "--status"]).refused(1);
    assert!(status.stderr.contains("`ringwall migrate` makes it"));
    world.run(&["migrate", "--dry-run"]).done();
    let keys = world.run(LIST).refused(1);
    assert!(keys.stderr.contains("no file"));
    let file = world.path("ringwall.sqlite");
    assert!(!std::path::Path::new(&file).exists(), "nobody made it");

    // A file without tables is not used either.
    world.write("ringwall.sqlite", "");
    let status = world.run(&["migrate", "--status"]);
    assert_eq!(
        (status.code, status.stdout.lines().count()),
        (1, 2),
        "{status:?}"
    );
    assert_eq!(
        world
            .run(&["migrate", "--dry-run"])
            .done()
            .stdout
            .lines()
            .count(),
        2
    );
    let keys = world.run(LIST).refused(1);
    assert!(keys.stderr.contains("run `ringwall migrate`"), "{keys:?}");

    assert!(world.run(&["migrate"]).done().line().starts_with("applied"));
    assert!(
        world
            .run(&["migrate"])
            .done()
            .line()
            .starts_with("nothing to do")
    );
    let status = world.run(&["--json", "migrate", "--status"]).done();
    assert!(
        status
            .json()
            .iter()
            .all(|step| step["applied_at"].is_string())
    );
    assert_eq!(world.run(&["migrate", "--dry-run"]).done().stdout, "");
}

#[test]
fn makes_a_file_for_its_owner_alone() {
    let world = World::of_file();
    let metadata = std::fs::metadata(world.path("ringwall.sqlite")).expect("it is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_key_is_shown_once_on_the_standard_output_and_is_accepted() {
    let world = World::of_file();
    let made = world.peppered(CREATE).done();
    let key = made.line().to_owned();
    let world = world.secret(&key);
    assert!(!made.stderr.contains(&key), "{made:?}");
    let principal = judged(&world, &key).await.expect("accepted");
    assert_eq!(principal.subject.as_str(), id_of(&key));
    assert_eq!(principal.scopes.len(), 1);

    // The whole secret part is nowhere else either.
    let secret = key.split('_').nth(2).expect("a secret").to_owned();
    let world = world.secret(&secret);
    let listed = world.run(LIST).done().json();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], id_of(&key));
    assert_eq!(listed[0]["state"], "active");
    assert_eq!(listed[0]["pepper_id"], "1");
    assert_eq!(listed[0].get("key"), None);
    assert!(
        world
            .run(&["apikey", "list", "--org", "acme"])
            .done()
            .line()
            .ends_with("runs:read\tCI")
    );
    assert_eq!(
        world
            .run(&["apikey", "list", "--org", "other"])
            .done()
            .stdout,
        ""
    );
}

#[tokio::test]
async fn a_key_has_the_restrictions_that_were_asked_for() {
    let world = World::of_file();
    let mut words = vec!["--json"];
    words.extend(CREATE);
    words.extend([
        "--project",
        "web",
        "--network",
        "192.0.2.0/24",
        "--origin",
        "https://a.example",
    ]);
    let made = world.peppered(&words).done().json().remove(0);
    assert_eq!(made["project"], "web");
    assert_eq!(made["networks"], serde_json::json!(["192.0.2.0/24"]));
    assert_eq!(made["origins"], serde_json::json!(["https://a.example"]));
    let key = made["key"].as_str().expect("a key");
    // From nowhere, which is not in the network.
    assert_eq!(
        judged(&world, key).await.expect_err("refused"),
        ApiKeyErrorKind::Rejected
    );
}

#[test]
fn a_scope_that_the_service_does_not_have_is_refused_and_a_family_is_written_out() {
    let world = World::of_file();
    let create = |scope: &str| {
        let mut words = vec!["--json"];
        words.extend(
            CREATE
                .iter()
                .filter(|word| !matches!(**word, "--scope" | "runs:read")),
        );
        for known in ["agent:read", "agent:write", "chat:read"] {
            words.extend(["--known-scope", known]);
        }
        words.extend(["--scope", scope]);
        world.peppered(&words)
    };
    let made = create("agent:*").done().json().remove(0);
    assert_eq!(
        made["scopes"],
        serde_json::json!(["agent:read", "agent:write"])
    );
    let refused = create("chat:raed").refused(1);
    assert!(refused.stderr.contains("not one of those"), "{refused:?}");
}

#[test]
fn an_end_and_a_pepper_are_said_or_left_out_by_name() {
    let world = World::of_file();
    let words = [
        "apikey", "create", "--org", "acme", "--name", "CI", "--by", "alice",
    ];
    let refused = world.peppered(&words).refused(2);
    assert!(refused.stderr.contains("--never-expires"), "{refused:?}");
    let mut words = words.to_vec();
    words.push("--never-expires");
    let refused = world.run(&words).refused(2);
    assert!(refused.stderr.contains("--no-pepper"), "{refused:?}");
    words.push("--no-pepper");
    world.run(&words).done();
    let listed = world.run(LIST).done().json();
    assert!(listed[0]["pepper_id"].is_null() && listed[0]["expires_at"].is_null());
}

#[tokio::test]
async fn the_pepper_comes_from_the_environment_too() {
    let world = World::of_file().variable("RINGWALL_PEPPER", crate::runner::PEPPER);
    let key = world.run(CREATE).done().line().to_owned();
    judged(&world, &key).await.expect("the same pepper");
}

#[test]
fn a_pepper_that_cannot_be_one_is_refused() {
    let world = World::of_file().secret("hunter2");
    let file = world.write("short", "hunter2");
    let mut words = CREATE.to_vec();
    words.extend(["--pepper-file", file.as_str()]);
    assert!(
        world
            .run(&words)
            .refused(1)
            .stderr
            .contains("at least 32 bytes")
    );

    let file = world.write("open", "hunter2 hunter2 hunter2 hunter2 hunter2");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("ours");
    let mut words = CREATE.to_vec();
    words.extend(["--pepper-file", file.as_str()]);
    assert!(
        world
            .run(&words)
            .refused(1)
            .stderr
            .contains("written by everybody")
    );

    let file = world.write("long", &"hunter2".repeat(8192));
    let mut words = CREATE.to_vec();
    words.extend(["--pepper-file", file.as_str()]);
    assert!(world.run(&words).refused(1).stderr.contains("is longer"));
    assert_eq!(world.run(LIST).done().stdout, "");
}

#[tokio::test]
async fn a_rotation_ends_the_old_key_after_its_grace() {
    let world = World::of_file();
    let old = world.peppered(CREATE).done().line().to_owned();
    let id = id_of(&old);
    let rotate = |grace: &str, id: &str| {
        world.peppered(&[
            "apikey",
            "rotate",
            id,
            "--org",
            "acme",
            "--by",
            "bob",
            "--grace-seconds",
            grace,
        ])
    };
    let second = rotate("3600", &id).done().line().to_owned();
    judged(&world, &old).await.expect("in its grace");
    judged(&world, &second).await.expect("the new one");
    rotate("0", &id).refused(1);
    let third = rotate("0", &id_of(&second)).done().line().to_owned();
    assert_eq!(
        judged(&world, &second).await.expect_err("ended"),
        ApiKeyErrorKind::Rejected
    );
    judged(&world, &third).await.expect("the newest");
    // Of another organisation, it is not there.
    let stranger = world.peppered(&[
        "apikey",
        "rotate",
        &id_of(&third),
        "--org",
        "other",
        "--by",
        "bob",
        "--grace-seconds",
        "0",
    ]);
    assert!(
        stranger
            .refused(1)
            .stderr
            .contains("there is no such API key")
    );
    judged(&world, &third).await.expect("as it was");
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

#[test]
fn a_review_names_the_keys_to_look_at() {
    let world = World::of_file();
    world.peppered(CREATE).done();
    let review = ["apikey", "review", "--org", "acme"];
    assert_eq!(world.run(&review).done().stdout, "");
    let soon = [
        "--json",
        "apikey",
        "review",
        "--org",
        "acme",
        "--expiry-days",
        "91",
    ];
    let found = world.run(&soon).done().json();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["finding"], "expires_soon");
}

#[tokio::test]
async fn an_old_key_is_imported_from_the_standard_input() {
    const OLD: &str = "pak_0123456789abcdef0123456789abcdef";
    let world = World::of_file().secret(OLD);
    let pepper = world.path("pepper");
    let import = [
        "apikey",
        "import",
        "--org",
        "acme",
        "--name",
        "old",
        "--by",
        "alice",
        "--never-expires",
        "--pepper-file",
        &pepper,
    ];
    for wrong in [
        "",
        "\n",
        "pak_0123",
        "pak_00000000000000000000000000000000",
        &"x".repeat(9000),
    ] {
        world.run_with(&import, wrong).refused(1);
    }
    world.run_with(&import, &format!("{OLD}\n")).done();
    let principal = judged(&world, OLD).await.expect("accepted");
    assert_eq!(
        principal.subject.as_str(),
        world.run(LIST).done().json()[0]["id"]
    );
    let again = world.run_with(&import, OLD).refused(1);
    assert!(again.stderr.contains("does not permit"), "{again:?}");
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
    revoke(&["key", "--key-id", "k-1"]);
    let log = SqliteRevocations::open(&database(&world).await)
        .await
        .expect("migrated");
    let page = log.read(RevocationCursor::START, 10.try_into().expect("not zero"));
    let page = page.await.expect("it answers").revocations;
    assert_eq!(page.len(), 4);
    let day = core::time::Duration::from_secs(24 * 3600);
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

#[test]
fn a_key_that_cannot_be_shown_is_named_so_that_it_can_be_revoked() {
    let world = World::of_file();
    let pepper = world.path("pepper");
    let store = format!("sqlite:{}", world.path("ringwall.sqlite"));
    let mut words = CREATE.to_vec();
    words.extend(["--pepper-file", pepper.as_str(), "--store", store.as_str()]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_ringwall"))
        .args(&words)
        .env_clear()
        .stdout(full)
        .output()
        .expect("it runs");
    assert_eq!(run.status.code(), Some(1));
    let told = String::from_utf8(run.stderr).expect("text");
    let id = world.run(LIST).done().json()[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert!(told.contains(&id) && told.contains("revoke it"), "{told}");
}
