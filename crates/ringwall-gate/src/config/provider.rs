//! Who runs an issuer, and so what its tokens look like.

use std::str::FromStr;
use std::sync::Arc;

use ringwall_authn::{IssuerPolicy, IssuerPolicyBuilder, TokenProfile};
use ringwall_core::principal::OrgId;
use ringwall_jose::KeySource;

/// Google's issuer, the same for everybody.
const GOOGLE_ISSUER: &str = "https://accounts.google.com";

/// The audience of every token of Supabase.
const SUPABASE_AUDIENCE: &str = "authenticated";

/// Who runs the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    /// Anybody who follows RFC 9068.
    Generic,
    /// Somebody who follows no profile at all.
    Plain,
    Auth0,
    Cognito,
    EntraId,
    Google,
    Keycloak,
    Okta,
    Supabase,
}

impl Provider {
    /// What [`FromStr`] understands, for people.
    pub(super) const NAMES: &str =
        "generic, plain, auth0, cognito, entra-id, google, keycloak, okta or supabase";

    /// Whether the claims are where RFC 9068 and this house have them.
    pub(super) const fn has_plain_mapping(self) -> bool {
        match self {
            Self::Generic | Self::Plain => true,
            Self::Auth0
            | Self::Cognito
            | Self::EntraId
            | Self::Google
            | Self::Keycloak
            | Self::Okta
            | Self::Supabase => false,
        }
    }

    /// Whether the tokens can name a tenant.
    pub(super) const fn names_tenants(self) -> bool {
        match self {
            Self::Cognito | Self::Google | Self::Okta => false,
            Self::Generic
            | Self::Plain
            | Self::Auth0
            | Self::EntraId
            | Self::Keycloak
            | Self::Supabase => true,
        }
    }

    /// The issuer, where everybody has the same.
    pub(super) const fn fixed_issuer(self) -> Option<&'static str> {
        match self {
            Self::Google => Some(GOOGLE_ISSUER),
            Self::Generic
            | Self::Plain
            | Self::Auth0
            | Self::Cognito
            | Self::EntraId
            | Self::Keycloak
            | Self::Okta
            | Self::Supabase => None,
        }
    }

    /// The audience, where it is always the same.
    pub(super) const fn fixed_audience(self) -> Option<&'static str> {
        match self {
            Self::Supabase => Some(SUPABASE_AUDIENCE),
            Self::Generic
            | Self::Plain
            | Self::Auth0
            | Self::Cognito
            | Self::EntraId
            | Self::Google
            | Self::Keycloak
            | Self::Okta => None,
        }
    }

    /// The policy for its tokens, which all belong to `org` when there is one.
    pub(super) fn policy(
        self,
        issuer: &str,
        audience: &str,
        keys: Arc<dyn KeySource>,
        org: Option<&OrgId>,
    ) -> IssuerPolicyBuilder {
        let policy = match self {
            Self::Generic => IssuerPolicy::builder(issuer, audience, keys),
            Self::Plain => {
                IssuerPolicy::builder(issuer, audience, keys).profile(TokenProfile::plain())
            }
            Self::Auth0 => IssuerPolicy::auth0(issuer, audience, keys),
            Self::Cognito => IssuerPolicy::cognito(issuer, audience, keys),
            Self::EntraId => IssuerPolicy::entra_id(issuer, audience, keys),
            // Everybody has a Google account; only the accounts of one domain belong to somebody.
            Self::Google => match org {
                Some(domain) => {
                    return IssuerPolicy::google_workspace(domain.clone(), audience, keys);
                }
                None => IssuerPolicy::google(audience, keys),
            },
            Self::Keycloak => IssuerPolicy::keycloak(issuer, audience, keys),
            Self::Okta => IssuerPolicy::okta(issuer, audience, keys),
            Self::Supabase => IssuerPolicy::supabase(issuer, keys),
        };
        match org.cloned() {
            Some(org) => policy.map_principal(|mapping| mapping.only_org(org)),
            None => policy,
        }
    }
}

impl FromStr for Provider {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "generic" => Self::Generic,
            "plain" => Self::Plain,
            "auth0" => Self::Auth0,
            "cognito" => Self::Cognito,
            "entra-id" => Self::EntraId,
            "google" => Self::Google,
            "keycloak" => Self::Keycloak,
            "okta" => Self::Okta,
            "supabase" => Self::Supabase,
            _ => return Err(()),
        })
    }
}
