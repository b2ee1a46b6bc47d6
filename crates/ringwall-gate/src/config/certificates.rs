//! Who authenticates by a client certificate, and what they may do.

use ringwall_authn::{
    CertificateAuthenticator, CertificateAuthenticatorBuilder, CertificateMapping,
};
use ringwall_transport::{IdentityHeader, IdentityRule, TrustDomain};

use super::front::Front;
use super::rights::{self, Names};
use super::section::Section;

const REMEDY: &str = "write it as the certificate has it, such as spiffe://example.org/reports";

/// Which names of a certificate identify its holder.
#[derive(Clone, Copy, Debug)]
enum Identities {
    Spiffe,
    Dns,
    CommonName,
}

/// Reads the section. `None` when there is a fault.
pub(super) fn read(
    mut section: Section<'_>,
    front: &Front,
    names: &Names,
) -> Option<CertificateAuthenticatorBuilder> {
    let faults = section.faults();
    let identities = section.text("identities");
    section.unless_set("identities", "spiffe");
    let identities = match identities.as_deref() {
        None | Some("spiffe") => Identities::Spiffe,
        Some("dns") => Identities::Dns,
        Some("common-name") => Identities::CommonName,
        Some(_) => {
            let remedy = "write spiffe, dns or common-name";
            section.fault("identities", "is unknown", remedy);
            Identities::Spiffe
        }
    };
    let rule = rule(identities, &mut section);
    let is_direct = section.flag("direct", false);
    let has_header = section.has("header");
    let header = header(&mut section);
    if has_header && !front.names_proxies {
        let problem = "is what a proxy says, and front.trusted_proxies names none";
        section.fault("header", problem, "name the proxies");
    }
    if !has_header && !is_direct {
        let problem = "is missing, and direct is not said: no certificate could reach the service";
        let remedy = "name the field that the proxy sets, or write direct = true where the service itself speaks TLS";
        section.fault("header", problem, remedy);
    }
    let scopes_header = section.text("scopes_header");
    let roles_header = section.text("roles_header");
    let mut mappings = Vec::new();
    let mut clients = section.child("clients");
    if clients.keys().is_empty() {
        clients.fault_here(
            "names nobody",
            "name who is let in, or leave mtls out of modes",
        );
    }
    for name in clients.keys() {
        mappings.extend(mapping(&name, identities, clients.child(&name), names));
    }
    clients.finish();
    let Some(rule) = rule else {
        section.finish();
        return None;
    };
    let mut builder = CertificateAuthenticator::builder(rule);
    if is_direct {
        builder = builder.direct();
    }
    if let Some(header) = header {
        builder = builder.behind(front.proxies.clone(), header);
    }
    if let Some(name) = scopes_header {
        builder = builder.scopes_header(&name);
    }
    if let Some(name) = roles_header {
        builder = builder.roles_header(&name);
    }
    builder = mappings
        .into_iter()
        .fold(builder, CertificateAuthenticatorBuilder::map);
    // The library has the last word on what the parts come to, once each of them is good.
    let is_good = section.faults() == faults && front.names_proxies != front.proxies.is_empty();
    if is_good && let Err(error) = builder.clone().build() {
        let problem = format!("cannot be used: {error}");
        section.fault_here(problem, "correct the section");
    }
    section.finish();
    Some(builder)
}

fn rule(identities: Identities, section: &mut Section<'_>) -> Option<IdentityRule> {
    let remedy = "write the trust domain of your workloads, such as example.org";
    match identities {
        Identities::Dns => Some(IdentityRule::dns()),
        Identities::CommonName => Some(IdentityRule::common_name()),
        Identities::Spiffe => match TrustDomain::new(&section.required("trust_domain", remedy)?) {
            Ok(domain) => Some(IdentityRule::spiffe(domain)),
            Err(error) => {
                section.fault("trust_domain", error.to_string(), remedy);
                None
            }
        },
    }
}

/// What a proxy that ends TLS says of the certificate that it verified.
fn header(section: &mut Section<'_>) -> Option<IdentityHeader> {
    let name = section.text("header")?;
    if name.eq_ignore_ascii_case("x-forwarded-client-cert") {
        return Some(IdentityHeader::forwarded_client_cert());
    }
    let remedy = "name the field with the proxy's verdict, such as x-ssl-client-verify";
    let verdict = section.required("verdict_header", remedy)?;
    let header = IdentityHeader::subject(&name).verified_by(&verdict, "SUCCESS");
    header
        .map_err(|error| section.fault("header", error.to_string(), remedy))
        .ok()
}

fn mapping(
    name: &str,
    identities: Identities,
    mut section: Section<'_>,
    names: &Names,
) -> Option<CertificateMapping> {
    let mapping = match identities {
        Identities::Spiffe => CertificateMapping::spiffe(name),
        Identities::Dns => CertificateMapping::dns(name),
        Identities::CommonName => CertificateMapping::common_name(name),
    };
    let mapping = mapping
        .map_err(|error| section.fault_here(error.to_string(), REMEDY))
        .ok();
    let tenant = rights::tenant(&mut section);
    let scopes = rights::scopes(&mut section, "scopes", names);
    let roles = rights::roles(&mut section);
    section.finish();
    let mapping = mapping?.scopes(scopes).roles(roles);
    Some(match tenant {
        Some(tenant) => mapping.tenant(tenant),
        None => mapping,
    })
}
