//! Whether an answer is the one that must come, and what is said when it is not.

use core::panic::Location;

use crate::answer::{Answer, Class};
use crate::app::Transport;
use crate::kit::Part;
use crate::report::Report;
use crate::request::TestRequest;

impl<T: Transport> TestRequest<'_, T> {
    /// Fails the test with what is wrong, unless it `holds`.
    pub(crate) fn expect(
        &self,
        holds: bool,
        wrong: Wrong<'_>,
        expected: &str,
        answer: &Answer,
        asked_at: &'static Location<'static>,
    ) {
        if !holds {
            Report {
                headline: format!("{} {}", self.line(), wrong.in_words(answer)),
                asked_at: Some(asked_at),
                expected: expected.to_owned(),
                answer,
                hint: hint(answer),
            }
            .fail();
        }
    }
}

/// What an answer got wrong.
pub(crate) enum Wrong<'a> {
    /// Somebody who is good was refused, or the handler failed.
    NotLetIn,
    /// Somebody was not refused, or not as they must be.
    NotRefused(&'static str),
    /// Likewise, whoever lacks these scopes.
    Scope(&'a str),
    /// Likewise, whoever has no such role.
    Role(&'a str),
    /// Credentials were looked at.
    Looked,
    /// It did not fail closed.
    While(Part),
}

impl Wrong<'_> {
    fn in_words(&self, answer: &Answer) -> String {
        let verb = if answer.is_let_in() {
            "lets in"
        } else {
            "does not refuse as it must"
        };
        match self {
            Self::NotLetIn if matches!(answer.class(), Class::NotFound | Class::NoSuchMethod) => {
                "is not found".to_owned()
            }
            Self::NotLetIn if answer.class() == Class::Failed => "fails".to_owned(),
            Self::NotLetIn => "does not let in whom it must".to_owned(),
            Self::NotRefused(who) => format!("{verb} a caller who {who}"),
            Self::Scope(scopes) => format!("{verb} a caller without the scope {scopes}"),
            Self::Role(role) => format!("{verb} a caller without the role {role}"),
            Self::Looked => "does not serve everybody alike".to_owned(),
            Self::While(part) => format!("does not fail closed without {}", part.as_str()),
        }
    }
}

/// What may be the matter, judged by what the kit saw.
fn hint(answer: &Answer) -> Option<String> {
    let seen = answer.seen();
    let challenge = answer.challenge();
    let is_error = |error| {
        challenge
            .as_ref()
            .is_some_and(|challenge| challenge.is_error(error))
    };
    let hint = if seen.events.is_empty() && seen.records.is_empty() {
        "the request met no gate of this kit: build the application with `kit.gate()`, and the route with \
         the adapter's router"
            .to_owned()
    } else if is_error("insufficient_user_authentication") {
        "the route demands something of the login: give the request a caller who has it, such as \
         `.with(kit.token(…).acr(…).logged_in_ago(…))`"
            .to_owned()
    } else if seen.has_cause("the caller acts in no tenant") {
        "the handler needs a tenant: say `.in_org(…)`".to_owned()
    } else if is_error("insufficient_scope") {
        let scopes = challenge
            .map(|challenge| challenge.scope.join(" "))
            .unwrap_or_default();
        format!("the route demands: {scopes}")
    } else if matches!(answer.class(), Class::NotFound | Class::NoSuchMethod) {
        "there is no such route, or nothing at this path: mind the method, the prefix, and a slash at the end"
            .to_owned()
    } else {
        return None;
    };
    Some(hint)
}
