//! Identity headers: exactly one value each, and a verdict.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_transport::{CertificateNames, IdentityError, IdentityHeader, IdentityRule};

use crate::support::*;

const SUBJECT: &str = "x-ssl-client-subject";
const VERIFY: &str = "x-ssl-client-verify";

fn nginx() -> IdentityHeader {
    IdentityHeader::subject("X-SSL-Client-Subject")
        .verified_by("X-SSL-Client-Verify", "SUCCESS")
        .unwrap()
}

fn read(header: &IdentityHeader, fields: &[(&str, &str)]) -> Result<String, IdentityError> {
    let names = header.read(&view(&fields))?;
    names
        .identity(&every_kind())
        .map(|identity| identity.to_string())
}

#[test]
fn a_verified_subject_names_the_caller() {
    let fields = [(SUBJECT, "CN=web,O=Example"), (VERIFY, "SUCCESS")];
    assert_eq!(read(&nginx(), &fields), Ok("web".to_owned()));
    let names = nginx().read(&view(&fields)).unwrap();
    assert_eq!(names.expires_at(), None);
    assert_eq!(names.fingerprint(), None);
    assert_eq!(
        names.is_valid_at(ringwall_core::clock::Timestamp::UNIX_EPOCH),
        None
    );
}

#[test]
fn refuses_a_subject_whose_verdict_is_not_the_good_one() {
    for verdict in [
        "NONE",
        "FAILED:unable to verify the first certificate",
        "FAILED",
        "",
        "success",
        "SUCCESS ",
        " SUCCESS",
        "SUCCESS,SUCCESS",
        "SUCCESS, FAILED",
        "SUCCESSFUL",
        "0",
    ] {
        let fields = [(SUBJECT, "CN=web"), (VERIFY, verdict)];
        assert_eq!(
            read(&nginx(), &fields),
            Err(IdentityError::NotVerified),
            "{verdict:?}"
        );
    }
    assert_eq!(
        read(&nginx(), &[(SUBJECT, "CN=web")]),
        Err(IdentityError::VerdictMissing)
    );
    // nor is another field the verdict
    let fields = [(SUBJECT, "CN=web"), ("x_ssl_client_verify", "SUCCESS")];
    assert_eq!(read(&nginx(), &fields), Err(IdentityError::VerdictMissing));
}

#[test]
fn refuses_fields_that_are_there_twice() {
    let good = (SUBJECT, "CN=web");
    let verified = (VERIFY, "SUCCESS");
    for (fields, error) in [
        (vec![good, good, verified], IdentityError::HeaderRepeated),
        (
            vec![good, (SUBJECT, "CN=admin"), verified],
            IdentityError::HeaderRepeated,
        ),
        (
            vec![good, ("X-SSL-CLIENT-SUBJECT", "CN=web"), verified],
            IdentityError::HeaderRepeated,
        ),
        (
            vec![good, (SUBJECT, ""), verified],
            IdentityError::HeaderRepeated,
        ),
        (
            vec![good, verified, verified],
            IdentityError::VerdictRepeated,
        ),
        (
            vec![good, verified, (VERIFY, "NONE")],
            IdentityError::VerdictRepeated,
        ),
    ] {
        assert_eq!(read(&nginx(), &fields), Err(error), "{fields:?}");
        assert!(error.is_malformed());
        assert!(nginx().is_presented(&view(&fields)));
    }
    // Two lines that somebody joined.
    let joined = [(SUBJECT, "CN=web, CN=admin"), verified];
    assert_eq!(
        read(&nginx(), &joined),
        Err(IdentityError::SubjectMalformed)
    );
    let joined = [(SUBJECT, "CN=web,CN=admin"), verified];
    assert_eq!(read(&nginx(), &joined), Err(IdentityError::Ambiguous));
}

#[test]
fn a_verdict_alone_presents_nothing_and_an_empty_subject_does() {
    let alone = [(VERIFY, "NONE")];
    assert!(!nginx().is_presented(&view(&alone)));
    assert_eq!(read(&nginx(), &alone), Err(IdentityError::HeaderMissing));
    let empty = [(SUBJECT, ""), (VERIFY, "SUCCESS")];
    assert!(nginx().is_presented(&view(&empty)));
    assert_eq!(read(&nginx(), &empty), Err(IdentityError::Nameless));
}

#[test]
fn refuses_subjects_that_are_no_text_or_too_long() {
    let fields: [(&str, &[u8]); 2] = [(SUBJECT, b"CN=\xff"), (VERIFY, b"SUCCESS")];
    assert_eq!(
        nginx().read(&view(&fields)),
        Err(IdentityError::SubjectMalformed)
    );
    let long = format!("CN={}", "a".repeat(70_000));
    let fields = [(SUBJECT, &*long), (VERIFY, "SUCCESS")];
    assert_eq!(read(&nginx(), &fields), Err(IdentityError::HeaderTooLong));
}

#[test]
fn the_old_form_is_read_only_where_it_was_asked_for() {
    let fields = [(SUBJECT, "/O=Example/CN=web"), (VERIFY, "SUCCESS")];
    assert_eq!(
        read(&nginx(), &fields),
        Err(IdentityError::SubjectMalformed)
    );
    let old = IdentityHeader::oneline_subject(SUBJECT)
        .verified_by(VERIFY, "SUCCESS")
        .unwrap();
    assert_eq!(read(&old, &fields), Ok("web".to_owned()));
    let new = [(SUBJECT, "CN=web,O=Example"), (VERIFY, "SUCCESS")];
    assert_eq!(read(&old, &new), Err(IdentityError::SubjectMalformed));
}

#[test]
fn reads_a_certificate_in_percent_encoded_pem() {
    let der = der(with_uri(params(), WEB));
    let header = IdentityHeader::certificate("x-ssl-client-cert")
        .verified_by(VERIFY, "SUCCESS")
        .unwrap();
    let pem = url_encoded_pem(&der);
    // An AWS load balancer leaves +, / and = as they are.
    let aws = pem
        .replace("%2B", "+")
        .replace("%2F", "/")
        .replace("%3D", "=");
    let unterminated = pem.trim_end_matches("%0A");
    for text in [
        &*pem,
        &aws,
        unterminated,
        &pem.replace("%0A", "%0D%0A"),
        &pem.replace("%0A", "%0a"),
    ] {
        let fields = [("x-ssl-client-cert", text), (VERIFY, "SUCCESS")];
        assert_eq!(
            header.read(&view(&fields)),
            CertificateNames::from_der(&der),
            "{text}"
        );
        assert_eq!(read(&header, &fields), Ok(WEB.to_owned()));
    }
    let body = STANDARD.encode(&der);
    for text in [
        String::new(),
        body.clone(),
        format!("{pem}{pem}"),
        format!("%20{pem}"),
        format!("x{pem}"),
        format!("{pem}x"),
        format!("{pem}%20"),
        pem.replace("CERTIFICATE", "X509%20CERTIFICATE"),
        pem.replace("END", "BEGIN"),
        pem.replace("%3D", ""),
        pem.replacen("%0A", "%0A%20", 1),
        pem.replacen("%0A", "%0Akey:%20value%0A", 1),
        pem.replacen("%0A", "%", 1),
        pem.replacen("%0A", "%0", 1),
        pem.replacen("%0A", "%C3%A4", 1),
        pem.replacen("%0A", "%00", 1),
        "-----BEGIN%20CERTIFICATE----------END%20CERTIFICATE----".to_owned(),
    ] {
        // A certificate whose length needs no padding cannot lack it.
        if text == pem {
            continue;
        }
        let fields = [("x-ssl-client-cert", &*text), (VERIFY, "SUCCESS")];
        assert_eq!(
            read(&header, &fields),
            Err(IdentityError::EncodingMalformed),
            "{text}"
        );
    }
    let empty = "-----BEGIN%20CERTIFICATE----------END%20CERTIFICATE-----";
    let fields = [("x-ssl-client-cert", empty), (VERIFY, "SUCCESS")];
    assert_eq!(
        read(&header, &fields),
        Err(IdentityError::CertificateMalformed)
    );
    let fields = [("x-ssl-client-cert", &*pem), (VERIFY, "NONE")];
    assert_eq!(read(&header, &fields), Err(IdentityError::NotVerified));
}

#[test]
fn reads_the_client_cert_field_of_rfc_9440() {
    let der = der(with_uri(params(), WEB));
    let header = IdentityHeader::client_cert()
        .proxy_refuses_unverified()
        .unwrap();
    assert_eq!(header.header_names().collect::<Vec<_>>(), ["client-cert"]);
    let body = STANDARD.encode(&der);
    assert_eq!(
        read(&header, &[("client-cert", &format!(":{body}:"))]),
        Ok(WEB.to_owned())
    );
    for text in [
        body.clone(),
        format!(":{body}"),
        format!("{body}:"),
        format!("::{body}::"),
        format!(":{body}:;x=1"),
        format!(":{body}:, :{body}:"),
        format!(" :{body}:"),
        format!(":{body} :"),
        format!(":{}:", body.trim_end_matches('=').to_owned() + "!"),
        ":".to_owned(),
        String::new(),
    ] {
        let error = read(&header, &[("client-cert", &text)]);
        assert_eq!(error, Err(IdentityError::EncodingMalformed), "{text}");
    }
    assert_eq!(
        read(&header, &[("client-cert", "::")]),
        Err(IdentityError::CertificateMalformed)
    );
}

#[test]
fn of_envoys_field_one_hop_is_taken_unless_hops_are_appended() {
    let header = IdentityHeader::forwarded_client_cert();
    let name = "x-forwarded-client-cert";
    let one = format!("By=b;URI={WEB}");
    let two = format!("By=a;URI={ADMIN},{one}");
    assert_eq!(read(&header, &[(name, &one)]), Ok(WEB.to_owned()));
    assert_eq!(
        read(&header, &[(name, &two)]),
        Err(IdentityError::SeveralHops)
    );
    let appended = header.clone().appended();
    assert_eq!(read(&appended, &[(name, &one)]), Ok(WEB.to_owned()));
    assert_eq!(read(&appended, &[(name, &two)]), Ok(WEB.to_owned()));
    // Over two lines nobody knows which one the proxy appended to.
    let lines = [(name, &*format!("By=a;URI={ADMIN}")), (name, &*one)];
    for header in [&header, &appended] {
        assert_eq!(read(header, &lines), Err(IdentityError::HeaderRepeated));
    }
}

#[test]
fn the_certificate_itself_can_be_demanded_of_envoy() {
    let header = IdentityHeader::forwarded_client_cert().certificate_required();
    let name = "x-forwarded-client-cert";
    assert_eq!(
        read(&header, &[(name, &format!("By=b;URI={WEB}"))]),
        Err(IdentityError::CertificateMissing)
    );
    let pem = url_encoded_pem(&der(with_uri(params(), WEB)));
    assert_eq!(
        read(&header, &[(name, &format!("By=b;Cert=\"{pem}\""))]),
        Ok(WEB.to_owned())
    );
    // Only the hop that counts has to have it, and it has to.
    let appended = header.appended();
    let theirs = format!("Cert=\"{pem}\",By=b;URI={ADMIN}");
    assert_eq!(
        read(&appended, &[(name, &theirs)]),
        Err(IdentityError::CertificateMissing)
    );
}

#[test]
fn names_of_fields_are_checked_when_the_header_is_made() {
    for name in ["", "x y", "x:y", "x_y", "x\n", "ä", "x,y"] {
        let pending = || IdentityHeader::subject(name);
        assert_eq!(
            pending().proxy_refuses_unverified(),
            Err(IdentityError::HeaderName),
            "{name:?}"
        );
        assert_eq!(
            pending().verified_by(VERIFY, "SUCCESS"),
            Err(IdentityError::HeaderName)
        );
        let verified = IdentityHeader::subject(SUBJECT).verified_by(name, "SUCCESS");
        assert_eq!(verified, Err(IdentityError::HeaderName), "{name:?}");
    }
    let same = IdentityHeader::subject(SUBJECT).verified_by("X-SSL-Client-Subject", "SUCCESS");
    assert_eq!(same, Err(IdentityError::HeaderName));
    for good in ["", "a b", "ä", "a\n"] {
        let verified = IdentityHeader::subject(SUBJECT).verified_by(VERIFY, good);
        assert_eq!(verified, Err(IdentityError::HeaderName), "{good:?}");
    }
}

#[test]
fn a_subject_can_satisfy_rules_with_common_names_alone() {
    for (rule, expected) in [
        (spiffe(), false),
        (IdentityRule::dns(), false),
        (IdentityRule::common_name(), true),
        (every_kind(), true),
    ] {
        assert_eq!(nginx().can_satisfy(&rule), expected);
        assert!(IdentityHeader::forwarded_client_cert().can_satisfy(&rule));
    }
}
