//! A revocation as the columns of a table keep it, for whoever writes a store.

use ringwall_core::clock::Timestamp;

use super::kind::{Revocation, Revoked};

/// A [`Revocation`] in plain values, one for each column of a table, so that all stores write the same and
/// nobody forgets to check what is read back.
///
/// | `kind` | `issuer` | `name` | `issued_until` |
/// |---|---|---|---|
/// | `token` | `iss` | `jti` | none |
/// | `subject` | `iss` | `sub` | there |
/// | `signing_key` | `iss` | `kid` | none |
/// | `org` | none | the organisation | there |
///
/// Times are microseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRevocation {
    /// What kind of thing is taken back.
    pub kind: String,
    /// Whose name it is.
    pub issuer: Option<String>,
    /// The name.
    pub name: String,
    /// `iat` of the last token that is concerned.
    pub issued_until: Option<i64>,
    /// When the longest-lived token that is concerned ends.
    pub last_expiry: i64,
}

/// A stored revocation cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored revocation holds something that was never written")]
pub struct UnreadableRevocation;

const TOKEN: &str = "token";
const SUBJECT: &str = "subject";
const SIGNING_KEY: &str = "signing_key";
const ORG: &str = "org";

impl From<&Revocation> for StoredRevocation {
    fn from(revocation: &Revocation) -> Self {
        let (kind, issuer, name, issued_until) = match revocation.revoked() {
            Revoked::Token { issuer, token_id } => (TOKEN, Some(issuer), token_id, None),
            Revoked::Subject {
                issuer,
                subject,
                issued_until,
            } => (SUBJECT, Some(issuer), subject, Some(*issued_until)),
            Revoked::SigningKey { issuer, key_id } => (SIGNING_KEY, Some(issuer), key_id, None),
            Revoked::Org { org, issued_until } => (ORG, None, org, Some(*issued_until)),
        };
        Self {
            kind: kind.to_owned(),
            issuer: issuer.map(|issuer| issuer.to_string()),
            name: name.to_string(),
            issued_until: issued_until.map(Timestamp::unix_micros),
            last_expiry: revocation.last_expiry().unix_micros(),
        }
    }
}

impl TryFrom<StoredRevocation> for Revocation {
    type Error = UnreadableRevocation;

    fn try_from(row: StoredRevocation) -> Result<Self, UnreadableRevocation> {
        let name = row.name.into_boxed_str();
        let issuer = row.issuer.map(String::into_boxed_str);
        let until = row.issued_until.map(Timestamp::from_unix_micros);
        let revoked = match (row.kind.as_str(), issuer, until) {
            (TOKEN, Some(issuer), None) => Revoked::Token {
                issuer,
                token_id: name,
            },
            (SUBJECT, Some(issuer), Some(issued_until)) => Revoked::Subject {
                issuer,
                subject: name,
                issued_until,
            },
            (SIGNING_KEY, Some(issuer), None) => Revoked::SigningKey {
                issuer,
                key_id: name,
            },
            (ORG, None, Some(issued_until)) => Revoked::Org {
                org: name,
                issued_until,
            },
            _ => return Err(UnreadableRevocation),
        };
        let last_expiry = Timestamp::from_unix_micros(row.last_expiry);
        Self::new(revoked, last_expiry).map_err(|_| UnreadableRevocation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Revocation; 4] {
        let at = Timestamp::from_unix_micros;
        [
            Revoked::Token {
                issuer: "i".into(),
                token_id: "t".into(),
            },
            Revoked::Subject {
                issuer: "i".into(),
                subject: "s".into(),
                issued_until: at(-1),
            },
            Revoked::SigningKey {
                issuer: "i".into(),
                key_id: "k".into(),
            },
            Revoked::Org {
                org: "o".into(),
                issued_until: at(7),
            },
        ]
        .map(|one| Revocation::new(one, at(9)).unwrap())
    }

    #[test]
    fn gives_back_what_it_was_made_from() {
        for one in all() {
            let row = StoredRevocation::from(&one);
            assert_eq!(Revocation::try_from(row), Ok(one));
        }
    }

    #[test]
    fn refuses_a_row_that_was_never_written() {
        let flip = |value: Option<i64>| match value {
            Some(_) => None,
            None => Some(1),
        };
        for one in all() {
            let row = StoredRevocation::from(&one);
            let issuer = match &row.issuer {
                Some(_) => None,
                None => Some("i".to_owned()),
            };
            for damaged in [
                StoredRevocation {
                    kind: "Token".into(),
                    ..row.clone()
                },
                StoredRevocation {
                    issuer,
                    ..row.clone()
                },
                StoredRevocation {
                    name: String::new(),
                    ..row.clone()
                },
                StoredRevocation {
                    issued_until: flip(row.issued_until),
                    ..row.clone()
                },
            ] {
                assert_eq!(
                    Revocation::try_from(damaged.clone()),
                    Err(UnreadableRevocation),
                    "{damaged:?}"
                );
            }
        }
    }
}
