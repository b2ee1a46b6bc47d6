//! One certificate as header fields carry it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::IdentityError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of the one certificate in percent-encoded PEM, as nginx (`$ssl_client_escaped_cert`), Envoy
/// (`Cert`) and AWS load balancers write it. A plus sign is itself: none of them writes it for a space.
pub(crate) fn from_url_encoded_pem(text: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let text = percent_decoded(text).ok_or(IdentityError::EncodingMalformed)?;
    // ASCII, so that it is the same text to everybody.
    let text = str::from_utf8(&text).map_err(|_| IdentityError::EncodingMalformed)?;
    let body = text
        .trim_end_matches(['\r', '\n'])
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(IdentityError::EncodingMalformed)?;
    // A second certificate brings its own lines along, and a hyphen is not in the alphabet.
    let body: Vec<u8> = body
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    let der = STANDARD
        .decode(body)
        .map_err(|_| IdentityError::EncodingMalformed)?;
    Ok(der)
}

/// The DER in a byte sequence of structured fields (RFC 9651 §3.3.5), which is how RFC 9440 §2.1 has a
/// certificate: base64 between colons.
pub(crate) fn from_structured_binary(text: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let body = text
        .strip_prefix(b":")
        .and_then(|rest| rest.strip_suffix(b":"))
        .ok_or(IdentityError::EncodingMalformed)?;
    STANDARD
        .decode(body)
        .map_err(|_| IdentityError::EncodingMalformed)
}

/// RFC 3986 §2.1. `None` when a percent sign is not followed by two hexadecimal digits.
fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'%' {
            let high = hex_digit(*bytes.next()?)?;
            let low = hex_digit(*bytes.next()?)?;
            decoded.push(high << 4 | low);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// The value of a hexadecimal digit of either case.
pub(crate) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}
