//! Header fields in which a proxy says whose certificate it verified.

use ringwall_core::request::{HeaderValues, RequestView};

use crate::certificate::{
    CertificateNames, IdentityError, IdentityKind, IdentityRule, from_structured_binary,
    from_url_encoded_pem,
};
use crate::forwarded_client_cert::ForwardedClientCert;
use crate::subject::SubjectName;

/// A header field in which a trusted proxy says whose certificate it verified, and how to tell that it
/// did verify it.
///
/// A subject alone proves nothing: nginx with `ssl_verify_client optional_no_ca` forwards the subject
/// of a certificate that anybody made for himself, and says so in another field only. So a field is
/// usable once somebody said where the verdict stands ([`PendingHeader::verified_by`]), or
/// that the proxy refuses everybody whom it cannot verify ([`PendingHeader::proxy_refuses_unverified`]).
///
/// Reading it says nothing about who sent it. Whoever reads asks first whether the socket peer is a
/// trusted proxy, and removes [`header_names`](Self::header_names) from everybody else's requests.
///
/// ```
/// use ringwall_transport::IdentityHeader;
///
/// let nginx = IdentityHeader::subject("x-ssl-client-subject")
///     .verified_by("x-ssl-client-verify", "SUCCESS")?;
/// assert_eq!(
///     nginx.header_names().collect::<Vec<_>>(),
///     ["x-ssl-client-subject", "x-ssl-client-verify"]
/// );
/// let envoy = IdentityHeader::forwarded_client_cert();
/// assert_eq!(envoy.header_names().collect::<Vec<_>>(), ["x-forwarded-client-cert"]);
/// # Ok::<(), ringwall_transport::IdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    name: Box<str>,
    form: Form,
    verdict: Option<Verdict>,
}

/// An [`IdentityHeader`] of which nobody said yet how to tell that the certificate was verified.
#[derive(Clone, Debug)]
#[must_use = "say how the proxy tells that it verified the certificate"]
pub struct PendingHeader {
    name: Box<str>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// RFC 4514 or RFC 2253.
    Subject,
    /// The old form of OpenSSL.
    OnelineSubject,
    /// PEM, percent-encoded.
    UrlEncodedPem,
    /// RFC 9440.
    StructuredBinary,
    /// Envoy's field.
    Forwarded {
        appended: bool,
        certificate_required: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    name: Box<str>,
    good: Box<str>,
}

/// The longest value of a field with a subject or a certificate, in bytes: a certificate of
/// 16 KiB in base64 whose every other sign is escaped, and more than servers take by default.
const MAX_VALUE_BYTES: usize = 61_440;

impl IdentityHeader {
    /// The subject of the certificate as RFC 2253 or RFC 4514 has it ([`SubjectName::parse`]): nginx
    /// (`proxy_set_header x-ssl-client-subject $ssl_client_s_dn`), Apache, AWS
    /// (`x-amzn-mtls-clientcert-subject`). It identifies by its common name; about alternative names,
    /// dates and the certificate itself it says nothing, so prefer
    /// [`certificate`](Self::certificate) where the proxy can write one.
    pub fn subject(name: &str) -> PendingHeader {
        PendingHeader::new(name, Form::Subject)
    }

    /// The subject in the old form of OpenSSL ([`SubjectName::parse_oneline`]), which **does not tell
    /// a separator from a part of a name**. For proxies that cannot write another.
    pub fn oneline_subject(name: &str) -> PendingHeader {
        PendingHeader::new(name, Form::OnelineSubject)
    }

    /// The certificate in percent-encoded PEM: nginx (`$ssl_client_escaped_cert`), AWS
    /// (`x-amzn-mtls-clientcert-leaf`).
    pub fn certificate(name: &str) -> PendingHeader {
        PendingHeader::new(name, Form::UrlEncodedPem)
    }

    /// The certificate in the `Client-Cert` field of RFC 9440.
    pub fn client_cert() -> PendingHeader {
        PendingHeader::new("client-cert", Form::StructuredBinary)
    }

    /// Envoy's `X-Forwarded-Client-Cert`, of a proxy that removes what clients send under the name and
    /// says one hop (`forward_client_cert_details: SANITIZE_SET`).
    ///
    /// | Envoy's `forward_client_cert_details` | what to do |
    /// |---|---|
    /// | `SANITIZE` (its default) | it forwards nothing, and nobody is identified |
    /// | `SANITIZE_SET` | this |
    /// | `APPEND_FORWARD` | this, and [`appended`](Self::appended) |
    /// | `FORWARD_ONLY` | **never**: what the proxy's client says passes as it is |
    /// | `ALWAYS_FORWARD_ONLY` | **never**: what anybody says passes as it is |
    ///
    /// Envoy has no field for a verdict: it must verify by itself. Its validation context needs
    /// `trusted_ca`, and `trust_chain_verification` must not be `ACCEPT_UNTRUSTED`, with which it
    /// forwards certificates that it could not verify.
    #[must_use]
    pub fn forwarded_client_cert() -> Self {
        Self {
            name: "x-forwarded-client-cert".into(),
            form: Form::Forwarded {
                appended: false,
                certificate_required: false,
            },
            verdict: None,
        }
    }

    /// Takes the last of several elements of `X-Forwarded-Client-Cert`: what the trusted proxy
    /// appended about its own client (`APPEND_FORWARD`). Those before it are what that client said.
    /// Of no effect on another field.
    ///
    /// **Only where no authority signs a URI or a DNS name with a comma in it.** Envoy writes both
    /// without quotes, so such a name begins another element, of which the client can say anything.
    /// An authority that signs nothing but SPIFFE ids and host names is safe; with any other, let the
    /// nearest proxy write one hop (`SANITIZE_SET`), where a second element is refused.
    #[must_use]
    pub fn appended(mut self) -> Self {
        if let Form::Forwarded { appended, .. } = &mut self.form {
            *appended = true;
        }
        self
    }

    /// Demands the certificate itself in `X-Forwarded-Client-Cert`
    /// (`set_current_client_cert_details: { cert: true }`). Then names are read by this crate from what
    /// the authority signed, dates and the fingerprint are known, and nothing depends on how Envoy
    /// writes names without quotes. Of no effect on another field.
    #[must_use]
    pub fn certificate_required(mut self) -> Self {
        if let Form::Forwarded {
            certificate_required,
            ..
        } = &mut self.form
        {
            *certificate_required = true;
        }
        self
    }

    /// The names, in lower case, of the fields that are believed: they have to be removed from
    /// requests of everybody but the trusted proxies.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        let verdict = self.verdict.as_ref().map(|verdict| &*verdict.name);
        core::iter::once(&*self.name).chain(verdict)
    }

    /// Whether the field can yield a name that `rule` accepts at all. A subject holds common names
    /// alone.
    #[must_use]
    pub const fn can_satisfy(&self, rule: &IdentityRule) -> bool {
        match self.form {
            Form::Subject | Form::OnelineSubject => rule.accepts(IdentityKind::CommonName),
            Form::UrlEncodedPem | Form::StructuredBinary | Form::Forwarded { .. } => true,
        }
    }

    /// Whether the field tells which certificate it is, by the certificate itself or by its digest. A
    /// subject does not: many certificates have it.
    #[must_use]
    pub const fn tells_certificate(&self) -> bool {
        match self.form {
            Form::Subject | Form::OnelineSubject => false,
            Form::UrlEncodedPem | Form::StructuredBinary | Form::Forwarded { .. } => true,
        }
    }

    /// Whether the request has the field, well-formed or not. The verdict alone is no credential: a
    /// proxy writes `NONE` for a client that has no certificate.
    #[must_use]
    pub fn is_presented(&self, view: &RequestView<'_>) -> bool {
        view.header(&self.name) != HeaderValues::Absent
    }

    /// Reads the field of a request that a trusted proxy sent.
    ///
    /// Each field has to be there exactly once: of two, the proxy may have written the other one. The
    /// verdict has to be the good one byte for byte.
    ///
    /// # Errors
    ///
    /// [`IdentityError`]; [`IdentityError::is_malformed`] tells an ill-formed request from a caller
    /// that is not acceptable.
    pub fn read(&self, view: &RequestView<'_>) -> Result<CertificateNames, IdentityError> {
        let value = match view.header(&self.name) {
            HeaderValues::Absent => return Err(IdentityError::HeaderMissing),
            HeaderValues::One(value) => value,
            HeaderValues::Several(_) => return Err(IdentityError::HeaderRepeated),
        };
        if let Some(verdict) = &self.verdict {
            match view.header(&verdict.name) {
                HeaderValues::Absent => return Err(IdentityError::VerdictMissing),
                HeaderValues::One(text) if text == verdict.good.as_bytes() => {}
                HeaderValues::One(_) => return Err(IdentityError::NotVerified),
                HeaderValues::Several(_) => return Err(IdentityError::VerdictRepeated),
            }
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(IdentityError::HeaderTooLong);
        }
        match self.form {
            Form::Subject => subject(value, SubjectName::parse),
            Form::OnelineSubject => subject(value, SubjectName::parse_oneline),
            Form::UrlEncodedPem => CertificateNames::from_der(&from_url_encoded_pem(value)?),
            Form::StructuredBinary => CertificateNames::from_der(&from_structured_binary(value)?),
            Form::Forwarded {
                appended,
                certificate_required,
            } => {
                let forwarded = ForwardedClientCert::parse(value)?;
                let element = if appended {
                    forwarded.nearest()?
                } else {
                    forwarded.only()?
                };
                if certificate_required && element.certificate().is_none() {
                    return Err(IdentityError::CertificateMissing);
                }
                element.names()
            }
        }
    }
}

fn subject(
    value: &[u8],
    parse: fn(&str) -> Result<SubjectName, IdentityError>,
) -> Result<CertificateNames, IdentityError> {
    let text = str::from_utf8(value).map_err(|_| IdentityError::SubjectMalformed)?;
    Ok(CertificateNames::from_subject(&parse(text)?))
}

impl PendingHeader {
    fn new(name: &str, form: Form) -> Self {
        Self {
            name: name.to_ascii_lowercase().into(),
            form,
        }
    }

    /// The proxy says in the field `name` whether it verified the certificate, and `good` is what it
    /// says when it did: for nginx `$ssl_client_verify` and `SUCCESS`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::HeaderName`] when one of the names is none of a field, both are the same, or
    /// `good` is empty or not printable ASCII.
    pub fn verified_by(self, name: &str, good: &str) -> Result<IdentityHeader, IdentityError> {
        let name = name.to_ascii_lowercase();
        if !is_field_name(&name)
            || *name == *self.name
            || good.is_empty()
            || !good.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(IdentityError::HeaderName);
        }
        self.with(Some(Verdict {
            name: name.into(),
            good: good.into(),
        }))
    }

    /// The proxy hands on no request of a client whose certificate it could not verify, so that the
    /// field itself is the verdict: nginx with `ssl_verify_client on`, HAProxy with `verify required`,
    /// an AWS load balancer in the mode `verify`. **If the proxy is set up in another way, everybody
    /// can be anybody.** Prefer a verdict where the proxy can write one.
    ///
    /// # Errors
    ///
    /// [`IdentityError::HeaderName`] when the name is none of a field.
    pub fn proxy_refuses_unverified(self) -> Result<IdentityHeader, IdentityError> {
        self.with(None)
    }

    fn with(self, verdict: Option<Verdict>) -> Result<IdentityHeader, IdentityError> {
        if !is_field_name(&self.name) {
            return Err(IdentityError::HeaderName);
        }
        Ok(IdentityHeader {
            name: self.name,
            form: self.form,
            verdict,
        })
    }
}

/// RFC 9110 §5.1, §5.6.2, in lower case. An underscore is permitted there and not here: servers on the
/// way take it for a hyphen or drop the field, so nobody knows whose field arrives.
fn is_field_name(name: &str) -> bool {
    let is_listed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^`|~".contains(&byte)
    };
    !name.is_empty() && name.bytes().all(is_listed)
}
