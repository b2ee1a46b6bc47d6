//! Schemes as proxies say them.

/// The scheme that `text` names in any case of letters, if it is one of the two that a client can have
/// used.
pub(super) fn scheme(text: &[u8]) -> Option<&'static str> {
    ["https", "http"]
        .into_iter()
        .find(|known| text.eq_ignore_ascii_case(known.as_bytes()))
}
