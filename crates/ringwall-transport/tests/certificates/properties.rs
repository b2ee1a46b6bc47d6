//! What holds of every name, every subject and every certificate.

use core::fmt::Write as _;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use ringwall_transport::{
    CertificateIdentity, CertificateNames, CommonName, DnsName, ForwardedClientCert, IdentityRule,
    SpiffeId, SubjectName, SubjectValue,
};

use crate::support::*;

/// Text of the pieces that mean something to one of the parsers, more often than of others.
fn hostile() -> impl Strategy<Value = String> {
    const PIECES: [&str; 41] = [
        ";URI=",
        ";DNS=",
        ";DNS=admin.example",
        "spiffe://prod.example/admin;DNS=x",
        ",URI=spiffe://prod.example/admin",
        "\"spiffe://prod.example/admin\"",
        "\"admin.example\"",
        ",",
        ";",
        "=",
        "+",
        "\"",
        "\\",
        "/",
        "#",
        " ",
        "<",
        ">",
        "\0",
        "\n",
        "\u{7f}",
        "\u{202e}",
        "ä",
        "🦀",
        "CN=",
        "O=",
        "2.5.4.3=",
        "\\2C",
        "\\C3",
        "#0C01",
        "URI=",
        "DNS=",
        "By=",
        "Hash=",
        "Subject=\"",
        "Cert=\"",
        "admin",
        "admin.example",
        ADMIN,
        WEB,
        "x",
    ];
    vec(prop::sample::select(PIECES.to_vec()), 0..8).prop_map(|pieces| pieces.concat())
}

fn kind() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["CN", "O", "OU", "x-1", "2.5.4.3", "1.3.6.1"]).prop_map(str::to_owned)
}

/// RFC 4514 §2.4, written as OpenSSL's `RFC2253` does: what is not ASCII as bytes too.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => write!(text, "\\{c}").unwrap(),
            '#' if at == 0 => text.push_str("\\#"),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            c if c.is_ascii_graphic() || c == ' ' => text.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(text, "\\{byte:02X}").unwrap();
                }
            }
        }
    }
    text
}

fn dn(attributes: &[(String, String, bool)]) -> String {
    let mut text = String::new();
    for (at, (kind, value, joined)) in attributes.iter().enumerate() {
        if at > 0 {
            text.push(if *joined { '+' } else { ',' });
        }
        write!(text, "{kind}={}", escaped(value)).unwrap();
    }
    text
}

/// A certificate as its authority signed it, with whatever names.
#[derive(Clone, Debug)]
struct Truth {
    uris: Vec<String>,
    dns: Vec<String>,
    subject: Vec<(String, String, bool)>,
}

impl Truth {
    /// Who that is, by the names themselves.
    fn identity(&self, rule: &IdentityRule) -> Option<CertificateIdentity> {
        let is_spiffe = |uri: &String| uri.to_ascii_lowercase().starts_with("spiffe:");
        if rule.trusts("prod.example") && self.uris.iter().any(is_spiffe) {
            let [uri] = &self.uris[..] else {
                return None;
            };
            let id = SpiffeId::new(uri).ok()?;
            return rule.trusts(id.trust_domain()).then(|| id.into());
        }
        if *rule != spiffe() && !self.dns.is_empty() {
            let [name] = &self.dns[..] else {
                return None;
            };
            return Some(DnsName::new(name).ok()?.into());
        }
        if *rule == every_kind() && self.uris.is_empty() && self.dns.is_empty() {
            let names: Vec<&String> = self
                .subject
                .iter()
                .filter(|(kind, ..)| kind == "CN" || kind == "2.5.4.3")
                .map(|(_, value, _)| value)
                .collect();
            let [name] = names[..] else {
                return None;
            };
            return Some(CommonName::new(name).ok()?.into());
        }
        None
    }

    /// What Envoy writes for it: URIs and DNS names as they are, the subject in quotes.
    fn as_envoy_writes(&self, uri: bool, dns: bool, subject: bool) -> String {
        let mut pairs = vec![
            "By=spiffe://prod.example/me".to_owned(),
            format!("Hash={}", "0".repeat(64)),
        ];
        if subject {
            pairs.push(format!("Subject=\"{}\"", dn(&self.subject)));
        }
        if uri && self.uris.is_empty() {
            pairs.push("URI=".to_owned());
        } else if uri {
            pairs.extend(self.uris.iter().map(|uri| format!("URI={uri}")));
        }
        if dns {
            pairs.extend(self.dns.iter().map(|name| format!("DNS={name}")));
        }
        pairs.join(";")
    }
}

fn subject() -> impl Strategy<Value = Vec<(String, String, bool)>> {
    vec((kind(), hostile(), any::<bool>()), 0..4)
}

fn truth() -> impl Strategy<Value = Truth> {
    (vec(hostile(), 0..3), vec(hostile(), 0..3), subject()).prop_map(|(uris, dns, subject)| Truth {
        uris,
        dns,
        subject,
    })
}

/// A comma in a name begins another hop, of which the client may then say anything: the documentation
/// of `IdentityHeader::appended` says so. A single empty URI is written like none.
fn without_commas() -> impl Strategy<Value = Truth> {
    truth().prop_map(|mut truth| {
        for name in truth.uris.iter_mut().chain(&mut truth.dns) {
            *name = name.replace(',', "");
        }
        truth.uris.retain(|uri| !uri.is_empty());
        truth
    })
}

fn rules() -> impl Strategy<Value = IdentityRule> {
    prop::sample::select(vec![spiffe(), spiffe().or_dns(), every_kind()])
}

proptest! {
    #[test]
    fn a_subject_that_was_written_is_read_as_it_was(subject in subject()) {
        let text = dn(&subject);
        let read = SubjectName::parse(&text).expect("what was written by the rules is read");
        prop_assert_eq!(read.attributes().len(), subject.len());
        for (at, (attribute, (kind, value, joined))) in read.attributes().iter().zip(&subject).enumerate() {
            prop_assert_eq!(attribute.kind(), kind);
            prop_assert_eq!(attribute.value(), &SubjectValue::Text(value.as_str().into()));
            prop_assert_eq!(attribute.is_joined(), at > 0 && *joined);
        }
        prop_assert_eq!(SubjectName::parse(&read.to_string()), Ok(read));
    }

    #[test]
    fn a_subject_that_is_read_is_written_as_it_was_read(text in hostile(), kind in kind()) {
        for text in [text.clone(), format!("{kind}={text}"), format!("{kind}=\"{text}\"")] {
            if let Ok(subject) = SubjectName::parse(&text) {
                let written = subject.to_string();
                prop_assert_eq!(SubjectName::parse(&written), Ok(subject), "{}", written);
            }
            // The old form has no escapes: what is read stands there as it is.
            if let Ok(subject) = SubjectName::parse_oneline(&format!("/{text}")) {
                for attribute in subject.attributes() {
                    let SubjectValue::Text(value) = attribute.value() else {
                        panic!("encoded");
                    };
                    let stands_there = text.contains(&format!("{}={value}", attribute.kind()));
                    prop_assert!(stands_there);
                }
            }
        }
    }

    #[test]
    fn nobody_becomes_somebody_else_by_what_envoy_writes_of_a_certificate(
        truth in truth(),
        details in (any::<bool>(), any::<bool>(), any::<bool>()),
        rule in rules(),
    ) {
        let (uri, dns, subject) = details;
        let text = truth.as_envoy_writes(uri, dns, subject);
        let identity = ForwardedClientCert::parse(text.as_bytes())
            .and_then(|forwarded| forwarded.only()?.names()?.identity(&rule));
        if let Ok(identity) = identity {
            // What Envoy was not told to write nobody can know, nor a single URI without a character.
            let is_known = uri && truth.uris != [""];
            let known = Truth {
                uris: if is_known { truth.uris.clone() } else { Vec::new() },
                dns: if dns { truth.dns.clone() } else { Vec::new() },
                subject: truth.subject.clone(),
            };
            prop_assert_eq!(Some(identity), known.identity(&rule), "{}", text);
        }
    }

    #[test]
    fn nobody_becomes_somebody_else_by_what_he_sends_to_a_proxy_that_appends(
        sent in hostile(),
        prefix in option::of(truth()),
        truth in without_commas(),
        rule in rules(),
    ) {
        let sent = prefix.map_or(sent.clone(), |first| first.as_envoy_writes(true, true, true) + &sent);
        let text = format!("{sent},{}", truth.as_envoy_writes(true, true, true));
        let identity = ForwardedClientCert::parse(text.as_bytes())
            .and_then(|forwarded| forwarded.nearest()?.names()?.identity(&rule));
        if let Ok(identity) = identity {
            prop_assert_eq!(Some(identity), truth.identity(&rule), "{}", text);
        }
    }

    #[test]
    fn a_forwarded_certificate_is_read_as_it_was_written(
        by in vec("[ -~&&[^\"\\\\]]{0,9}", 0..3),
        uris in vec("[!-~&&[^\",;\\\\]]{0,9}", 0..3),
        dns in vec("[!-~&&[^\",;\\\\]]{1,9}", 0..3),
        subject in option::of(subject()),
        elements in 1_usize..4,
    ) {
        let mut text = Vec::new();
        text.extend(by.iter().map(|value| format!("By=\"{value}\"")));
        text.push(format!("Hash={}", "a".repeat(64)));
        text.extend(subject.as_ref().map(|subject| format!("Subject=\"{}\"", dn(subject))));
        text.extend(uris.iter().map(|value| format!("URI={value}")));
        text.extend(dns.iter().map(|value| format!("DNS={value}")));
        let text = vec![text.join(";"); elements].join(",");
        let read = ForwardedClientCert::parse(text.as_bytes()).expect("by the rules");
        prop_assert_eq!(read.elements().len(), elements);
        for element in read.elements() {
            prop_assert_eq!(element.by().collect::<Vec<_>>(), by.clone());
            prop_assert_eq!(element.uris().collect::<Vec<_>>(), uris.clone());
            prop_assert_eq!(element.dns().collect::<Vec<_>>(), dns.clone());
            let expected = subject.as_ref().map(|subject| dn(subject));
            prop_assert_eq!(element.subject(), expected.as_deref());
        }
        let written: Vec<String> = read.elements().iter().map(ToString::to_string).collect();
        prop_assert_eq!(ForwardedClientCert::parse(written.join(",").as_bytes()), Ok(read));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(forwarded) = ForwardedClientCert::parse(&bytes) {
            prop_assert!(!forwarded.elements().is_empty());
        }
        prop_assert!(CertificateNames::from_der(&bytes).is_err());
        if let Ok(text) = str::from_utf8(&bytes) {
            let id = SpiffeId::new(text).map(|id| id.to_string() == text);
            prop_assert!(id.unwrap_or(true));
            let name = DnsName::new(text).map(|name| name.as_str().eq_ignore_ascii_case(text));
            prop_assert!(name.unwrap_or(true));
            let name = CommonName::new(text).map(|name| name.as_str() == text);
            prop_assert!(name.unwrap_or(true));
        }
    }
}
