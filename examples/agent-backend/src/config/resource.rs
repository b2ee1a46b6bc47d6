//! What the service says of itself to clients that never heard of it (RFC 9728).

use std::net::SocketAddr;

use ringwall_core::principal::Scope;
use ringwall_core::profile::Profile;
use ringwall_gate::ProtectedResource;

use crate::config::fault::Faults;

/// The scopes of what everybody works with. Who may read the audit trail is nobody else's business.
const SCOPES: [&str; 2] = ["cases:read", "cases:write"];

/// What the metadata is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) resource: Option<&'a str>,
    pub(crate) issuer: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) listen: SocketAddr,
    pub(crate) profile: Profile,
}

/// The metadata. Its resource is what was named, or else the audience, which a client asks tokens
/// for (RFC 8707 §2), when it is a URL.
pub(crate) fn metadata(named: Named<'_>, faults: &mut Faults) -> Option<ProtectedResource> {
    let remedy = "write the URL by which clients use the service, such as https://api.example.com";
    if let Some(resource) = named.resource {
        return match build(resource, named) {
            Ok(metadata) => Some(metadata),
            Err(problem) => {
                faults.add("resource", problem, remedy);
                None
            }
        };
    }
    let here = format!("http://{}", named.listen);
    // Port 0 is any port, and nobody can come back to that.
    let here = (named.profile.is_development() && named.listen.port() != 0).then_some(here);
    let candidates = [Some(named.audience), here.as_deref()];
    let built = candidates
        .into_iter()
        .flatten()
        .find_map(|resource| build(resource, named).ok());
    if built.is_none() {
        let problem = "is missing, and the audience is not a URL that could stand for it";
        faults.add("resource", problem, remedy);
    }
    built
}

fn build(resource: &str, named: Named<'_>) -> Result<ProtectedResource, String> {
    let scopes: Result<Vec<_>, _> = SCOPES.into_iter().map(Scope::new).collect();
    let scopes = scopes.map_err(|error| error.to_string())?;
    ProtectedResource::builder(resource, named.issuer)
        .profile(named.profile)
        .scopes_supported(scopes)
        .resource_name(named.realm)
        .build()
        .map_err(|error| error.to_string())
}
