//! The old form of OpenSSL, with a slash before each attribute.

use crate::certificate::IdentityError;
use crate::subject::{SubjectAttribute, SubjectName, SubjectValue, is_attribute_type};

const MALFORMED: IdentityError = IdentityError::SubjectMalformed;

pub(crate) fn parse(text: &str) -> Result<SubjectName, IdentityError> {
    // OpenSSL writes `\x0A` for what it does not print, newer versions `\/` and `\+` for separators,
    // and all of them a backslash for a backslash: where one stands, nobody can tell what it is. A bare
    // plus is a separator in newer versions and a part of the value in older ones.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'+');
    if text.len() > SubjectName::MAX_BYTES || !text.bytes().all(is_plain) {
        return Err(MALFORMED);
    }
    let mut subject = SubjectName {
        attributes: Vec::new(),
    };
    for part in text.strip_prefix('/').ok_or(MALFORMED)?.split('/') {
        let (kind, value) = part.split_once('=').ok_or(MALFORMED)?;
        if !is_attribute_type(kind) {
            return Err(MALFORMED);
        }
        subject.push(SubjectAttribute {
            kind: kind.into(),
            value: SubjectValue::Text(value.into()),
            joined: false,
        })?;
    }
    Ok(subject)
}
