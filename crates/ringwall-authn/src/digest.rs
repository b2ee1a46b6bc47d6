//! SHA-256.

/// The digest of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut array = [0; 32];
    for (to, from) in array.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    array
}
