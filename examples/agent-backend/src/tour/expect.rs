//! What an answer must be.

use core::fmt;

use crate::tour::answer::Answer;

/// What must hold of an answer: its status, and whatever else is named.
#[derive(Clone, Debug)]
pub(crate) struct Expect {
    status: u16,
    facets: Vec<Facet>,
}

#[derive(Clone, Debug)]
enum Facet {
    /// The challenge, as [`Answer::challenge`] shortens it.
    Challenge(String),
    /// Where the challenge leads to, if anywhere.
    LeadsTo(Option<String>),
    /// A header with exactly this value.
    Header(&'static str, String),
    NoHeader(&'static str),
    /// A pause in whole seconds (RFC 9110 §10.2.3), at least one and at most these.
    ComeBackWithin(u64),
    /// A value in the JSON of the body.
    Json(&'static str, serde_json::Value),
    /// A text that stands in the body.
    Says(String),
    EmptyBody,
}

impl Expect {
    pub(crate) const fn status(status: u16) -> Self {
        Self {
            status,
            facets: Vec::new(),
        }
    }

    /// 401 as RFC 6750 has it for a request without credentials.
    pub(crate) fn no_credentials() -> Self {
        Self::status(401).challenge("bare challenge")
    }

    /// 401 as RFC 6750 has it for a token that is not acceptable.
    pub(crate) fn bad_token() -> Self {
        Self::status(401).challenge("invalid_token")
    }

    /// 400 as RFC 6750 has it for credentials of which there is no telling what they are.
    pub(crate) fn bad_request() -> Self {
        Self::status(400).challenge("invalid_request")
    }

    /// 403 as RFC 6750 has it for a token that lacks a scope.
    pub(crate) fn lacks(scope: &str) -> Self {
        Self::status(403).challenge(&format!("insufficient_scope scope={scope}"))
    }

    pub(crate) fn challenge(self, challenge: &str) -> Self {
        self.with(Facet::Challenge(challenge.to_owned()))
    }

    /// 401 as RFC 9470 has it for a login that is not what the route demands.
    pub(crate) fn weak_login(demands: &str) -> Self {
        Self::status(401).challenge(&format!("insufficient_user_authentication {demands}"))
    }

    /// Where the challenge says that the metadata of the service is (RFC 9728 §5.1).
    pub(crate) fn leads_to(self, url: &str) -> Self {
        self.with(Facet::LeadsTo(Some(url.to_owned())))
    }

    pub(crate) fn leads_nowhere(self) -> Self {
        self.with(Facet::LeadsTo(None))
    }

    pub(crate) fn header(self, name: &'static str, value: impl Into<String>) -> Self {
        self.with(Facet::Header(name, value.into()))
    }

    pub(crate) fn no_header(self, name: &'static str) -> Self {
        self.with(Facet::NoHeader(name))
    }

    /// 503 that says when to come back, in this many seconds at most, and calls no token bad.
    pub(crate) fn unjudged(within: u64) -> Self {
        Self::status(503)
            .with(Facet::ComeBackWithin(within))
            .no_header("www-authenticate")
    }

    /// 429 for this limit alone, with the time to come back, in this many seconds at most.
    pub(crate) fn limited(by: &str, within: u64) -> Self {
        Self::status(429)
            .with(Facet::ComeBackWithin(within))
            .json("/violated-policies", vec![by])
            .header("x-ratelimit-remaining", "0")
    }

    /// A value in the JSON of the body, by its pointer (RFC 6901).
    pub(crate) fn json(self, pointer: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.with(Facet::Json(pointer, value.into()))
    }

    pub(crate) fn says(self, text: &str) -> Self {
        self.with(Facet::Says(text.to_owned()))
    }

    pub(crate) fn empty(self) -> Self {
        self.with(Facet::EmptyBody)
    }

    fn with(mut self, facet: Facet) -> Self {
        self.facets.push(facet);
        self
    }

    pub(crate) fn is_met_by(&self, answer: &Answer) -> bool {
        answer.status == self.status
            && self
                .facets
                .iter()
                .all(|facet| facet.wanted() == facet.found_in(answer))
    }

    /// What the answer has of all that is expected.
    pub(crate) fn shown_of(&self, answer: &Answer) -> String {
        if let Some(failure) = &answer.failure {
            return failure.clone();
        }
        let found = self.facets.iter().map(|facet| facet.found_in(answer));
        join(answer.status, found)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join(self.status, self.facets.iter().map(Facet::wanted)))
    }
}

impl Facet {
    fn wanted(&self) -> String {
        match self {
            Self::Challenge(challenge) => challenge.clone(),
            Self::LeadsTo(url) => leads_to(url.as_deref()),
            Self::Header(name, value) => format!("{name}: {value}"),
            Self::NoHeader(name) => format!("no {name}"),
            Self::ComeBackWithin(most) => format!("retry-after of {most} s at most"),
            Self::Json(pointer, value) => format!("{pointer} = {value}"),
            Self::Says(text) => format!("says {text:?}"),
            Self::EmptyBody => "no body".to_owned(),
        }
    }

    fn found_in(&self, answer: &Answer) -> String {
        match self {
            Self::Challenge(_) => answer.challenge(),
            Self::LeadsTo(_) => leads_to(answer.leads_to()),
            Self::Header(name, _) | Self::NoHeader(name) => match answer.header(name) {
                Some(value) => format!("{name}: {value}"),
                None => format!("no {name}"),
            },
            Self::ComeBackWithin(most) => {
                let value = answer.header("retry-after");
                let pause = value.and_then(|value| value.parse::<u64>().ok());
                match pause.filter(|pause| (1..=*most).contains(pause)) {
                    Some(_) => self.wanted(),
                    None => format!("retry-after: {value:?}"),
                }
            }
            Self::Json(pointer, _) => match answer.json().pointer(pointer) {
                Some(value) => format!("{pointer} = {value}"),
                None => format!("no {pointer}"),
            },
            Self::Says(text) if answer.body.contains(text) => self.wanted(),
            Self::EmptyBody if answer.body.is_empty() => self.wanted(),
            Self::Says(_) | Self::EmptyBody => {
                let beginning: String = answer.body.chars().take(80).collect();
                format!("says {beginning:?}")
            }
        }
    }
}

fn leads_to(url: Option<&str>) -> String {
    url.map_or_else(
        || "leads nowhere".to_owned(),
        |url| format!("leads to {url}"),
    )
}

fn join(status: u16, facets: impl Iterator<Item = String>) -> String {
    facets.fold(status.to_string(), |mut text, facet| {
        text.push_str(", ");
        text.push_str(&facet);
        text
    })
}
