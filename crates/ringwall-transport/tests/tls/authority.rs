//! Certificates of every kind, made for one test.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

/// A second of the epoch as a time of rcgen, which does not export the type.
macro_rules! at {
    ($second:expr) => {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(i64::unsigned_abs($second))
    };
}

/// The second at which the tests' clocks begin: 2026-01-31.
pub(crate) const NOW: i64 = 1_769_846_400;

pub(crate) const HOUR: i64 = 3600;

pub(crate) const DAY: i64 = 24 * HOUR;

/// A chain and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) serial: u64,
}

pub(crate) struct Authority {
    params: CertificateParams,
    key: KeyPair,
    /// The root itself.
    pub(crate) pem: String,
    /// What an intermediate sends along.
    along: String,
}

/// A certificate to be issued.
#[derive(Clone)]
pub(crate) struct Leaf {
    names: Vec<String>,
    usages: Vec<ExtendedKeyUsagePurpose>,
    is_ca: IsCa,
    from: i64,
    until: i64,
}

impl Leaf {
    pub(crate) fn client() -> Self {
        Self {
            names: vec!["client.test".to_owned()],
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
            is_ca: IsCa::ExplicitNoCa,
            from: NOW - HOUR,
            until: NOW + 30 * DAY,
        }
    }

    pub(crate) fn server() -> Self {
        Self {
            names: vec!["localhost".to_owned()],
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
            ..Self::client()
        }
    }

    pub(crate) fn usages(mut self, usages: &[ExtendedKeyUsagePurpose]) -> Self {
        self.usages = usages.to_vec();
        self
    }

    pub(crate) fn authority(mut self) -> Self {
        self.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.names = vec![name.to_owned()];
        self
    }

    /// Valid between these seconds, both inclusive.
    pub(crate) fn valid(mut self, from: i64, until: i64) -> Self {
        self.from = from;
        self.until = until;
        self
    }

    fn params(&self, serial: u64) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).expect("names");
        params.distinguished_name = name("leaf");
        params.is_ca = self.is_ca;
        params.extended_key_usages.clone_from(&self.usages);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = at!(self.from);
        params.not_after = at!(self.until);
        params.serial_number = Some(SerialNumber::from(serial));
        params
    }

    /// Signed by its own key.
    pub(crate) fn self_signed(&self) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let serial = serial();
        let certificate = self
            .params(serial)
            .self_signed(&key)
            .expect("a certificate");
        Issued {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            serial,
        }
    }
}

impl Authority {
    pub(crate) fn new(called: &str) -> Self {
        Self::valid(called, NOW - DAY, NOW + 3650 * DAY)
    }

    pub(crate) fn valid(called: &str, from: i64, until: i64) -> Self {
        let (params, key) = (authority_params(called, from, until), new_key());
        let pem = params.self_signed(&key).expect("a root").pem();
        Self {
            params,
            key,
            pem,
            along: String::new(),
        }
    }

    /// So many roots, with one key.
    pub(crate) fn many(called: &str, count: usize) -> Vec<String> {
        let key = new_key();
        let root = |number| {
            let params = authority_params(&format!("{called} {number}"), NOW, NOW + DAY);
            params.self_signed(&key).expect("a root").pem()
        };
        (0..count).map(root).collect()
    }

    /// One that says for which names it is, in a way that nobody understands (RFC 5280 §4.2.1.10).
    pub(crate) fn with_broken_name_constraints(called: &str) -> Self {
        let (mut params, key) = (authority_params(called, NOW - DAY, NOW + DAY), new_key());
        let broken = CustomExtension::from_oid_content(&[2, 5, 29, 30], vec![5, 0]);
        params.custom_extensions.push(broken);
        let pem = params.self_signed(&key).expect("a root").pem();
        Self {
            params,
            key,
            pem,
            along: String::new(),
        }
    }

    /// An authority below this one.
    pub(crate) fn intermediate(&self, called: &str, from: i64, until: i64) -> Self {
        let (params, key) = (authority_params(called, from, until), new_key());
        let certificate = params
            .signed_by(&key, &self.issuer())
            .expect("a certificate");
        Self {
            params,
            key,
            pem: certificate.pem(),
            along: certificate.pem() + &self.along,
        }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    pub(crate) fn issue(&self, leaf: &Leaf) -> Issued {
        let (key, serial) = (new_key(), serial());
        let certificate = leaf
            .params(serial)
            .signed_by(&key, &self.issuer())
            .expect("a certificate");
        Issued {
            chain: certificate.pem() + &self.along,
            key: key.serialize_pem(),
            serial,
        }
    }

    /// The root with its own key.
    pub(crate) fn itself(&self) -> Issued {
        Issued {
            chain: self.pem.clone(),
            key: self.key.serialize_pem(),
            serial: 0,
        }
    }

    /// A certificate that was signed with the key of a leaf, which is sent along as if it were an
    /// authority.
    pub(crate) fn issue_as_false_authority(&self, called: &str, leaf: &Leaf) -> Issued {
        let (mut params, key) = (authority_params(called, leaf.from, leaf.until), new_key());
        params.is_ca = IsCa::ExplicitNoCa;
        let certificate = params
            .signed_by(&key, &self.issuer())
            .expect("a certificate");
        let below = Self {
            params,
            key,
            pem: certificate.pem(),
            along: certificate.pem(),
        };
        below.issue(leaf)
    }

    /// A list of this authority that is overdue from `until` on.
    pub(crate) fn revocation_list(&self, revoked: &[&Issued], until: i64) -> String {
        let revoked_certs = revoked
            .iter()
            .map(|issued| RevokedCertParams {
                serial_number: SerialNumber::from(issued.serial),
                revocation_time: at!(NOW - HOUR),
                reason_code: None,
                invalidity_date: None,
            })
            .collect();
        CertificateRevocationListParams {
            this_update: at!(NOW - HOUR),
            next_update: at!(until),
            crl_number: SerialNumber::from(serial()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer())
        .expect("a list")
        .pem()
        .expect("PEM")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn authority_params(called: &str, from: i64, until: i64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name = name(called);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = at!(from);
    params.not_after = at!(until);
    params
}

fn name(called: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, called);
    name
}

fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
