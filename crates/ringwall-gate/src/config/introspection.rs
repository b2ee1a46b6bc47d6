//! Tokens that only their issuer can read (RFC 7662).

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::introspection::{
    HttpIntrospection, HttpIntrospectionError, IntrospectionAuthenticator,
    IntrospectionAuthenticatorBuilder, IntrospectionTransport,
};
use ringwall_core::principal::{OrgId, Scope};

use super::issuer_names::SpeaksFor;
use super::remote_keys;
use super::rights::{self, Names};
use super::section::Section;
use super::token_place::TokenPlace;

/// Whom to ask about tokens, and how long an answer is believed.
#[derive(Debug)]
pub(super) struct Introspection {
    pub(super) issuer: String,
    audience: String,
    other_audiences: Vec<String>,
    transport: Arc<HttpIntrospection>,
    org: Option<OrgId>,
    org_member: Option<String>,
    allowed_scopes: Option<Vec<Scope>>,
    pub(super) place: TokenPlace,
    lifetime: Duration,
    cached: usize,
    questions: usize,
}

impl Introspection {
    /// Reads the section. `None` when there is a fault.
    pub(super) fn read(
        mut section: Section<'_>,
        names: &Names,
        is_one_of_several: bool,
    ) -> Option<Self> {
        let issuer = section.required(
            "issuer",
            "write the name of the issuer, as its answers have it",
        );
        let audience = section.required(
            "audience",
            "write what the answers about tokens for this service have as aud",
        );
        let other_audiences = section.texts("other_audiences").unwrap_or_default();
        let transport = transport(&mut section);
        let org = org(&mut section);
        let org_member = section.text("org_member");
        let any_org = section.flag("any_org", false);
        if is_one_of_several && org_member.is_some() && matches!(org, Ok(None)) && !any_org {
            let problem =
                "is missing: with several issuers, this one could speak for any organisation";
            let remedy =
                "write the organisation of its tokens, or any_org = true where it may name all";
            section.fault("org", problem, remedy);
        }
        if any_org && matches!(org, Ok(Some(_))) {
            let problem = "contradicts org, which binds the issuer to one";
            section.fault("any_org", problem, "leave one of the two out");
        }
        let allowed_scopes = rights::allowed_scopes(&mut section, names);
        let place = TokenPlace::read(&mut section);
        let lifetime = section.seconds("answer_seconds", 0..=600, 60);
        let cached = section.number("cached", 0..=1_000_000, 10_000);
        let questions = section.number("questions", 1..=65_536, 64);
        let config = || {
            Some(Self {
                issuer: issuer?,
                audience: audience?,
                other_audiences,
                transport: Arc::new(transport?),
                org: org.ok()?,
                org_member,
                allowed_scopes,
                place: place?,
                lifetime,
                cached: usize::try_from(cached).unwrap_or(usize::MAX),
                questions: usize::try_from(questions).unwrap_or(usize::MAX),
            })
        };
        let config = config();
        // The library judges the rest. It asks nobody for that.
        let problem = config
            .as_ref()
            .and_then(|config| config.builder(None).build().err());
        if let Some(error) = problem {
            section.fault_here(error.to_string(), "correct the section");
        }
        section.finish();
        config
    }

    /// For whose people the issuer speaks.
    pub(super) fn speaks_for(&self) -> SpeaksFor<'_> {
        match &self.org {
            Some(org) => SpeaksFor::One(org),
            None if self.org_member.is_some() => SpeaksFor::Any,
            None => SpeaksFor::None,
        }
    }

    /// The authenticator, which asks by `transport` where the service gave one.
    pub(super) fn builder(
        &self,
        transport: Option<&Arc<dyn IntrospectionTransport>>,
    ) -> IntrospectionAuthenticatorBuilder {
        let transport = match transport {
            Some(transport) => Arc::clone(transport),
            None => Arc::clone(&self.transport) as Arc<dyn IntrospectionTransport>,
        };
        let mut builder =
            IntrospectionAuthenticator::builder(transport, &self.issuer, &self.audience)
                .source(self.place.source())
                .answer_lifetime(self.lifetime)
                .cached(self.cached)
                .questions(self.questions);
        for audience in &self.other_audiences {
            builder = builder.audience(audience);
        }
        if let Some(org) = &self.org {
            builder = builder.only_org(org.clone());
        }
        if let Some(member) = &self.org_member {
            builder = builder.org_member(member);
        }
        if let Some(scopes) = &self.allowed_scopes {
            builder = builder.allowed_scopes(scopes.iter().cloned());
        }
        builder
    }
}

fn transport(section: &mut Section<'_>) -> Option<HttpIntrospection> {
    let remedy =
        "write the issuer's introspection endpoint, such as https://login.example.com/introspect";
    if !section.has("endpoint") {
        section.fault("endpoint", "is missing", remedy);
    }
    let endpoint = section.url("endpoint");
    let id = section.required("client_id", "write who this service is at the issuer");
    if !section.has("client_secret") {
        let problem = "is missing: the issuer answers nobody whom it does not know";
        section.fault("client_secret", problem, "name the secret of the client");
    }
    let secret = section.secret("client_secret");
    let profile = section.profile();
    let fetcher = remote_keys::fetcher(section, "networks", "root_certificates");
    let made = HttpIntrospection::new(fetcher?, &endpoint?, &id?, &secret?, profile);
    match made {
        Ok(transport) => Some(transport),
        Err(error @ HttpIntrospectionError::Credentials) => {
            section.fault("client_id", error.to_string(), "write who this service is");
            None
        }
        Err(error) => {
            section.fault("endpoint", error.to_string(), remedy);
            None
        }
    }
}

/// Fails, with a fault, when what is there cannot be one.
fn org(section: &mut Section<'_>) -> Result<Option<OrgId>, ()> {
    let Some(text) = section.text("org") else {
        return Ok(None);
    };
    OrgId::new(text).map(Some).map_err(|error| {
        section.fault(
            "org",
            error.to_string(),
            "write it as your tenants are named",
        );
    })
}
