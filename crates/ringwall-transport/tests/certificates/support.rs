//! Certificates to order.

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyPair, SanType, date_time_ymd,
};
use ringwall_core::request::{HeaderLookup, RequestView};
use ringwall_transport::{IdentityRule, TrustDomain};

pub(crate) const ADMIN: &str = "spiffe://prod.example/admin";
pub(crate) const WEB: &str = "spiffe://prod.example/web";

/// A certificate without any name, of a caller and not of an authority, valid from 2026 to 2027.
pub(crate) fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

pub(crate) fn with_common_name(
    mut params: CertificateParams,
    name: impl Into<DnValue>,
) -> CertificateParams {
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(crate) fn with_uri(mut params: CertificateParams, uri: &str) -> CertificateParams {
    let uri = Ia5String::try_from(uri).unwrap();
    params.subject_alt_names.push(SanType::URI(uri));
    params
}

pub(crate) fn with_dns(mut params: CertificateParams, name: &str) -> CertificateParams {
    let name = Ia5String::try_from(name).unwrap();
    params.subject_alt_names.push(SanType::DnsName(name));
    params
}

pub(crate) fn der(params: CertificateParams) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

/// As nginx and Envoy write a certificate.
pub(crate) fn url_encoded_pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
    .replace('\n', "%0A")
    .replace(' ', "%20")
    .replace('+', "%2B")
    .replace('/', "%2F")
    .replace('=', "%3D")
}

pub(crate) fn spiffe() -> IdentityRule {
    IdentityRule::spiffe(TrustDomain::new("prod.example").unwrap())
}

/// Every kind of name.
pub(crate) fn every_kind() -> IdentityRule {
    spiffe().or_dns().or_common_name()
}

pub(crate) fn view<'a>(headers: &'a dyn HeaderLookup) -> RequestView<'a> {
    RequestView {
        method: "GET",
        scheme: None,
        authority: None,
        raw_path: "/",
        raw_query: None,
        socket_peer: Some("10.0.0.1:4711".parse().unwrap()),
        client_address: None,
        tls_peer: None,
        headers,
    }
}
