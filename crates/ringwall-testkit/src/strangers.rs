//! All the ways of having no good credential.

use core::panic::Location;

use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use ringwall_core::event::EventKind;

use crate::answer::{Answer, Class};
use crate::app::{Protocol, Transport};
use crate::failure::fail;
use crate::flaw::Flaw;
use crate::report::Report;
use crate::request::TestRequest;
use crate::token::TokenDraft;

/// One way.
pub(crate) struct Attempt {
    /// In words.
    about: String,
    fields: Vec<(HeaderName, HeaderValue)>,
    /// What is added to the path.
    query: Option<String>,
    refused: Refused,
}

/// How it must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// As whoever presents nothing: 401, and a challenge without an error (RFC 6750 §3.1).
    AsNobody,
    /// For this flaw: 401 `invalid_token`, and the event says why.
    For(Flaw),
    /// As presenting something that is no credential: 400 or 401.
    AsNonsense,
}

impl Attempt {
    fn new(about: &str, refused: Refused) -> Self {
        Self {
            about: about.to_owned(),
            fields: Vec::new(),
            query: None,
            refused,
        }
    }

    fn field(mut self, name: HeaderName, value: &str) -> Self {
        // What is written here are tokens and constants.
        if let Ok(value) = HeaderValue::try_from(value) {
            self.fields.push((name, value));
        }
        self
    }

    /// Whether it presents a credential that is looked at.
    pub(crate) fn presents(&self) -> bool {
        self.refused != Refused::AsNobody
    }

    fn is_refused(&self, answer: &Answer) -> bool {
        let is_challenged = |error: Option<&str>| {
            answer
                .challenge()
                .is_some_and(|challenge| challenge.error.as_deref() == error)
        };
        let seen = answer.seen();
        match self.refused {
            Refused::AsNobody => {
                let is_missing = |kind| kind == EventKind::CredentialsMissing;
                answer.class() == Class::Unauthenticated
                    && is_challenged(None)
                    && seen.events.iter().any(|event| is_missing(event.kind))
            }
            Refused::For(flaw) => {
                answer.class() == Class::Unauthenticated
                    && is_challenged(Some("invalid_token"))
                    && seen.has_cause(flaw.cause().as_str())
            }
            Refused::AsNonsense => {
                // A malformed credential is 400, and INVALID_ARGUMENT in gRPC.
                let is_malformed = match answer.protocol() {
                    Protocol::Http => answer.status() == 400,
                    Protocol::Grpc => answer.grpc_status() == Some(3),
                };
                (answer.class() == Class::Unauthenticated || is_malformed) && seen.is_refused()
            }
        }
    }

    fn expected(&self) -> String {
        match self.refused {
            Refused::AsNobody => {
                "401, a Bearer challenge without an error, and an event credentials_missing"
                    .to_owned()
            }
            Refused::For(flaw) => format!(
                "401 invalid_token, and an event that says: {}",
                flaw.cause().as_str()
            ),
            Refused::AsNonsense => "401 or 400, and an event".to_owned(),
        }
    }
}

/// Every way, for a caller who would be let in with `good`.
#[track_caller]
pub(crate) fn attempts(
    good: &TokenDraft,
    protocol: Protocol,
    is_from_elsewhere: bool,
) -> Vec<Attempt> {
    let token = good.issue();
    let bearer = token.authorization();
    let mut all = vec![Attempt::new("no credential", Refused::AsNobody)];
    for flaw in Flaw::ALL {
        let flawed = good.flawed(flaw);
        let about = format!("authorization: Bearer ({})", flawed.about);
        let attempt = Attempt::new(&about, Refused::For(flaw));
        all.push(attempt.field(AUTHORIZATION, &flawed.authorization()));
    }
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer not.a.token",
        "Basic YWxpY2U6c2VjcmV0",
    ] {
        let about = format!("authorization: {value}");
        all.push(Attempt::new(&about, Refused::AsNonsense).field(AUTHORIZATION, value));
    }
    let two = Attempt::new(
        "two authorization fields, each a good token",
        Refused::AsNonsense,
    );
    all.push(
        two.field(AUTHORIZATION, &bearer)
            .field(AUTHORIZATION, &bearer),
    );
    let joined = Attempt::new(
        "two good tokens in one authorization field",
        Refused::AsNonsense,
    );
    all.push(joined.field(AUTHORIZATION, &format!("{bearer}, {bearer}")));

    // RFC 6750 §2.2, §2.3: where tokens must not be looked for, they are no credential.
    let cookie = Attempt::new("a good token in a cookie", Refused::AsNobody);
    all.push(cookie.field(COOKIE, &format!("access_token={}", token.as_str())));
    let other = Attempt::new("x-access-token: (a good token)", Refused::AsNobody);
    all.push(other.field(HeaderName::from_static("x-access-token"), token.as_str()));
    if protocol == Protocol::Http {
        let mut query = Attempt::new("?access_token=(a good token)", Refused::AsNobody);
        query.query = Some(format!("access_token={}", token.as_str()));
        all.push(query);
    }
    if is_from_elsewhere {
        all.push(as_if_a_proxy_said_so());
    }
    all
}

/// The fields by which proxies tell who is calling, from somebody who is no proxy.
fn as_if_a_proxy_said_so() -> Attempt {
    let about = "the fields by which a proxy would say that the caller is admin";
    [
        ("x-forwarded-user", "admin"),
        ("x-remote-user", "admin"),
        ("x-auth-request-user", "admin"),
        ("x-ssl-client-subject", "CN=admin"),
        ("x-ssl-client-verify", "SUCCESS"),
        (
            "x-forwarded-client-cert",
            "Hash=0000000000000000000000000000000000000000000000000000000000000000;URI=spiffe://example.org/admin",
        ),
    ]
    .into_iter()
    .fold(Attempt::new(about, Refused::AsNobody), |attempt, (name, value)| {
        attempt.field(HeaderName::from_static(name), value)
    })
}

impl<T: Transport> TestRequest<'_, T> {
    /// Makes each of `attempts`, and fails the test with the first that is not refused as it must be.
    pub(crate) async fn refuses_all(
        &self,
        attempts: &[Attempt],
        asked_at: &'static Location<'static>,
    ) {
        for attempt in attempts {
            let answer = self.attempt(attempt).await;
            if !attempt.is_refused(&answer) {
                Report {
                    headline: self.not_refused(attempt, &answer),
                    asked_at: Some(asked_at),
                    expected: attempt.expected(),
                    answer: &answer,
                    hint: not_refused_hint(&answer),
                }
                .fail();
            }
        }
    }

    /// The attempts that this request stands for.
    #[track_caller]
    pub(crate) fn attempts(&self, what: &str) -> Vec<Attempt> {
        if self.headers.contains_key(AUTHORIZATION) {
            fail(&format!(
                "`{what}` sends credentials of its own, and the request has an authorization field already: \
                 say who is calling with `.as_user(…)` or `.with(…)`"
            ));
        }
        let good = self.caller.base(what).token(self.app.kit());
        let protocol = self.app.transport().protocol();
        // Whoever comes from somewhere special may be a proxy that is believed.
        attempts(&good, protocol, self.connection.is_none())
    }

    pub(crate) async fn attempt(&self, attempt: &Attempt) -> Answer {
        let mut request = self.again();
        let mut headers = request.headers.clone();
        for (name, value) in &attempt.fields {
            headers.append(name.clone(), value.clone());
        }
        if let Some(query) = &attempt.query {
            let sign = if request.path.contains('?') { '&' } else { '?' };
            request.path = format!("{}{sign}{query}", request.path);
        }
        let line = self.line();
        let mut answer = request.send(headers, vec![attempt.about.clone()]).await;
        // The line would show the token.
        answer.set_line(line);
        answer
    }

    fn not_refused(&self, attempt: &Attempt, answer: &Answer) -> String {
        let line = self.line();
        if answer.is_let_in() {
            format!("{line} lets a stranger in: {}", attempt.about)
        } else {
            format!(
                "{line} does not refuse a stranger as it must: {}",
                attempt.about
            )
        }
    }
}

fn not_refused_hint(answer: &Answer) -> Option<String> {
    let seen = answer.seen();
    let hint = if seen.events.is_empty() && seen.records.is_empty() {
        "the request met no gate of this kit: build the application with `kit.gate()`, and the route with \
         the adapter's router"
    } else if answer.is_let_in() && !seen.events.is_empty() {
        "the route was let in by something that this assertion takes for no credential"
    } else if answer.is_let_in() {
        "the route is registered as public or optional; `is_public()` and `is_optional()` assert that"
    } else {
        return None;
    };
    Some(hint.to_owned())
}
