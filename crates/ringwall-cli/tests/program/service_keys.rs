//! Keys that are made as the configuration of the service says.

use std::sync::Arc;

use ringwall_authn::api_key::ApiKeyUse;
use ringwall_core::request::HeaderValues;
use ringwall_gate::config::{ConfigSources, GateConfig, Services};
use ringwall_sqlite::SqliteApiKeys;

use crate::files::{CREATE, LIST, database, id_of, judged};
use crate::runner::World;

const SERVICE: &str = r#"
listen = "127.0.0.1:8080"
modes = ["api_key"]
[api_keys]
prefix = "cases"
pepper = { file = "secret" }
pepper_id = "2026-11"
scopes = ["runs:read", "runs:write"]
max_lifetime_seconds = 31536000
[limits]
workers = 3
"#;

fn world() -> World {
    let world = World::of_file().secret("the pepper of the service, which is long");
    world.write("secret", "the pepper of the service, which is long\n");
    world.write("gate.toml", SERVICE);
    world
}

/// As this very service would judge it.
async fn accepts(world: &World, key: &str) -> bool {
    let database = database(world).await;
    let store = SqliteApiKeys::open(&database).await.expect("migrated");
    let text = SERVICE.replace("\"secret\"", &format!("{:?}", world.path("secret")));
    let sources = ConfigSources::new()
        .text("gate.toml", text)
        .of_service(["listen", "limits"]);
    let config = GateConfig::load(sources).expect("good");
    let services = Services::new().api_key_store(Arc::new(store));
    let keys = config
        .into_builder(services)
        .expect("a gate")
        .api_keys
        .expect("keys");
    let usage = ApiKeyUse {
        address: None,
        origin: HeaderValues::Absent,
    };
    let verdict = keys.verify(key.as_bytes(), usage).await.is_ok();
    database.close().await;
    verdict
}

const CONFIG: &[&str] = &[
    "--config",
    "gate.toml",
    "--of-service",
    "listen",
    "--of-service",
    "limits",
];

#[tokio::test]
async fn a_key_that_is_made_with_the_services_configuration_verifies_in_the_service() {
    let world = world();
    let run = |words: &[&str]| {
        let mut all = words.to_vec();
        all.extend(CONFIG);
        world.run(&all)
    };
    let key = run(CREATE).done().line().to_owned();
    assert!(key.starts_with("cases_"), "{key}");
    assert!(accepts(&world, &key).await);
    assert!(
        judged(&world, &key).await.is_err(),
        "another pepper, another prefix"
    );
    assert_eq!(world.run(LIST).done().json()[0]["pepper_id"], "2026-11");
    // Rotated by the same, and what the service does not know is refused.
    let id = id_of(&key);
    let rotate = [
        "apikey",
        "rotate",
        &id,
        "--org",
        "acme",
        "--by",
        "bob",
        "--grace-seconds",
        "0",
    ];
    let newer = run(&rotate).done().line().to_owned();
    assert!(accepts(&world, &newer).await && !accepts(&world, &key).await);
    let create = |scope: &'static str, end: &[&'static str]| {
        let mut words = vec![
            "apikey", "create", "--org", "acme", "--name", "x", "--by", "alice", "--scope", scope,
        ];
        words.extend(end);
        run(&words)
    };
    assert!(
        create("runs:raed", &["--expires-in-days", "1"])
            .refused(1)
            .stderr
            .contains("not one of those")
    );
    // No key lives longer than the service lets keys live.
    create("runs:read", &["--never-expires"]).refused(1);
    create("runs:read", &["--expires-in-days", "400"]).refused(1);
    create("runs:*", &["--expires-in-days", "1"]).done();
}

#[tokio::test]
async fn variables_of_the_service_count_too() {
    let world = world()
        .variable("CASES__API_KEYS__PREFIX", "other")
        .variable("CASES__API_KEYS__PEPPER", crate::runner::PEPPER);
    let mut words = CREATE.to_vec();
    words.extend(CONFIG);
    words.extend(["--env-prefix", "CASES"]);
    let key = world.run(&words).done().line().to_owned();
    assert!(key.starts_with("other_"), "{key}");
}

#[test]
fn an_option_beside_the_configuration_is_refused() {
    let world = world();
    for more in [
        &["--pepper-file", "pepper"][..],
        &["--no-pepper"],
        &["--pepper-id", "1"],
        &["--key-prefix", "pak"],
        &["--known-scope", "runs:read"],
    ] {
        let mut words = CREATE.to_vec();
        words.extend(CONFIG);
        words.extend(more);
        let refused = world.run(&words).refused(2);
        assert!(
            refused.stderr.contains("do not go together"),
            "{more:?}: {refused:?}"
        );
    }
    // Nor beside a hash that has no name.
    let mut words = CREATE.to_vec();
    words.extend(["--no-pepper", "--pepper-id", "2"]);
    world.run(&words).refused(2);
    let mut words = CREATE.to_vec();
    words.extend(["--no-pepper", "--of-service", "listen"]);
    world.run(&words).refused(2);
    assert_eq!(world.run(LIST).done().stdout, "");
}

#[test]
fn a_configuration_that_cannot_be_used_makes_no_key() {
    let world = world().secret("hunter2");
    for (text, code, told) in [
        (
            "modes = [\"api_key\"]\n[api_keys]\npepper = \"hunter2\"\n",
            1,
            "api_keys.pepper (bad.toml:3)",
        ),
        (
            "modes = [\"jwt\"]\n[tokens]\nissuer = \"https://a.example\"\naudience = \"a\"\n",
            2,
            "takes no API keys",
        ),
        (SERVICE, 1, "listen (bad.toml:2): is unknown"),
    ] {
        world.write("bad.toml", text);
        let mut words = CREATE.to_vec();
        words.extend(["--config", "bad.toml"]);
        let refused = world.run(&words).refused(code);
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    assert_eq!(world.run(LIST).done().stdout, "");
}
