//! A key as the columns of a table keep it, for whoever writes a store.

use core::fmt;
use core::str::FromStr;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, ProjectId, Scope, Subject, Tenant};

use super::digest::SecretDigest;
use super::id::ApiKeyId;
use super::record::{ApiKeyName, ApiKeyRecord, Replaced};

/// An [`ApiKeyRecord`] in plain values, one for each column of a table, so that all stores write the same
/// and nobody forgets to check what is read back.
///
/// Times are microseconds since the Unix epoch. Lists are JSON arrays of texts, in their order.
///
/// ```
/// # fn example(record: &ringwall_authn::api_key::ApiKeyRecord) -> Result<(), Box<dyn std::error::Error>> {
/// use ringwall_authn::api_key::{ApiKeyRecord, StoredApiKey};
///
/// let row = StoredApiKey::from(record);
/// let back = ApiKeyRecord::try_from(row)?;
/// assert_eq!(back, *record);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StoredApiKey {
    /// The look-up id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The organisation.
    pub org: String,
    /// The project.
    pub project: Option<String>,
    /// The scopes, as a JSON array.
    pub scopes: String,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: i64,
    /// From when on it is refused.
    pub expires_at: Option<i64>,
    /// The networks, as a JSON array.
    pub networks: String,
    /// The origins, as a JSON array.
    pub origins: String,
    /// The text of the digest, which `Debug` does not show.
    pub digest: String,
    /// When it was used last.
    pub last_used_at: Option<i64>,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
    /// The id of its successor; with it, `grace_ends_at` is there, and without it, not.
    pub replaced_by: Option<String>,
    /// From when on it is refused because of its successor.
    pub grace_ends_at: Option<i64>,
}

/// A stored key cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the column {column} of a stored API key holds something that was never written")]
pub struct UnreadableApiKey {
    /// The column, such as `networks`.
    pub column: &'static str,
}

impl From<&ApiKeyRecord> for StoredApiKey {
    fn from(record: &ApiKeyRecord) -> Self {
        let micros = |time: Option<Timestamp>| time.map(Timestamp::unix_micros);
        let replaced = record.replaced.as_ref();
        Self {
            id: record.id.as_str().to_owned(),
            name: record.name.as_str().to_owned(),
            org: record.tenant.org.as_str().to_owned(),
            project: record
                .tenant
                .project
                .as_ref()
                .map(|project| project.as_str().to_owned()),
            scopes: list(&record.scopes),
            created_by: record.created_by.as_str().to_owned(),
            created_at: record.created_at.unix_micros(),
            expires_at: micros(record.expires_at),
            networks: list(&record.networks),
            origins: list(&record.origins),
            digest: record.digest.to_stored(),
            last_used_at: micros(record.last_used_at),
            revoked_at: micros(record.revoked_at),
            replaced_by: replaced.map(|replaced| replaced.by.as_str().to_owned()),
            grace_ends_at: micros(replaced.map(|replaced| replaced.grace_ends_at)),
        }
    }
}

impl TryFrom<StoredApiKey> for ApiKeyRecord {
    type Error = UnreadableApiKey;

    fn try_from(row: StoredApiKey) -> Result<Self, UnreadableApiKey> {
        let time = |micros: Option<i64>| micros.map(Timestamp::from_unix_micros);
        let replaced = match (row.replaced_by, row.grace_ends_at) {
            (None, None) => None,
            (Some(by), Some(grace_ends_at)) => Some(Replaced {
                by: column("replaced_by", ApiKeyId::new(&by))?,
                grace_ends_at: Timestamp::from_unix_micros(grace_ends_at),
            }),
            // Half of a successor: whether the key still counts cannot be told.
            (Some(_), None) | (None, Some(_)) => return Err(unreadable("replaced_by")),
        };
        Ok(Self {
            id: column("id", ApiKeyId::new(&row.id))?,
            name: column("name", ApiKeyName::new(&row.name))?,
            tenant: Tenant {
                org: column("org", OrgId::new(row.org))?,
                project: row
                    .project
                    .map(|project| column("project", ProjectId::new(project)))
                    .transpose()?,
            },
            scopes: entries("scopes", &row.scopes, |text| Scope::new(text).ok())?,
            created_by: column("created_by", Subject::new(row.created_by))?,
            created_at: Timestamp::from_unix_micros(row.created_at),
            expires_at: time(row.expires_at),
            networks: entries("networks", &row.networks, parse)?,
            origins: entries("origins", &row.origins, parse)?,
            digest: column("digest", SecretDigest::from_str(&row.digest))?,
            last_used_at: time(row.last_used_at),
            revoked_at: time(row.revoked_at),
            replaced,
        })
    }
}

const fn unreadable(column: &'static str) -> UnreadableApiKey {
    UnreadableApiKey { column }
}

/// The cause is left out: it may repeat what is stored.
fn column<T, E>(name: &'static str, parsed: Result<T, E>) -> Result<T, UnreadableApiKey> {
    parsed.map_err(|_| unreadable(name))
}

/// A JSON array. Nothing in it can fail to be written: they are texts.
fn list(entries: &[impl fmt::Display]) -> String {
    let texts = entries.iter().map(ToString::to_string);
    serde_json::Value::from_iter(texts).to_string()
}

fn entries<T>(
    name: &'static str,
    stored: &str,
    parse: impl Fn(String) -> Option<T>,
) -> Result<Vec<T>, UnreadableApiKey> {
    let texts: Vec<String> = column(name, serde_json::from_str(stored))?;
    texts
        .into_iter()
        .map(|text| parse(text).ok_or(unreadable(name)))
        .collect()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape of the other parsers"
)]
fn parse<T: FromStr>(text: String) -> Option<T> {
    text.parse().ok()
}

impl fmt::Debug for StoredApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredApiKey")
            .field("id", &self.id)
            .field("org", &self.org)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::SecretHasher;

    fn record() -> ApiKeyRecord {
        let id = |text: &str| ApiKeyId::new(text).unwrap();
        let at = Timestamp::from_unix_micros;
        ApiKeyRecord {
            id: id("0123456789abcdef"),
            name: ApiKeyName::new("a \"name\"").unwrap(),
            tenant: Tenant {
                org: OrgId::new("acme").unwrap(),
                project: Some(ProjectId::new("p").unwrap()),
            },
            scopes: vec![Scope::new("b").unwrap(), Scope::new("a,[").unwrap()],
            created_by: Subject::new("alice").unwrap(),
            created_at: at(-1),
            expires_at: Some(at(i64::MAX)),
            networks: vec!["192.0.2.0/24".parse().unwrap(), "::1".parse().unwrap()],
            origins: vec!["https://*.example.com".parse().unwrap()],
            digest: SecretHasher::sha256().hash(b"secret"),
            last_used_at: Some(at(3)),
            revoked_at: Some(at(4)),
            replaced: Some(Replaced {
                by: id("fedcba9876543210"),
                grace_ends_at: at(5),
            }),
        }
    }

    #[test]
    fn gives_back_what_it_was_made_from() {
        let full = record();
        let bare = ApiKeyRecord {
            scopes: Vec::new(),
            networks: Vec::new(),
            origins: Vec::new(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            replaced: None,
            tenant: Tenant {
                project: None,
                ..full.tenant.clone()
            },
            ..full.clone()
        };
        for record in [full, bare] {
            let row = StoredApiKey::from(&record);
            assert_eq!(ApiKeyRecord::try_from(row).unwrap(), record);
        }
    }

    #[test]
    fn refuses_a_row_of_which_any_column_is_unreadable() {
        type Damage = fn(&mut StoredApiKey);
        let cases: [(&str, Damage); 15] = [
            ("id", |row| row.id.push('x')),
            ("name", |row| row.name.clear()),
            ("org", |row| row.org.push(' ')),
            ("project", |row| row.project = Some(String::new())),
            ("scopes", |row| row.scopes = "[\"a b\"]".into()),
            ("scopes", |row| row.scopes = "null".into()),
            ("scopes", |row| row.scopes = String::new()),
            ("created_by", |row| row.created_by.push('\n')),
            ("networks", |row| row.networks = "[\"10.0.0.1/8\"]".into()),
            ("networks", |row| row.networks = "[null]".into()),
            ("networks", |row| row.networks.push(']')),
            ("origins", |row| row.origins = "[\"*\"]".into()),
            ("digest", |row| row.digest = row.digest.to_uppercase()),
            ("replaced_by", |row| row.grace_ends_at = None),
            ("replaced_by", |row| row.replaced_by = None),
        ];
        for (column, damage) in cases {
            let mut row = StoredApiKey::from(&record());
            damage(&mut row);
            let refused = ApiKeyRecord::try_from(row).unwrap_err();
            assert_eq!(refused.column, column);
        }
    }

    #[test]
    fn never_shows_the_digest() {
        let row = StoredApiKey::from(&record());
        let digits = row.digest.split(':').next_back().unwrap();
        assert!(!format!("{row:?}").contains(digits));
        let damaged = StoredApiKey {
            digest: format!("{}0", row.digest),
            ..row.clone()
        };
        let refused = ApiKeyRecord::try_from(damaged).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains(digits));
    }
}
