//! base64url without padding (RFC 7515 §2), exactly one text for each value.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Refuses padding, the standard alphabet, white space, and trailing bits that are not zero: two
/// texts for one signature would be two tokens for one authorisation.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The bytes of `text`; `None` when it is not exactly what [`encode`] would write.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    // Exactly as long as the result, so that nobody has to shrink it.
    let (quads, rest) = (text.len() / 4, text.len() % 4);
    let length = quads.checked_mul(3)?.checked_add(rest.saturating_sub(1))?;
    let mut bytes = vec![0; length];
    let written = STRICT.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(written);
    Some(bytes)
}

/// Decodes into `buffer` and answers the part that was filled. `None` also when it does not fit.
#[must_use]
pub fn decode_into<'b>(text: &str, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = STRICT.decode_slice(text, buffer).ok()?;
    buffer.get(..length)
}

/// The text of `bytes`.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STRICT.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_every_second_spelling() {
        for text in [
            "YQ==", "YQ=", "YR", "YWI+", "YWI/", " YQ", "YQ ", "YQ\n", "Y", "YWJj\0",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
            assert_eq!(decode_into(text, &mut [0; 16]), None, "{text:?}");
        }
        assert_eq!(decode("YQ").as_deref(), Some(&b"a"[..]));
        assert_eq!(decode("").as_deref(), Some(&b""[..]));
        assert_eq!(decode_into("YWJj", &mut [0; 2]), None, "does not fit");
    }

    proptest! {
        #[test]
        fn property_has_one_text_for_each_value(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let text = encode(&bytes);
            let mut buffer = [0; 80];
            prop_assert_eq!(decode_into(&text, &mut buffer), Some(&bytes[..]));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn property_what_decodes_is_what_would_be_encoded(text in "[A-Za-z0-9_=+/ -]{0,24}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(bytes), text);
            }
        }
    }
}
