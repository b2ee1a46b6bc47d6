//! A distinguished name that is read is written as it was read, no value can add an attribute, and
//! whatever stands in a certificate, it is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_transport::{
    CertificateIdentity, CertificateNames, CommonName, DnsName, IdentityError, IdentityRule,
    SpiffeId, SubjectAttribute, SubjectName, SubjectValue, TrustDomain,
};

fuzz_target!(|data: &[u8]| {
    certificate(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(subject) = SubjectName::parse(text) {
        let written = subject.to_string();
        if written.len() <= SubjectName::MAX_BYTES {
            assert_eq!(SubjectName::parse(&written).as_ref(), Ok(&subject));
        }
        bounded(&subject);
    }
    oneline(text);
    as_a_value(text);
});

fn bounded(subject: &SubjectName) {
    assert!(subject.attributes().len() <= SubjectName::MAX_ATTRIBUTES);
    let is_name = |attribute: &&SubjectAttribute| {
        ["cn", "commonname", "2.5.4.3"]
            .iter()
            .any(|name| attribute.kind().eq_ignore_ascii_case(name))
    };
    let names: Vec<_> = subject.attributes().iter().filter(is_name).collect();
    match (subject.common_name(), &names[..]) {
        (Ok(name), [only]) => {
            assert_eq!(only.value(), &SubjectValue::Text(name.as_str().into()));
            assert_eq!(CommonName::new(name.as_str()).as_ref(), Ok(&name));
        }
        (Err(error), []) => assert_eq!(error, IdentityError::Nameless),
        (Err(error), [_]) => assert_eq!(error, IdentityError::CommonName),
        (Err(error), _) => assert_eq!(error, IdentityError::Ambiguous),
        (Ok(name), _) => panic!("{name} is one of several"),
    }
}

fn oneline(text: &str) {
    let Ok(subject) = SubjectName::parse_oneline(text) else {
        return;
    };
    bounded(&subject);
    let mut written = String::new();
    for attribute in subject.attributes() {
        let SubjectValue::Text(value) = attribute.value() else {
            panic!("the old form has no encoded values");
        };
        written.push_str(&format!("/{}={value}", attribute.kind()));
    }
    assert_eq!(written, text);
}

/// The text as an organisation, which its owner may choose: the common name stays what it is.
fn as_a_value(value: &str) {
    let mut escaped = String::new();
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => escaped.push(char::from(byte)),
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' | b'#' | b'=' | b' ' => {
                escaped.push('\\');
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("\\{byte:02x}")),
        }
    }
    let text = format!("O={escaped},CN=payments");
    if text.len() > SubjectName::MAX_BYTES {
        return;
    }
    let subject = SubjectName::parse(&text).expect("what is escaped is read");
    let [organisation, _] = subject.attributes() else {
        panic!("a value added an attribute");
    };
    assert_eq!(organisation.value(), &SubjectValue::Text(value.into()));
    let name = subject.common_name().expect("one name");
    assert_eq!(name.as_str(), "payments");
}

fn certificate(der: &[u8]) {
    let Ok(names) = CertificateNames::from_der(der) else {
        return;
    };
    assert!(names.expires_at().is_some() && names.fingerprint().is_some());
    let rule = IdentityRule::spiffe(TrustDomain::new("prod.example").expect("a trust domain"));
    let all = rule.clone().or_dns().or_common_name();
    for rule in [rule, IdentityRule::dns(), IdentityRule::common_name(), all] {
        let Ok(identity) = names.identity(&rule) else {
            continue;
        };
        assert!(rule.accepts(identity.kind()));
        match &identity {
            CertificateIdentity::Spiffe(id) => {
                assert!(rule.trusts(id.trust_domain()));
                assert_eq!(SpiffeId::new(id.as_str()).as_ref(), Ok(id));
            }
            CertificateIdentity::Dns(name) => {
                assert_eq!(DnsName::new(name.as_str()).as_ref(), Ok(name));
            }
            CertificateIdentity::CommonName(name) => {
                assert_eq!(CommonName::new(name.as_str()).as_ref(), Ok(name));
            }
        }
    }
}
