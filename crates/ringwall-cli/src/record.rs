//! A key as it is shown: everything but the hash.

use ringwall_authn::api_key::ApiKeyRecord;
use ringwall_core::clock::Timestamp;
use serde_json::{Value, json};

/// For machines. The fields are stable.
pub(crate) fn json(record: &ApiKeyRecord, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let texts = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>();
    json!({
        "id": record.id.as_str(),
        "name": record.name.as_str(),
        "org": record.tenant.org.as_str(),
        "project": record.tenant.project.as_ref().map(|project| project.as_str()),
        "state": record.state(now).as_str(),
        "scopes": texts(&mut record.scopes.iter().map(ToString::to_string)),
        "created_by": record.created_by.as_str(),
        "created_at": record.created_at.to_string(),
        "expires_at": time(record.expires_at),
        "networks": texts(&mut record.networks.iter().map(ToString::to_string)),
        "origins": texts(&mut record.origins.iter().map(ToString::to_string)),
        "pepper_id": record.digest.pepper().map(|pepper| pepper.as_str()),
        "last_used_at": time(record.last_used_at),
        "revoked_at": time(record.revoked_at),
        "replaced_by": record.replaced.as_ref().map(|replaced| replaced.by.as_str()),
        "grace_ends_at": time(record.replaced.as_ref().map(|replaced| replaced.grace_ends_at)),
    })
}

/// The columns of [`text`].
pub(crate) const COLUMNS: &str = "ID\tSTATE\tPROJECT\tENDS\tLAST USED\tCREATED BY\tSCOPES\tNAME";

/// For people: columns with a tab between them, which no name can hold. What is absent is a hyphen.
pub(crate) fn text(record: &ApiKeyRecord, now: Timestamp) -> String {
    let time =
        |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let scopes: Vec<&str> = record.scopes.iter().map(|scope| scope.as_str()).collect();
    let columns = [
        record.id.as_str(),
        record.state(now).as_str(),
        record
            .tenant
            .project
            .as_ref()
            .map_or("-", |project| project.as_str()),
        &time(record.ends_at()),
        &time(record.last_used_at),
        record.created_by.as_str(),
        &if scopes.is_empty() {
            "-".to_owned()
        } else {
            scopes.join(" ")
        },
        record.name.as_str(),
    ];
    columns.join("\t")
}
