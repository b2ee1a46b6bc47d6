use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringwall_browser::CspNonce;

#[test]
fn has_144_random_bits_that_need_no_escaping() {
    let nonce = CspNonce::generate().expect("random bytes");
    let bytes = URL_SAFE_NO_PAD.decode(nonce.as_str()).expect("base64");
    assert_eq!(bytes.len(), 18);
    assert!(
        nonce
            .as_str()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    );
}

#[test]
fn is_another_each_time() {
    let mut seen: Vec<String> = (0..1000)
        .map(|_| CspNonce::generate().expect("random bytes").to_string())
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1000);
}

/// Each bit is set about as often as not: a source that is stuck, or of which most is thrown away, fails.
#[test]
fn every_bit_varies() {
    let mut counts = [0_u32; 144];
    for _ in 0..1000 {
        let nonce = CspNonce::generate().expect("random bytes");
        let bytes = URL_SAFE_NO_PAD.decode(nonce.as_str()).expect("base64");
        for (bit, count) in counts.iter_mut().enumerate() {
            let byte = bytes[bit / 8];
            *count = count.saturating_add(u32::from((byte >> (bit % 8)) & 1));
        }
    }
    // Ten standard deviations from 500.
    assert!(
        counts.iter().all(|count| (340..660).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn is_not_shown_for_debugging() {
    let nonce = CspNonce::generate().expect("random bytes");
    assert!(!format!("{nonce:?}").contains(nonce.as_str()));
}
