//! What the service says of itself to clients that never heard of it (RFC 9728).

use ringwall_authn::ProtectedResource;

use super::judge::Issuers;
use super::rights::{self, Names};
use super::section::Section;

const REMEDY: &str =
    "write the URL by which clients use the service, such as https://api.example.com";

/// The metadata. `None` when there is a fault.
pub(super) fn read(
    mut section: Section<'_>,
    issuers: &Issuers,
    realm: &str,
    names: &Names,
) -> Option<ProtectedResource> {
    let url = section.required("url", REMEDY);
    let scopes = rights::scopes(&mut section, "scopes_supported", names);
    let name = section.text("name");
    section.unless_set("name", realm);
    let documentation = section.text("documentation");
    let Some((first, others)) = issuers.names.split_first() else {
        if issuers.is_partial {
            section.finish();
            return None;
        }
        let problem = "leads clients to an issuer, and there are no tokens";
        section.fault_here(problem, "add a section tokens, or leave this one out");
        section.finish();
        return None;
    };
    let Some(url) = url else {
        section.finish();
        return None;
    };
    let mut builder = ProtectedResource::builder(&url, first)
        .profile(section.profile())
        .scopes_supported(scopes)
        .resource_name(name.as_deref().unwrap_or(realm));
    for issuer in others {
        builder = builder.authorization_server(issuer);
    }
    if let Some(url) = documentation {
        builder = builder.resource_documentation(&url);
    }
    let resource = builder.build();
    if let Err(error) = &resource {
        section.fault("url", error.to_string(), REMEDY);
    }
    section.finish();
    resource.ok()
}
