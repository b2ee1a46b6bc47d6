//! What is read of Envoy's field is written as it was read; and whatever names a certificate has, what
//! Envoy writes of it makes nobody somebody else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_transport::{
    CertificateIdentity, ForwardedClientCert, ForwardedElement, IdentityRule, SpiffeId, TrustDomain,
};

const DOMAIN: &str = "prod.example";
const HASH: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

fuzz_target!(|data: &[u8]| {
    let rule = IdentityRule::spiffe(TrustDomain::new(DOMAIN).expect("a trust domain"))
        .or_dns()
        .or_common_name();
    if let Ok(forwarded) = ForwardedClientCert::parse(data) {
        read(&forwarded, &rule);
    }
    // The same bytes as names in a certificate, which Envoy writes as they are.
    if let Ok(text) = std::str::from_utf8(data) {
        written_by_envoy(text, &rule);
    }
});

fn read(forwarded: &ForwardedClientCert, rule: &IdentityRule) {
    let elements = forwarded.elements();
    assert!((1..=ForwardedClientCert::MAX_ELEMENTS).contains(&elements.len()));
    assert_eq!(forwarded.only().is_ok(), elements.len() == 1);
    assert_eq!(forwarded.nearest().ok(), elements.last());
    let written: Vec<String> = elements.iter().map(ToString::to_string).collect();
    assert_eq!(
        ForwardedClientCert::parse(written.join(",").as_bytes()).as_ref(),
        Ok(forwarded)
    );
    for element in elements {
        let Ok(identity) = element.names().and_then(|names| names.identity(rule)) else {
            continue;
        };
        if element.certificate().is_none() {
            stands_there(element, &identity);
        }
        if let CertificateIdentity::Spiffe(id) = &identity {
            assert_eq!(id.trust_domain(), DOMAIN);
            assert_eq!(SpiffeId::new(identity.as_str()).as_ref(), Ok(id));
        }
    }
}

/// Nobody is identified by what others could have been meant by, too.
fn stands_there(element: &ForwardedElement, identity: &CertificateIdentity) {
    let uris: Vec<&str> = element.uris().collect();
    let dns: Vec<&str> = element.dns().collect();
    match identity {
        CertificateIdentity::Spiffe(id) => {
            assert_eq!(uris, [id.as_str()]);
            assert!(dns.is_empty(), "the names may be a part of the URI");
        }
        CertificateIdentity::Dns(name) => {
            assert!(uris.is_empty(), "the name may be a part of a URI");
            let [only] = dns[..] else {
                panic!("several names");
            };
            assert_eq!(only.to_ascii_lowercase(), name.as_str());
        }
        CertificateIdentity::CommonName(name) => {
            assert!(dns.is_empty() && uris.iter().all(|uri| uri.is_empty()));
            let subject = element.subject().expect("a common name is in a subject");
            let at_least = name.as_str().chars().count();
            assert!(subject.len() > at_least);
        }
    }
}

/// A NUL separates URIs, and a line feed URIs from DNS names.
fn written_by_envoy(text: &str, rule: &IdentityRule) {
    let (uris, dns) = text.split_once('\n').unwrap_or((text, ""));
    let of = |text: &str| -> Vec<String> {
        let names = text.split('\0').filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let (uris, dns) = (of(uris), of(dns));
    let mut pairs = vec![
        "By=spiffe://prod.example/me".to_owned(),
        format!("Hash={HASH}"),
    ];
    if uris.is_empty() {
        pairs.push("URI=".to_owned());
    }
    pairs.extend(uris.iter().map(|uri| format!("URI={uri}")));
    pairs.extend(dns.iter().map(|name| format!("DNS={name}")));
    let identity = ForwardedClientCert::parse(pairs.join(";").as_bytes())
        .and_then(|forwarded| forwarded.only()?.names()?.identity(rule));
    if let Ok(identity) = identity {
        // Envoy writes a URI, an empty one if need be, so no DNS name counts; nor is a subject there.
        assert_eq!(uris, [identity.as_str()]);
        assert!(dns.is_empty());
    }
}
