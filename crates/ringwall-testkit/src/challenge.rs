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

/// One challenge, of either scheme.
#[derive(Default)]
struct Challenge<'a> {
    said: BearerChallenge,
    /// The algorithms of proofs (RFC 9449 §7.1).
    algorithms: Option<&'a str>,
}

impl BearerChallenge {
    /// Reads the `Bearer` challenge of the lines of one answer, beside a `DPoP` one in the same line or in
    /// another (RFC 9110 §11.6.1), as Ringwall writes them: each scheme once, every parameter quoted. `None` for
    /// anything else, also in the challenge beside it: a challenge that is read generously proves nothing.
    pub(crate) fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut bearer = None;
        let mut dpop = None;
        for line in lines {
            let mut rest = line;
            loop {
                let (slot, parameters) = match rest.split_once(' ')? {
                    ("Bearer", parameters) => (&mut bearer, parameters),
                    ("DPoP", parameters) => (&mut dpop, parameters),
                    (_, _) => return None,
                };
                let (challenge, next) = Self::read_one(parameters)?;
                if slot.replace(challenge).is_some() {
                    return None;
                }
                match next {
                    Some(next) => rest = next,
                    None => break,
                }
            }
        }
        // What only proofs have, a bearer token does not.
        let has_algorithms = |challenge: &Challenge<'_>| challenge.algorithms.is_some();
        let Challenge { said, .. } = bearer.filter(|bearer| !has_algorithms(bearer))?;
        Some(said)
    }

    /// The parameters of one challenge, and the challenge after it.
    fn read_one(parameters: &str) -> Option<(Challenge<'_>, Option<&str>)> {
        let mut challenge = Challenge::default();
        let mut rest = parameters;
        loop {
            let (name, after) = rest.split_once("=\"")?;
            let (text, after) = after.split_once('"')?;
            match name {
                "algs" => {
                    let is_first = challenge.algorithms.replace(text).is_none();
                    is_first.then_some(())?;
                }
                _ => challenge.said.set(name, text)?,
            }
            if after.is_empty() {
                return Some((challenge, None));
            }
            rest = after.strip_prefix(", ")?;
            // The name of a parameter has no space in it, and the name of a scheme is followed by one.
            let end = rest.find([' ', '='])?;
            if rest.get(end..)?.starts_with(' ') {
                return Some((challenge, Some(rest)));
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
        let read = BearerChallenge::read([&*written.to_string()]).unwrap();
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
    fn reads_the_bearer_challenge_beside_that_of_proofs() {
        use ringwall_core::denial::{BearerError, Challenge, ChallengeScheme};
        let both = Challenge::new("a realm").dpop("ES256 EdDSA", false);
        let error = both.clone().error(BearerError::InvalidToken).scope("a b");
        for (written, is_error) in [
            (both, false),
            (error.clone(), true),
            // What went wrong is said in the challenge of the scheme that was used.
            (error.scheme(ChallengeScheme::Dpop), false),
        ] {
            let line = written.to_string();
            assert!(line.contains("Bearer ") && line.contains("DPoP "), "{line}");
            let read = BearerChallenge::read([&*line]).unwrap();
            assert_eq!(read.realm.as_deref(), Some("a realm"), "{line}");
            assert_eq!(read.is_error("invalid_token"), is_error, "{line}");
            assert_eq!(read.scope.len(), if is_error { 2 } else { 0 }, "{line}");
        }
        let alone = Challenge::new("a realm").dpop("ES256", true).to_string();
        assert_eq!(BearerChallenge::read([&*alone]), None);
    }

    #[test]
    fn reads_the_challenges_of_several_lines_and_each_scheme_once() {
        let bearer = "Bearer realm=\"a\", error=\"invalid_token\"";
        let dpop = "DPoP realm=\"a\", algs=\"ES256\"";
        for lines in [&[bearer, dpop][..], &[dpop, bearer], &[bearer]] {
            let read = BearerChallenge::read(lines.iter().copied()).unwrap();
            assert!(read.is_error("invalid_token"), "{lines:?}");
        }
        let both = format!("{bearer}, {dpop}");
        for lines in [
            &[][..],
            &[dpop],
            &[bearer, bearer],
            &[bearer, dpop, dpop],
            &[&both, dpop],
            &[&both, bearer],
            &[bearer, ""],
            &[bearer, "Basic realm=\"a\""],
        ] {
            let read = BearerChallenge::read(lines.iter().copied());
            assert_eq!(read, None, "{lines:?}");
        }
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
            "Bearer realm=\"a\", algs=\"ES256\"",
            "Bearer realm=\"a\", Bearer realm=\"b\"",
            "Bearer realm=\"a\", Basic realm=\"b\"",
            "Bearer realm=\"a\", DPoP",
            "Bearer realm=\"a\", DPoP ",
            "Bearer realm=\"a\", DPoP realm=b",
            "Bearer realm=\"a\", DPoP realm=\"b\", DPoP realm=\"c\"",
            "Bearer realm=\"a\", DPoP algs=\"ES256\", algs=\"EdDSA\"",
            "Bearer realm=\"a\",DPoP realm=\"b\"",
            "Bearer realm=\"a\", , DPoP realm=\"b\"",
            "DPoP realm=\"a\", algs=\"ES256\"",
            "DPoP realm=\"a\", other=\"b\", Bearer realm=\"a\"",
            "DPoP realm=\"a\", Bearer",
        ] {
            assert_eq!(BearerChallenge::read([text]), None, "{text}");
        }
    }
}
