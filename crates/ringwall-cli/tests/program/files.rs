//! On a SQLite file.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use ringwall_authn::ApiKeys;
use ringwall_authn::api_key::{ApiKeyErrorKind, ApiKeyUse};
use ringwall_core::principal::Principal;
use ringwall_core::request::HeaderValues;
use ringwall_sqlite::{SqliteApiKeys, SqliteConfig, SqliteDatabase};

use crate::runner::World;

pub(crate) const CREATE: &[&str] = &[
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
pub(crate) const LIST: &[&str] = &["--json", "apikey", "list", "--org", "acme"];

pub(crate) async fn database(world: &World) -> SqliteDatabase {
    let config = SqliteConfig::new(world.path("ringwall.sqlite"));
    SqliteDatabase::open(config).await.expect("it opens")
}

/// As the service would judge the key.
pub(crate) async fn judged(world: &World, key: &str) -> Result<Principal, ApiKeyErrorKind> {
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

pub(crate) fn id_of(key: &str) -> String {
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
        (1, 3),
        "{status:?}"
    );
    assert_eq!(
        world
            .run(&["migrate", "--dry-run"])
            .done()
            .stdout
            .lines()
            .count(),
        3
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
