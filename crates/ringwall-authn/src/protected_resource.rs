//! What a service tells clients that never heard of it (RFC 9728).

use core::fmt;
use std::sync::Arc;

use ringwall_core::principal::Scope;
use ringwall_core::profile::Profile;
use ringwall_jose::Algorithm;
use serde_json::{Map, Value};

use crate::url::{Url, UrlFault};

/// RFC 9728 §3: what is inserted between the host and the path of the resource.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The most entries of one list. The document is public and fetched by strangers, so it stays small.
const MAX_ENTRIES: usize = 128;

/// The longest name or type in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// The metadata of a protected resource (RFC 9728): who may issue tokens for it, and what they may
/// grant.
///
/// A client that is refused finds its URL in the challenge (§5.1), fetches it without credentials,
/// and learns where to get a token; the Model Context Protocol builds on it. Hand it to the
/// [`TokenAuthenticator`](crate::TokenAuthenticator), or to the gate, so that each challenge names
/// it, and serve [`document`](Self::document) under [`path`](Self::path) to everybody.
///
/// Use [`resource`](Self::resource) as the audience of the issuers' policies too: it is what clients
/// ask tokens for (RFC 8707 §2). Cloning shares it.
///
/// ```
/// use ringwall_authn::ProtectedResource;
/// use ringwall_core::principal::Scope;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let resource = ProtectedResource::builder("https://api.example.com/mcp", "https://login.example.com")
///     .scopes_supported([Scope::new("cases:read")?])
///     .resource_name("Cases")
///     .build()?;
/// assert_eq!(resource.path(), "/.well-known/oauth-protected-resource/mcp");
/// assert_eq!(
///     resource.metadata_url(),
///     "https://api.example.com/.well-known/oauth-protected-resource/mcp"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProtectedResource(Arc<Rendered>);

struct Rendered {
    resource: Box<str>,
    path: Box<str>,
    metadata_url: Box<str>,
    document: Box<str>,
    profile: Profile,
}

/// Why metadata cannot be published. A fault of the program or its configuration, found at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectedResourceError {
    /// A member that is to be a URL is none that metadata may name.
    #[error("{member} is not acceptable: {fault}")]
    Url {
        /// The member, as the RFC names it.
        member: &'static str,
        /// What is wrong with it.
        fault: UrlFault,
    },
    /// A text is empty, longer than 256 bytes, or holds control characters.
    #[error("{member} holds a text that is empty, longer than 256 bytes or not printable")]
    Text {
        /// The member, as the RFC names it.
        member: &'static str,
    },
    /// A list is longer than 128 entries.
    #[error("{member} has more than 128 entries")]
    TooMany {
        /// The member, as the RFC names it.
        member: &'static str,
    },
    /// A shared secret cannot sign DPoP proofs (RFC 9449 §4.2).
    #[error("dpop_signing_alg_values_supported names a symmetric algorithm")]
    SymmetricProof,
}

/// Collects the members of a [`ProtectedResource`]. A member that is not set, or a list without
/// entries, is left out (RFC 9728 §3.2).
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ProtectedResourceBuilder {
    profile: Profile,
    resource: Box<str>,
    authorization_servers: Vec<Box<str>>,
    scopes: Vec<Scope>,
    name: Option<Box<str>>,
    documentation: Option<Box<str>>,
    policy: Option<Box<str>>,
    terms: Option<Box<str>>,
    jwks: Option<Box<str>>,
    signing_algorithms: Vec<Algorithm>,
    details_types: Vec<Box<str>>,
    certificate_bound: bool,
    proof_algorithms: Vec<Algorithm>,
    proofs_required: bool,
}

impl ProtectedResource {
    /// The media type of the [`document`](Self::document) (RFC 9728 §3.2).
    pub const MEDIA_TYPE: &str = "application/json";

    /// How long anybody may keep the document (RFC 9728 §7.10): an hour. It is public and changes
    /// with deployments, and a client that was told of another authorization server by a refusal
    /// must not go on with the old one for long.
    pub const CACHE_CONTROL: &str = "public, max-age=3600";

    /// Begins the metadata of `resource`, the URL that clients use it by, for which
    /// `authorization_server` issues tokens.
    ///
    /// `resource` is an `https` URL without query and fragment (RFC 9728 §1.2), in the one spelling
    /// that clients compare (§3.3, §6): host in lower case, no port 443, no percent-encoding. Queries are
    /// discouraged by the RFC and refused here, because routes are not chosen by them.
    ///
    /// `authorization_server` is an issuer identifier (RFC 8414 §2): what its tokens have in `iss`.
    /// The RFC permits to name none; a client would not know then where to go.
    pub fn builder(resource: &str, authorization_server: &str) -> ProtectedResourceBuilder {
        ProtectedResourceBuilder {
            profile: Profile::default(),
            resource: resource.into(),
            authorization_servers: vec![authorization_server.into()],
            scopes: Vec::new(),
            name: None,
            documentation: None,
            policy: None,
            terms: None,
            jwks: None,
            signing_algorithms: Vec::new(),
            details_types: Vec::new(),
            certificate_bound: false,
            proof_algorithms: Vec::new(),
            proofs_required: false,
        }
    }

    /// The identifier of the resource, byte for byte as it was given.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// The path to serve the document under, at the root of the resource's host (RFC 9728 §3.1):
    /// the well-known part, then the path of the resource without a terminating slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The whole URL of the document, as challenges name it (RFC 9728 §5.1).
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.0.metadata_url
    }

    /// The document: a JSON object, to be served as [`MEDIA_TYPE`](Self::MEDIA_TYPE) with status 200
    /// to everybody who asks by GET.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.0.document
    }

    /// The profile it was built for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.0.profile
    }
}

impl fmt::Debug for ProtectedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedResource")
            .field("resource", &self.0.resource)
            .field("metadata_url", &self.0.metadata_url)
            .finish_non_exhaustive()
    }
}

impl ProtectedResourceBuilder {
    /// Production unless set. In development, `http` URLs to loopback addresses are accepted.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Another authorization server whose tokens are accepted.
    pub fn authorization_server(mut self, issuer: &str) -> Self {
        self.authorization_servers.push(issuer.into());
        self
    }

    /// The scopes that make sense here. Everybody can read them; leave out what strangers need not
    /// know of.
    pub fn scopes_supported(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes.extend(scopes);
        self
    }

    /// The name to show to the person who is asked for consent.
    pub fn resource_name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Where developers read about the resource.
    pub fn resource_documentation(mut self, url: &str) -> Self {
        self.documentation = Some(url.into());
        self
    }

    /// Where the rules about the use of its data are.
    pub fn resource_policy_uri(mut self, url: &str) -> Self {
        self.policy = Some(url.into());
        self
    }

    /// Where its terms of service are.
    pub fn resource_tos_uri(mut self, url: &str) -> Self {
        self.terms = Some(url.into());
        self
    }

    /// Where the resource's own public keys are, those it signs its answers with: not the keys of
    /// its authorization servers.
    pub fn jwks_uri(mut self, url: &str) -> Self {
        self.jwks = Some(url.into());
        self
    }

    /// The algorithms by which the resource signs its answers.
    pub fn resource_signing_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Self {
        self.signing_algorithms.extend(algorithms);
        self
    }

    /// The types of authorization details that make sense here (RFC 9396 §2).
    pub fn authorization_details_types_supported<'a>(
        mut self,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.details_types.extend(types.into_iter().map(Into::into));
        self
    }

    /// Says that tokens bound to a client certificate are understood (RFC 8705). The verifier of
    /// this crate refuses bound tokens: say so only where an authenticator of your own checks them.
    pub const fn tls_client_certificate_bound_access_tokens(mut self) -> Self {
        self.certificate_bound = true;
        self
    }

    /// The algorithms of DPoP proofs that are understood (RFC 9449), with the same caution.
    pub fn dpop_signing_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Self {
        self.proof_algorithms.extend(algorithms);
        self
    }

    /// Says that only tokens bound by DPoP are accepted, with the same caution.
    pub const fn dpop_bound_access_tokens_required(mut self) -> Self {
        self.proofs_required = true;
        self
    }

    /// Checks every member, and renders the document once.
    ///
    /// # Errors
    ///
    /// [`ProtectedResourceError`] names the member and what is wrong with it.
    pub fn build(self) -> Result<ProtectedResource, ProtectedResourceError> {
        let profile = self.profile;
        let resource = parse("resource", &self.resource, profile, |url| {
            url.without_query()?.with_plain_path()
        })?;
        let path = resource.path.strip_suffix('/').unwrap_or(resource.path);
        let path = format!("{WELL_KNOWN}{path}");
        let metadata_url = format!("{}{path}", resource.origin);

        let mut members = Map::new();
        members.insert("resource".to_owned(), (&*self.resource).into());
        let mut list = |member: &'static str, entries: Vec<Value>| {
            if entries.len() > MAX_ENTRIES {
                return Err(ProtectedResourceError::TooMany { member });
            }
            if !entries.is_empty() {
                members.insert(member.to_owned(), entries.into());
            }
            Ok(())
        };
        let servers = "authorization_servers";
        for issuer in &self.authorization_servers {
            parse(servers, issuer, profile, Url::without_query)?;
        }
        list(
            servers,
            texts(self.authorization_servers.iter().map(|issuer| &**issuer)),
        )?;
        list(
            "scopes_supported",
            texts(self.scopes.iter().map(Scope::as_str)),
        )?;
        // RFC 6750 §2.2 and §2.3 (body and query) are never looked at, wherever a token is taken from.
        list("bearer_methods_supported", vec!["header".into()])?;
        list(
            "resource_signing_alg_values_supported",
            texts(
                self.signing_algorithms
                    .iter()
                    .map(|algorithm| algorithm.name()),
            ),
        )?;
        let details = "authorization_details_types_supported";
        for name in &self.details_types {
            check_text(details, name)?;
        }
        list(
            details,
            texts(self.details_types.iter().map(|name| &**name)),
        )?;
        if self
            .proof_algorithms
            .iter()
            .any(|algorithm| algorithm.is_symmetric())
        {
            return Err(ProtectedResourceError::SymmetricProof);
        }
        list(
            "dpop_signing_alg_values_supported",
            texts(
                self.proof_algorithms
                    .iter()
                    .map(|algorithm| algorithm.name()),
            ),
        )?;
        if let Some(name) = &self.name {
            check_text("resource_name", name)?;
            members.insert("resource_name".to_owned(), (&**name).into());
        }
        for (member, url) in [
            ("resource_documentation", &self.documentation),
            ("resource_policy_uri", &self.policy),
            ("resource_tos_uri", &self.terms),
            ("jwks_uri", &self.jwks),
        ] {
            if let Some(url) = url {
                parse(member, url, profile, Ok)?;
                members.insert(member.to_owned(), (&**url).into());
            }
        }
        for (member, holds) in [
            (
                "tls_client_certificate_bound_access_tokens",
                self.certificate_bound,
            ),
            ("dpop_bound_access_tokens_required", self.proofs_required),
        ] {
            if holds {
                members.insert(member.to_owned(), true.into());
            }
        }
        Ok(ProtectedResource(Arc::new(Rendered {
            path: path.into(),
            metadata_url: metadata_url.into(),
            document: Value::Object(members).to_string().into(),
            profile,
            resource: self.resource,
        })))
    }
}

fn parse<'a>(
    member: &'static str,
    text: &'a str,
    profile: Profile,
    check: impl FnOnce(Url<'a>) -> Result<Url<'a>, UrlFault>,
) -> Result<Url<'a>, ProtectedResourceError> {
    Url::parse(text, profile)
        .and_then(check)
        .map_err(|fault| ProtectedResourceError::Url { member, fault })
}

fn texts<'a>(entries: impl Iterator<Item = &'a str>) -> Vec<Value> {
    entries.map(Value::from).collect()
}

fn check_text(member: &'static str, text: &str) -> Result<(), ProtectedResourceError> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
        return Err(ProtectedResourceError::Text { member });
    }
    Ok(())
}
