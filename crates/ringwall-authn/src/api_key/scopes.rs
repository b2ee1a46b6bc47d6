//! Which scopes there are.

use ringwall_core::principal::Scope;

use super::error::ApiKeyManagementError;
use super::record::MAX_API_KEY_ENTRIES;

/// The scopes that keys of this service can have.
///
/// `agent:*` in a request for a key stands for every scope of the catalogue that begins with `agent:`,
/// and `*` alone for none: nobody should have a key to everything by one character. It is written out
/// when the key is made, so that a scope that the service gets next year is not granted today. What is
/// stored and compared holds no wildcard.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopeCatalogue(Option<Vec<Scope>>);

impl ScopeCatalogue {
    pub(crate) fn new(scopes: Vec<Scope>) -> Self {
        Self(Some(scopes))
    }

    /// The scopes that a request means, in the order of the request, each once.
    pub(crate) fn expand(&self, requested: &[Scope]) -> Result<Vec<Scope>, ApiKeyManagementError> {
        let mut granted: Vec<Scope> = Vec::new();
        for scope in requested {
            let before = granted.len();
            match scope.as_str().strip_suffix(":*") {
                Some(family) => self.add_family(family, &mut granted),
                None if scope.as_str().contains('*') => {
                    return Err(ApiKeyManagementError::Refused(
                        "a wildcard stands for the scopes of one family, such as agent:*",
                    ));
                }
                None => {
                    let known = self.0.as_ref().is_none_or(|known| known.contains(scope));
                    if known && !granted.contains(scope) {
                        granted.push(scope.clone());
                    } else if known {
                        continue;
                    }
                }
            }
            if granted.len() == before && !covers(scope, &granted) {
                return Err(ApiKeyManagementError::Refused(
                    "a scope is not one of those that keys can have",
                ));
            }
            // Within the loop: each scope is looked for among those before it.
            if granted.len() > MAX_API_KEY_ENTRIES {
                return Err(ApiKeyManagementError::Refused(
                    "a key has at most 64 scopes",
                ));
            }
        }
        Ok(granted)
    }

    fn add_family(&self, family: &str, granted: &mut Vec<Scope>) {
        let is_of_family = |scope: &&Scope| {
            let rest = scope.as_str().strip_prefix(family);
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        for scope in self.0.iter().flatten().filter(is_of_family) {
            if !granted.contains(scope) {
                granted.push(scope.clone());
            }
        }
    }
}

/// Whether a family was granted already, scope by scope.
fn covers(requested: &Scope, granted: &[Scope]) -> bool {
    requested.as_str().strip_suffix('*').is_some_and(|family| {
        granted
            .iter()
            .any(|scope| scope.as_str().starts_with(family))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Vec<Scope> {
        texts
            .iter()
            .map(|text| Scope::new(*text).unwrap())
            .collect()
    }

    fn catalogue() -> ScopeCatalogue {
        ScopeCatalogue::new(scopes(&[
            "chat:read",
            "chat:write",
            "agent:read",
            "agent:write",
            "agentic:x",
        ]))
    }

    #[test]
    fn a_wildcard_is_written_out() {
        let granted = catalogue().expand(&scopes(&[
            "agent:read",
            "agent:*",
            "agent:*",
            "chat:read",
            "chat:read",
        ]));
        assert_eq!(
            granted.unwrap(),
            scopes(&["agent:read", "agent:write", "chat:read"])
        );
        assert!(catalogue().expand(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_in_the_catalogue_cannot_be_had() {
        for text in [
            "admin",
            "chat:delete",
            "*",
            "chat*",
            "*:read",
            "runs:*",
            ":*",
            "chat:*:*",
            "agent:",
        ] {
            assert!(catalogue().expand(&scopes(&[text])).is_err(), "{text}");
        }
    }

    #[test]
    fn without_a_catalogue_every_scope_can_be_had_and_no_wildcard() {
        let open = ScopeCatalogue::default();
        assert_eq!(
            open.expand(&scopes(&["x", "y"])).unwrap(),
            scopes(&["x", "y"])
        );
        for text in ["agent:*", "*", "agent*"] {
            assert!(open.expand(&scopes(&[text])).is_err(), "{text}");
        }
        let many: Vec<Scope> = (0..65)
            .map(|n| Scope::new(format!("s{n}")).unwrap())
            .collect();
        assert!(open.expand(&many).is_err());
    }
}
