//! The section `authorization`: its files, and the gates that it makes.

use std::sync::Arc;

use ringwall_authn::MemoryRevocations;
use ringwall_authz::CredentialSubjects;
use ringwall_core::event::{EventKind, MemoryEvents};

use super::cases::AUTHORIZATION;
use super::*;
use crate::gate::Gate;
use crate::policy::{Access, RouteDemand, RoutePolicy};

const SERVICE: &str = r#"modes = ["jwt"]
revocations = "none"
[tokens]
issuer = "https://login.example.com"
audience = "https://api.example.com"
jwks_file = "{}/jwks.json"
[authorization]
policy_file = "{}/policy.toml"
"#;

fn built(config: GateConfig, services: Services) -> Gate {
    let assembled = config.into_builder(services);
    let assembled = assembled.unwrap_or_else(|faults| panic!("{faults}"));
    assembled.builder.without_audit().build().expect("a gate")
}

fn demanding(role: &str) -> RoutePolicy {
    let route = RoutePolicy::new("route", Access::Authenticated);
    let demand = RouteDemand::none().role(role);
    route.with_demand(demand).expect("it is closed")
}

#[tokio::test]
async fn a_gate_has_the_policy_of_the_file() {
    let folder = Folder::new();
    let config = folder.good(AUTHORIZATION);
    let revocations = Arc::new(MemoryRevocations::new(16));
    let gate = built(config, Services::new().revocations(revocations));
    assert_eq!(gate.check(&demanding("manager")), Ok(()));
    assert_eq!(
        gate.check(&demanding("reader")),
        Err(crate::Error::UnknownDemand)
    );
    let policy = gate.authorization().expect("there is one").policy().load();
    assert_eq!(
        policy.hash(),
        ringwall_authz::ready::rows().expect("a policy").hash()
    );
    let json = SERVICE.replace("policy.toml", "policy.json");
    let subjects = Arc::new(CredentialSubjects::scopes());
    let gate = built(folder.good(&json), Services::new().subjects(subjects));
    assert_eq!(gate.check(&demanding("reader")), Ok(()));
    // Without the section there is none.
    let gate = built(
        folder.good(&format!("revocations = \"none\"\n{JWT}")),
        Services::new(),
    );
    assert!(gate.authorization().is_none());
}

#[tokio::test]
async fn a_candidate_decides_beside_the_policy_and_its_events_go_where_the_others_go() {
    let folder = Folder::new();
    let text = format!("{SERVICE}candidate_file = \"{{}}/policy.json\"\n");
    let events = Arc::new(MemoryEvents::new(16));
    let services = Services::new()
        .subjects(Arc::new(CredentialSubjects::scopes()))
        .events(events.clone());
    let gate = built(folder.good(&text), services);
    let handle = gate.authorization().expect("there is one").policy();
    assert!(handle.has_candidate());
    handle
        .replace_toml("version = 1")
        .expect_err("it has no name");
    let kinds: Vec<EventKind> = events.snapshot().iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&EventKind::PolicyRefused), "{kinds:?}");
}

#[tokio::test]
async fn who_tells_of_callers_is_said_once() {
    let folder = Folder::new();
    let subjects = || Arc::new(CredentialSubjects::scopes());
    let credentials = format!("{SERVICE}subjects = \"credentials\"\n");
    let none = format!("revocations = \"none\"\n{JWT}");
    for (text, services, problem) in [
        (SERVICE, Services::new(), "it tells nothing of them"),
        (
            &credentials,
            Services::new().subjects(subjects()),
            "the service tells of them too",
        ),
        (
            &none,
            Services::new().subjects(subjects()),
            "there is no policy to ask",
        ),
    ] {
        let faults = match folder.good(text).into_builder(services) {
            Ok(_) => panic!("accepted:\n{text}"),
            Err(faults) => faults,
        };
        assert_eq!(fields_of(&faults), ["authorization.subjects"], "{faults}");
        assert!(faults.to_string().contains(problem), "{faults}");
    }
    // What the service's own says of scopes is not the configuration's.
    let text = format!("{SERVICE}credential_scopes = \"grant\"\n");
    folder.refuses(&text, &["authorization.credential_scopes"]);
}

#[test]
fn what_is_wrong_with_a_policy_is_told_with_its_line() {
    let folder = Folder::new();
    let policy = ringwall_authz::ready::ROWS
        .replace("roles = [\"admin\"]", "roles = [\"amdin\"]")
        .replace("\"resource.department\"]", "\"resource.departement\"]");
    folder.write("policy.toml", &policy);
    let lines: Vec<usize> = (1..)
        .zip(policy.lines())
        .filter(|(_, line)| line.contains("amdin") || line.contains("departement"))
        .map(|(number, _)| number)
        .collect();
    let faults = folder.load(SERVICE).expect_err("faults");
    let told: Vec<_> = faults
        .iter()
        .map(|fault| {
            assert_eq!(fault.field(), "authorization.policy_file");
            let SettingSource::File { name, line } = fault.source() else {
                panic!("{fault}");
            };
            assert!(name.ends_with("policy.toml"), "{name}");
            line.expect("a line")
        })
        .collect();
    assert_eq!(told, lines, "{faults}");
    assert!(faults.to_string().contains("amdin"), "{faults}");
    // Of the candidate likewise: a policy that is refused is none to try out.
    let text = SERVICE.replace("policy.toml", "policy.json");
    let text = format!("{text}candidate_file = \"{{}}/policy.toml\"\n");
    let faults = folder.load(&text).expect_err("faults");
    assert!(
        fields_of(&faults)
            .iter()
            .all(|field| *field == "authorization.candidate_file"),
        "{faults}"
    );
}

#[test]
fn a_section_without_a_policy_is_none() {
    let folder = Folder::new();
    let text = format!("{JWT}[authorization]\nsubjects = \"credentials\"\n");
    folder.refuses(&text, &["authorization.policy_file"]);
}

#[cfg(unix)]
#[test]
fn a_policy_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let path = folder.0.path().join("policy.toml");
    let everybody = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(&path, everybody).expect("permitted");
    let faults = folder.load(SERVICE).expect_err("faults");
    assert!(
        faults.to_string().contains("can be written by everybody"),
        "{faults}"
    );
}
