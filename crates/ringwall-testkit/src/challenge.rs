//! The challenge of a refusal, read back.

/// A `WWW-Authenticate: Bearer` challenge (RFC 6750 §3, RFC 9470 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BearerChallenge {
    /// The realm.
    pub realm: Option<String>,
    /// What went wrong, such as `invalid_token`.
    pub error: Option<String>,
    /// The scopes that are needed.
    pub scope: Vec<String>,
    /// The authentication context classes that would do.
    pub acr_values: Vec<String>,
    /// How long ago the login may be, in seconds.
    pub max_age: Option<u64>,
    /// Where the metadata of the protected resource is (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
}

impl BearerChallenge {
    /// Reads one challenge whose every parameter is quoted, as Ringwall writes them. `None` for anything
    /// else: a challenge that is read generously proves nothing.
    pub(crate) fn read(value: &str) -> Option<Self> {
        let mut challenge = Self::default();
        let mut rest = value.strip_prefix("Bearer ")?;
        loop {
            let (name, after) = rest.split_once("=\"")?;
            let (text, after) = after.split_once('"')?;
            challenge.set(name, text)?;
            match after.strip_prefix(", ") {
                Some(next) => rest = next,
                None => return after.is_empty().then_some(challenge),
            }
        }
    }

    /// `None` for a parameter that is unknown or there twice.
    fn set(&mut self, name: &str, text: &str) -> Option<()> {
        let words = || text.split(' ').map(str::to_owned).collect();
        let once =
            |slot: &mut Option<String>| slot.replace(text.to_owned()).is_none().then_some(());
        let list = |slot: &mut Vec<String>| {
            let is_first = slot.is_empty();
            *slot = words();
            is_first.then_some(())
        };
        match name {
            "realm" => once(&mut self.realm),
            "error" => once(&mut self.error),
            "scope" => list(&mut self.scope),
            "acr_values" => list(&mut self.acr_values),
            "max_age" => {
                let is_first = self.max_age.is_none();
                self.max_age = Some(text.parse().ok()?);
                is_first.then_some(())
            }
            "resource_metadata" => once(&mut self.resource_metadata),
            _ => None,
        }
    }

    /// Whether the challenge says this error.
    pub(crate) fn is_error(&self, error: &str) -> bool {
        self.error.as_deref() == Some(error)
    }

    pub(crate) fn names_scope(&self, scope: &str) -> bool {
        self.scope.iter().any(|named| named == scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_core_writes() {
        use core::time::Duration;
        use ringwall_core::denial::{BearerError, Challenge};
        let written = Challenge::new("a realm")
            .error(BearerError::InsufficientUserAuthentication)
            .scope("a b")
            .acr_values("gold silver")
            .max_age(Duration::from_secs(300))
            .resource_metadata("https://api.test/.well-known/oauth-protected-resource");
        let read = BearerChallenge::read(&written.to_string()).unwrap();
        assert_eq!(read.realm.as_deref(), Some("a realm"));
        assert!(read.is_error("insufficient_user_authentication"));
        assert_eq!(read.scope, ["a", "b"]);
        assert_eq!(read.acr_values, ["gold", "silver"]);
        assert_eq!(read.max_age, Some(300));
        assert!(
            read.resource_metadata
                .unwrap()
                .starts_with("https://api.test/")
        );
    }

    #[test]
    fn reads_nothing_generously() {
        for text in [
            "",
            "Bearer",
            "Bearer ",
            "Basic realm=\"a\"",
            "Bearer realm=a",
            "Bearer realm=\"a",
            "Bearer realm=\"a\",error=\"b\"",
            "Bearer realm=\"a\", realm=\"b\"",
            "Bearer scope=\"a\", scope=\"b\"",
            "Bearer max_age=\"soon\"",
            "Bearer other=\"a\"",
            "Bearer realm=\"a\"; error=\"b\"",
        ] {
            assert_eq!(BearerChallenge::read(text), None, "{text}");
        }
    }
}
