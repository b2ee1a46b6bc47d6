//! Envoy's field: its documented examples, and what an attacker can get Envoy to write.

use ringwall_transport::{
    ForwardedClientCert, ForwardedElement, IdentityError, IdentityRule, SubjectName,
};

use crate::support::*;

const HASH: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

fn parse(text: &str) -> Result<ForwardedClientCert, IdentityError> {
    ForwardedClientCert::parse(text.as_bytes())
}

fn only(text: &str) -> ForwardedElement {
    let forwarded = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    forwarded.only().expect("one element").clone()
}

fn identity(text: &str, rule: &IdentityRule) -> Result<String, IdentityError> {
    let names = parse(text)?.only()?.names()?;
    names.identity(rule).map(|identity| identity.to_string())
}

#[test]
fn reads_the_examples_of_envoys_documentation() {
    let examples: Vec<&str> = include_str!("vectors/envoy.txt").lines().collect();
    let [first, second, third] = examples[..] else {
        panic!("three examples");
    };
    let element = only(first);
    assert_eq!(
        element.by().collect::<Vec<_>>(),
        ["http://frontend.lyft.com"]
    );
    assert_eq!(element.hash().unwrap()[..4], [0x46, 0x8e, 0xd3, 0x3b]);
    assert_eq!(
        element.uris().collect::<Vec<_>>(),
        ["http://testclient.lyft.com"]
    );
    assert_eq!(element.dns().count(), 0);
    let subject = "/C=US/ST=CA/L=San Francisco/OU=Lyft/CN=Test Client";
    assert_eq!(element.subject(), Some(subject));
    // Their subject is of the old form, which is not what Envoy writes today.
    assert_eq!(element.names(), Err(IdentityError::SubjectMalformed));
    assert_eq!(
        SubjectName::parse_oneline(subject)
            .unwrap()
            .common_name()
            .unwrap()
            .as_str(),
        "Test Client"
    );

    let two = parse(second).unwrap();
    assert_eq!(two.only(), Err(IdentityError::SeveralHops));
    assert_eq!(two.elements().len(), 2);
    assert_eq!(
        two.elements()[0].uris().collect::<Vec<_>>(),
        ["http://testclient.lyft.com"]
    );
    let nearest = two.nearest().unwrap();
    assert_eq!(
        nearest.by().collect::<Vec<_>>(),
        ["http://backend.lyft.com"]
    );
    assert_eq!(
        nearest.uris().collect::<Vec<_>>(),
        ["http://frontend.lyft.com"]
    );

    let element = only(third);
    assert_eq!(
        element.dns().collect::<Vec<_>>(),
        ["lyft.com", "www.lyft.com"]
    );

    for text in examples {
        let parsed = parse(text).unwrap();
        let written: Vec<String> = parsed.elements().iter().map(ToString::to_string).collect();
        assert_eq!(written.join(","), text);
    }
}

#[test]
fn one_uri_of_an_accepted_trust_domain_names_the_workload() {
    let text = format!("By=spiffe://prod.example/me;Hash={HASH};Subject=\"\";URI={WEB}");
    assert_eq!(identity(&text, &every_kind()), Ok(WEB.to_owned()));
    assert_eq!(
        identity(&format!("uri={WEB}"), &every_kind()),
        Ok(WEB.to_owned())
    );
    let foreign = "URI=spiffe://evil.example/web";
    assert_eq!(
        identity(foreign, &every_kind()),
        Err(IdentityError::ForeignTrustDomain)
    );
    let two = format!("URI={WEB};URI={ADMIN}");
    assert_eq!(identity(&two, &every_kind()), Err(IdentityError::Ambiguous));
    let root = "URI=spiffe://prod.example";
    assert_eq!(identity(root, &every_kind()), Err(IdentityError::SpiffeId));
}

#[test]
fn an_empty_uri_is_none_when_it_is_the_only_one() {
    let text = format!("Hash={HASH};Subject=\"CN=web\";URI=");
    assert_eq!(identity(&text, &every_kind()), Ok("web".to_owned()));
    assert_eq!(identity(&text, &spiffe()), Err(IdentityError::Nameless));
}

#[test]
fn quotes_around_a_name_are_the_certificates_own() {
    // Envoy puts no quotes around names: this certificate has the URI `"spiffe://…/admin"`.
    for text in [
        format!("Hash={HASH};URI=\"{ADMIN}\""),
        format!("Hash={HASH};DNS=\"admin.example\""),
        format!("Hash={HASH};URI=\"x;DNS=admin.example\""),
        "URI=\"\"".to_owned(),
    ] {
        assert_eq!(
            identity(&text, &every_kind()),
            Err(IdentityError::ForwardedMalformed),
            "{text}"
        );
    }
}

#[test]
fn two_empty_uris_are_names_too() {
    // The certificate has the URI `;URI=`.
    let text = format!("Hash={HASH};Subject=\"CN=web\";URI=;URI=");
    assert_eq!(
        identity(&text, &every_kind()),
        Err(IdentityError::AlternativesPresent)
    );
}

#[test]
fn a_uri_cannot_bring_a_second_one_along() {
    // The certificate of mallory has the URI `;URI=spiffe://prod.example/admin`, or the like, and Envoy
    // writes it as it is.
    for uri in [
        format!(";URI={ADMIN}"),
        format!("x;URI={ADMIN}"),
        format!("{WEB};URI={ADMIN}"),
        format!("{ADMIN};URI=x"),
        format!("{ADMIN};URI="),
    ] {
        let text = format!("By=b;Hash={HASH};Subject=\"CN=mallory\";URI={uri}");
        assert_eq!(
            identity(&text, &every_kind()),
            Err(IdentityError::Ambiguous),
            "{uri}"
        );
    }
}

#[test]
fn a_uri_cannot_bring_a_dns_name_along() {
    for uri in [
        ";DNS=admin.example",
        "x;DNS=admin.example",
        "https://x;DNS=admin.example",
    ] {
        let text = format!("By=b;Hash={HASH};URI={uri}");
        assert_eq!(
            identity(&text, &IdentityRule::dns()),
            Err(IdentityError::NamesRunTogether),
            "{uri}"
        );
    }
    let without_uri = format!("By=b;Hash={HASH};DNS=web.example");
    assert_eq!(
        identity(&without_uri, &IdentityRule::dns()),
        Ok("web.example".to_owned())
    );
    let two = format!("{without_uri};DNS=admin.example");
    assert_eq!(identity(&two, &every_kind()), Err(IdentityError::Ambiguous));
}

#[test]
fn a_uri_is_not_cut_short_where_a_dns_name_seems_to_begin() {
    // The certificate has the URI `spiffe://prod.example/admin;DNS=x`, which is no SPIFFE id.
    for tail in ["x", "admin.example", "x;DNS=y", "=", "%"] {
        let text = format!("By=b;Hash={HASH};URI={ADMIN};DNS={tail}");
        for rule in [spiffe(), every_kind()] {
            assert_eq!(
                identity(&text, &rule),
                Err(IdentityError::NamesRunTogether),
                "{tail}"
            );
        }
    }
}

#[test]
fn keys_that_come_too_late_came_with_a_name_without_quotes() {
    let pem = url_encoded_pem(&der(with_uri(params(), ADMIN)));
    for tail in [
        "Subject=\"CN=admin\"".to_owned(),
        format!("Cert=\"{pem}\""),
        format!("Chain=\"{pem}\""),
        format!("Hash={HASH}"),
        "By=x".to_owned(),
    ] {
        let text = format!("By=b;Hash={HASH};URI=x;{tail}");
        assert_eq!(
            identity(&text, &every_kind()),
            Err(IdentityError::ForwardedMalformed),
            "{tail}"
        );
    }
    let dns_first = format!("Hash={HASH};DNS=x;URI={ADMIN}");
    assert_eq!(
        identity(&dns_first, &every_kind()),
        Err(IdentityError::ForwardedMalformed)
    );
}

#[test]
fn a_name_that_brings_a_hop_along_is_refused_unless_hops_are_appended() {
    let text = format!("By=b;Hash={HASH};URI=x,By=b;Hash={HASH};URI={ADMIN}");
    assert_eq!(
        parse(&text).unwrap().only(),
        Err(IdentityError::SeveralHops)
    );
}

#[test]
fn a_subject_ends_where_envoy_ended_it() {
    // The common names of these certificates are `a";URI=…`, `a\` and `a\"`, in RFC 2253 and then in quotes.
    for (subject, name) in [
        (
            r#"CN=a\"\;URI=spiffe://prod.example/admin\;DNS=\"b"#,
            "a\";URI=spiffe://prod.example/admin;DNS=\"b",
        ),
        (r"CN=a\\", "a\\"),
        (r#"CN=a\\\""#, "a\\\""),
        (r"CN=a\,b", "a,b"),
        ("CN=a,O=b;c", "a"),
    ] {
        let text = format!("Hash={HASH};Subject=\"{subject}\";URI=");
        let element = only(&text);
        assert_eq!(element.subject(), Some(subject));
        if subject.contains("b;c") {
            // RFC 2253 would have escaped it.
            assert_eq!(element.names(), Err(IdentityError::SubjectMalformed));
        } else {
            assert_eq!(
                identity(&text, &every_kind()),
                Ok(name.to_owned()),
                "{subject}"
            );
        }
    }
}

#[test]
fn what_a_client_sends_first_cannot_swallow_what_the_proxy_appends() {
    let appended =
        format!("By=b;Hash={HASH};Subject=\"CN=mallory\";URI=spiffe://prod.example/mallory");
    for sent in [
        format!("URI={ADMIN}"),
        format!("By=b;Hash={HASH};URI={ADMIN}"),
        format!("URI={ADMIN};Subject=\""),
        format!("URI={ADMIN};Subject=\"x"),
        "Subject=\"x\\".to_owned(),
        "Cert=\"".to_owned(),
        format!("URI={ADMIN};DNS="),
        String::new(),
        ",".to_owned(),
        "\\".to_owned(),
        "\"".to_owned(),
    ] {
        let Ok(forwarded) = parse(&format!("{sent},{appended}")) else {
            continue;
        };
        let names = forwarded.nearest().unwrap().names().unwrap();
        assert_eq!(
            names.identity(&every_kind()).unwrap().as_str(),
            "spiffe://prod.example/mallory",
            "{sent}"
        );
    }
}

#[test]
fn with_the_certificate_its_own_names_count_and_the_hash_has_to_be_its() {
    let der = der(with_dns(with_uri(params(), WEB), "web.example"));
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    let hash: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let pem = url_encoded_pem(&der);
    let text = format!(
        "By=b;Hash={hash};Cert=\"{pem}\";Subject=\"CN=admin\";URI={ADMIN};DNS=admin.example"
    );
    assert_eq!(identity(&text, &every_kind()), Ok(WEB.to_owned()));
    assert_eq!(
        identity(&text, &IdentityRule::dns()),
        Ok("web.example".to_owned())
    );
    let names = only(&text).names().unwrap();
    assert!(names.expires_at().is_some());
    let upper = text.replace(&hash, &hash.to_uppercase());
    assert_eq!(identity(&upper, &every_kind()), Ok(WEB.to_owned()));
    let other = text.replace(&hash, HASH);
    assert_eq!(
        identity(&other, &every_kind()),
        Err(IdentityError::HashMismatch)
    );
    let unhashed = format!("Cert=\"{pem}\"");
    assert_eq!(identity(&unhashed, &every_kind()), Ok(WEB.to_owned()));
    for bad in ["x", "-----BEGIN%20CERTIFICATE-----", "%", "%4", "%zz"] {
        let text = format!("Cert=\"{bad}\"");
        assert_eq!(
            identity(&text, &every_kind()),
            Err(IdentityError::EncodingMalformed),
            "{bad}"
        );
    }
}

#[test]
fn refuses_what_envoy_does_not_write() {
    let good = format!("By=b;Hash={HASH};Subject=\"CN=a\";URI={WEB}");
    assert!(parse(&good).is_ok());
    for text in [
        String::new(),
        " ".to_owned(),
        ",".to_owned(),
        ";".to_owned(),
        "=".to_owned(),
        "URI".to_owned(),
        format!("{good};"),
        format!("{good},"),
        format!(";{good}"),
        format!(",{good}"),
        format!("{good},,{good}"),
        format!("{good};;DNS=a"),
        format!(" {good}"),
        format!("{good} "),
        good.replace(';', "; "),
        format!("{good}, {good}"),
        good.replace("URI=", "URI ="),
        good.replace("URI=", "URI= "),
        good.replace("URI=", "X="),
        good.replace("URI=", "URL="),
        good.replace("By=", "=b;By="),
        // single values twice
        format!("Hash={HASH};Hash={HASH}"),
        "Subject=\"CN=a\";Subject=\"CN=a\"".to_owned(),
        "Subject=\"CN=a\";subject=\"CN=b\"".to_owned(),
        "Cert=\"a\";Cert=\"a\"".to_owned(),
        "Chain=\"a\";Chain=\"a\"".to_owned(),
        // quotes
        "Subject=\"CN=a".to_owned(),
        "Subject=\"CN=a\\\"".to_owned(),
        "Subject=\"CN=a\\".to_owned(),
        "Subject=\"CN=a\"x".to_owned(),
        "Subject=\"CN=a\" ".to_owned(),
        format!("Subject=\"CN=a\"xURI={WEB}"),
        format!("Subject=\"CN=a\" URI={WEB}"),
        format!("Subject=\"CN=a\"\"URI={WEB}"),
        "Subject=\"CN=a\"\"".to_owned(),
        "Subject=CN=a\"".to_owned(),
        "Subject=CN=Test Client".to_owned(),
        "URI=\"a\\\"b\"".to_owned(),
        "URI=a\\b".to_owned(),
        "URI=a\"b".to_owned(),
        // empty values
        "DNS=".to_owned(),
        "DNS=\"\"".to_owned(),
        "Cert=".to_owned(),
        "Cert=\"\"".to_owned(),
        "Chain=\"\"".to_owned(),
        "Hash=".to_owned(),
        // hashes
        format!("Hash={}", &HASH[1..]),
        format!("Hash={HASH}0"),
        format!("Hash={}", HASH.replace('4', "g")),
        format!("Hash=0x{}", &HASH[2..]),
        // characters
        "URI=a\tb".to_owned(),
        "URI=a\nb".to_owned(),
        "URI=a\0".to_owned(),
        "URI=ä".to_owned(),
        "Subject=\"CN=ä\"".to_owned(),
        "Subject=\"CN=a\tb\"".to_owned(),
        "Subject=\"CN=a\\\nb\"".to_owned(),
        "ÜRI=a".to_owned(),
    ] {
        assert_eq!(
            parse(&text),
            Err(IdentityError::ForwardedMalformed),
            "{text:?}"
        );
    }
    assert_eq!(
        ForwardedClientCert::parse(b"URI=\xff"),
        Err(IdentityError::ForwardedMalformed)
    );
}

#[test]
fn a_proxy_with_several_uris_of_its_own_says_so() {
    let element = only(&format!("By=a;By=b;Hash={HASH};URI={WEB}"));
    assert_eq!(element.by().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn everything_is_bounded() {
    let long = format!("URI={}", "a".repeat(ForwardedClientCert::MAX_BYTES - 4));
    assert!(parse(&long).is_ok());
    assert_eq!(
        parse(&format!("{long}a")),
        Err(IdentityError::HeaderTooLong)
    );
    let hops = |count: usize| vec!["URI=a"; count].join(",");
    assert!(parse(&hops(ForwardedClientCert::MAX_ELEMENTS)).is_ok());
    assert!(parse(&hops(ForwardedClientCert::MAX_ELEMENTS + 1)).is_err());
    let names = |count: usize| vec!["DNS=a"; count].join(";");
    assert!(parse(&names(ForwardedClientCert::MAX_NAMES)).is_ok());
    assert!(parse(&names(ForwardedClientCert::MAX_NAMES + 1)).is_err());
}

#[test]
fn a_certificate_is_not_shown_when_the_element_is() {
    let element = only("Cert=\"MIIsecret\";Chain=\"MIIsecret\"");
    assert!(!format!("{element:?}").contains("MIIsecret"));
}
