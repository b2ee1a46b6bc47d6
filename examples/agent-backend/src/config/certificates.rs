//! Who authenticates by a client certificate, and what they may do.

use ringwall_authn::transport::{IdentityHeader, IdentityRule, TrustDomain};
use ringwall_authn::{
    CertificateAuthenticator, CertificateAuthenticatorBuilder, CertificateMapping,
};
use ringwall_core::principal::{OrgId, ProjectId, Scope, Tenant};
use ringwall_gate::TrustedProxies;
use toml::Table;

use crate::config::fault::Faults;
use crate::config::section::Section;

const REMEDY: &str = "write it as the certificate has it, such as spiffe://example.org/reports";

/// Which names of a certificate identify its holder.
#[derive(Clone, Copy, Debug)]
enum Names {
    Spiffe,
    Dns,
    CommonName,
}

/// Where certificates are verified.
pub(crate) struct Verified<'a> {
    /// In this process: it asks clients for certificates.
    pub(crate) here: bool,
    /// At these proxies.
    pub(crate) proxies: &'a TrustedProxies,
}

/// Reads the section. `None` without it: certificates then open connections and authenticate nobody.
pub(crate) fn read(
    table: Option<Table>,
    verified: &Verified<'_>,
    faults: &mut Faults,
) -> Option<CertificateAuthenticatorBuilder> {
    let mut section = Section::new("certificates", table?, faults);
    let names = match section.text("identities").as_deref() {
        None | Some("spiffe") => Names::Spiffe,
        Some("dns") => Names::Dns,
        Some("common-name") => Names::CommonName,
        Some(_) => {
            let remedy = "write spiffe, dns or common-name";
            section.fault("identities", "is unknown", remedy);
            Names::Spiffe
        }
    };
    let rule = rule(names, &mut section);
    let header = header(&mut section);
    let clients = section.table("clients").unwrap_or_default();
    if clients.is_empty() {
        section.fault(
            "clients",
            "names nobody",
            "name who is let in, or leave the section out",
        );
    }
    section.finish();
    let mut builder = CertificateAuthenticator::builder(rule?);
    if verified.here {
        builder = builder.direct();
    }
    if let Some(header) = header {
        builder = builder.behind(verified.proxies.clone(), header);
    }
    for (name, client) in clients {
        builder = builder.map(mapping(&name, names, client, faults)?);
    }
    // The library has the last word on what the parts come to.
    if let Err(error) = builder.clone().build() {
        let remedy = "with tls.client_roots, or a header and front.trusted_proxies";
        faults.add("certificates", format!("cannot be used: {error}"), remedy);
    }
    Some(builder)
}

fn rule(names: Names, section: &mut Section<'_>) -> Option<IdentityRule> {
    let remedy = "write the trust domain of your workloads, such as example.org";
    match names {
        Names::Dns => Some(IdentityRule::dns()),
        Names::CommonName => Some(IdentityRule::common_name()),
        Names::Spiffe => match TrustDomain::new(&section.required("trust_domain", remedy)?) {
            Ok(domain) => Some(IdentityRule::spiffe(domain)),
            Err(error) => {
                section.fault("trust_domain", &error.to_string(), remedy);
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
        .map_err(|error| section.fault("header", &error.to_string(), remedy))
        .ok()
}

fn mapping(
    name: &str,
    names: Names,
    client: toml::Value,
    faults: &mut Faults,
) -> Option<CertificateMapping> {
    let table = client.as_table().cloned().unwrap_or_default();
    let mut section = Section::new("certificates.clients", table, faults);
    let mapping = match names {
        Names::Spiffe => CertificateMapping::spiffe(name),
        Names::Dns => CertificateMapping::dns(name),
        Names::CommonName => CertificateMapping::common_name(name),
    };
    let mapping = mapping
        .map_err(|error| section.fault(name, &error.to_string(), REMEDY))
        .ok();
    let org = section.text("org").map(OrgId::new);
    let project = section.text("project").map(ProjectId::new);
    let scopes: Result<Vec<_>, _> = section
        .texts("scopes")
        .into_iter()
        .map(Scope::new)
        .collect();
    let tenant = match (org.transpose(), project.transpose()) {
        (Ok(Some(org)), Ok(project)) => Some(Tenant { org, project }),
        (Ok(None), Ok(None)) => None,
        _ => {
            section.fault(
                "org",
                "is no organisation",
                "write it as your tenants are named",
            );
            None
        }
    };
    if scopes.is_err() {
        section.fault(
            "scopes",
            "holds what is no scope",
            "write scopes such as cases:read",
        );
    }
    section.finish();
    let mapping = mapping?.scopes(scopes.ok()?);
    Some(match tenant {
        Some(tenant) => mapping.tenant(tenant),
        None => mapping,
    })
}
