//! Distinguished names as proxies write them.

mod oneline;
mod rfc4514;

use core::fmt;

use crate::certificate::{CommonName, IdentityError};

/// The subject of a certificate as a proxy wrote it into a header field.
///
/// The text of a distinguished name is a trap: a value may hold what separates values, and only the
/// escapes tell the two apart. `O=x\,CN=admin` has one attribute, `O=x,CN=admin` has two, and a reader
/// that splits at commas or searches for `CN=` lets everybody be `admin` who may choose the name of an
/// organisation. So the whole text is read by the grammar of its form, and a text that leaves anything
/// open is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectName {
    attributes: Vec<SubjectAttribute>,
}

/// One attribute of a [`SubjectName`], such as `CN=payments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectAttribute {
    kind: Box<str>,
    value: SubjectValue,
    /// Whether it stands in one set with the attribute before it (`+`).
    joined: bool,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectValue {
    /// Text, its escapes resolved.
    Text(Box<str>),
    /// The encoding of a value whose type the writer did not know (`#` and hexadecimal digits,
    /// RFC 4514 §2.4). It is kept and not looked into.
    Encoded(Box<[u8]>),
}

impl SubjectName {
    /// The longest text that is read, in bytes. The subjects of certificates that follow the upper
    /// bounds of RFC 5280 appendix A, each character escaped, are shorter.
    pub const MAX_BYTES: usize = 8_192;

    /// The most attributes. Certificates have about ten.
    pub const MAX_ATTRIBUTES: usize = 64;

    /// Reads the string form of RFC 4514, and of RFC 2253 before it: `CN=payments,OU=eu,O=Example`.
    /// nginx writes it (`$ssl_client_s_dn`), Envoy (`Subject`), Apache (`SSL_CLIENT_S_DN`), AWS load
    /// balancers and `openssl x509 -subject -nameopt RFC2253`.
    ///
    /// All of the grammar is understood: escapes of characters (`\,`) and of bytes (`\2C`), encoded
    /// values (`#0C01…`), sets of attributes (`+`), quoted values (RFC 2253 §3), types as words or as
    /// numbers. What RFC 2253 §4 added for LDAPv2 is not: no white space around separators, no `;`
    /// between names, no `OID.`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::SubjectMalformed`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        rfc4514::parse(text)
    }

    /// Reads the old form of OpenSSL (`X509_NAME_oneline`): `/C=US/O=Example/CN=payments`.
    ///
    /// **This form is not safe.** Older versions of OpenSSL do not escape its separator, so an
    /// organisation called `x/CN=admin` reads as an organisation `x` and a common name `admin`; newer
    /// ones escape it with a backslash that they do not escape itself. Use it only where the authority
    /// chooses every attribute, and change the proxy to RFC 2253 (nginx has done so since 1.11.6).
    ///
    /// What shows that something may be wrong is refused: backslashes, `+` (which some versions write
    /// between attributes of one set), characters that are not printable ASCII, a part without a type.
    ///
    /// # Errors
    ///
    /// [`IdentityError::SubjectMalformed`].
    pub fn parse_oneline(text: &str) -> Result<Self, IdentityError> {
        oneline::parse(text)
    }

    /// The attributes, in the order written. RFC 4514 writes the most specific one first.
    #[must_use]
    pub fn attributes(&self) -> &[SubjectAttribute] {
        &self.attributes
    }

    /// The one common name.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Nameless`] without one, [`IdentityError::Ambiguous`] with several,
    /// [`IdentityError::CommonName`] with one that is not acceptable.
    pub fn common_name(&self) -> Result<CommonName, IdentityError> {
        let mut names = self.common_names();
        let name = names.next().ok_or(IdentityError::Nameless)?;
        if names.next().is_some() {
            return Err(IdentityError::Ambiguous);
        }
        CommonName::new(name.ok_or(IdentityError::CommonName)?)
    }

    /// All common names; `None` for one that is not text.
    pub(crate) fn common_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.attributes
            .iter()
            .filter(|attribute| attribute.is_common_name())
            .map(|attribute| match &attribute.value {
                SubjectValue::Text(text) => Some(&**text),
                SubjectValue::Encoded(_) => None,
            })
    }

    /// With one attribute more.
    fn push(&mut self, attribute: SubjectAttribute) -> Result<(), IdentityError> {
        if self.attributes.len() >= Self::MAX_ATTRIBUTES {
            return Err(IdentityError::SubjectMalformed);
        }
        self.attributes.push(attribute);
        Ok(())
    }
}

impl SubjectAttribute {
    /// The type as it was written: a word such as `CN`, or numbers such as `2.5.4.3`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &SubjectValue {
        &self.value
    }

    /// Whether it stands in one set with the attribute before it.
    #[must_use]
    pub const fn is_joined(&self) -> bool {
        self.joined
    }

    /// Under each of its names (RFC 4519 §2.3), since another reader knows them too.
    fn is_common_name(&self) -> bool {
        ["cn", "commonname", "2.5.4.3"]
            .iter()
            .any(|name| self.kind.eq_ignore_ascii_case(name))
    }
}

/// RFC 4512 §1.4: a word of letters, digits and hyphens that begins with a letter, or numbers with dots
/// between them.
fn is_attribute_type(text: &str) -> bool {
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    } else {
        text.contains('.')
            && text.split('.').all(|number| {
                !number.is_empty()
                    && number.bytes().all(|byte| byte.is_ascii_digit())
                    && (number == "0" || !number.starts_with('0'))
            })
    }
}

/// As RFC 4514 §2 has it.
impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attribute) in self.attributes.iter().enumerate() {
            if index > 0 {
                f.write_str(if attribute.joined { "+" } else { "," })?;
            }
            write!(f, "{}=", attribute.kind)?;
            match &attribute.value {
                SubjectValue::Text(text) => rfc4514::write_value(f, text)?,
                SubjectValue::Encoded(bytes) => {
                    f.write_str("#")?;
                    for byte in bytes {
                        write!(f, "{byte:02X}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
