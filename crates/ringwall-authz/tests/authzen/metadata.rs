//! Where the decision point is.

use std::sync::Arc;

use ringwall_authz::CredentialSubjects;
use ringwall_authz::authzen::{Evaluator, PdpMetadata};
use serde_json::Value;

use crate::world::{evaluator, handle};

#[tokio::test]
async fn names_what_the_specification_names_at_the_same_places() {
    let file: Value =
        serde_json::from_str(include_str!("../vectors/authzen/metadata.json")).expect("a file");
    let example = &file["examples"][0]["document"];
    let identifier = example["policy_decision_point"].as_str().expect("a text");
    let metadata = PdpMetadata::new(identifier, &evaluator().await).expect("metadata");
    assert_eq!(metadata.path(), "/.well-known/authzen-configuration");
    let metadata = serde_json::to_value(&metadata).expect("it is written");
    for (key, value) in example.as_object().expect("an object") {
        assert_eq!(metadata.get(key), Some(value), "{key}");
    }
    let own = "https://pdp.example.com/access/v1/";
    assert_eq!(
        metadata["access_evaluations_endpoint"],
        format!("{own}evaluations")
    );
    assert_eq!(
        metadata["search_action_endpoint"],
        format!("{own}search/action")
    );
    assert_eq!(metadata.as_object().map(serde_json::Map::len), Some(6));
}

#[test]
fn names_no_search_that_is_not_offered() {
    let evaluator = Evaluator::new(handle(), Arc::new(CredentialSubjects::scopes()));
    let metadata = PdpMetadata::new("https://pdp.example.com/tenant1/", &evaluator);
    let metadata = metadata.expect("metadata");
    assert_eq!(
        metadata.path(),
        "/.well-known/authzen-configuration/tenant1"
    );
    let metadata = serde_json::to_value(&metadata).expect("it is written");
    assert_eq!(
        metadata["policy_decision_point"],
        "https://pdp.example.com/tenant1/"
    );
    assert_eq!(
        metadata["access_evaluation_endpoint"],
        "https://pdp.example.com/tenant1/access/v1/evaluation"
    );
    assert!(metadata.get("search_subject_endpoint").is_none());
    assert!(metadata.get("search_resource_endpoint").is_none());
}

#[test]
fn refuses_what_is_no_identifier() {
    let evaluator = Evaluator::new(handle(), Arc::new(CredentialSubjects::scopes()));
    for wrong in [
        "",
        "pdp.example.com",
        "http://pdp.example.com",
        "https://",
        "https:///access",
        "https://pdp.example.com?x",
        "https://pdp.example.com#x",
        "https://user@pdp.example.com",
        "https://pdp.example.com/{org}",
        "https://pdp.example.com/*rest",
        "https://pdp.example.com//x",
        "https://pdp.example.com/../x",
        "https://pdp.example.com/%2e%2e",
        "https://pdp.example.com/\"",
        "https://pdp.example.com/ä",
        &format!("https://pdp.example.com/{}", "x".repeat(1024)),
    ] {
        assert!(PdpMetadata::new(wrong, &evaluator).is_err(), "{wrong}");
    }
}
