//! Line 41 of the threat list: what must be refused.

use std::time::Duration;

use ringwall_authn::api_key::{ApiKeyRefusal, ApiKeyUse};
use ringwall_authn::{ApiKeyPrefix, MemoryApiKeys, SecretHasher};
use ringwall_core::secret::SecretBytes;

use super::*;

/// A key that is well-formed, and nobody's.
pub(crate) fn another_key() -> String {
    let elsewhere =
        ApiKeys::builder(Arc::new(MemoryApiKeys::new(1)), SecretHasher::sha256()).build();
    let mut created = Box::pin(elsewhere.create(request()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match Future::poll(created.as_mut(), &mut context) {
        std::task::Poll::Ready(created) => created.unwrap().key.text().expose().to_owned(),
        std::task::Poll::Pending => panic!("the memory store never waits"),
    }
}

/// The digits of CRC-32, so that a forged text gets as far as it can.
fn with_checksum(body: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32(body.as_bytes());
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.insert(0, char::from(DIGITS[usize::try_from(rest % 62).unwrap()]));
        rest /= 62;
    }
    format!("{body}{}", digits.into_iter().collect::<String>())
}

/// Bit by bit, as the standard describes it.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

fn from(address: &str) -> ApiKeyUse<'static> {
    ApiKeyUse {
        address: Some(address.parse().unwrap()),
        ..ANYWHERE
    }
}

fn on(origin: &str) -> ApiKeyUse<'_> {
    ApiKeyUse {
        origin: HeaderValues::One(origin.as_bytes()),
        ..ANYWHERE
    }
}

#[tokio::test]
async fn line_41_wrong_checksum() {
    let bench = bench();
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    let (body, checksum) = text.split_at(text.len() - 6);
    assert_eq!(with_checksum(body), text);
    let wrong = if checksum == "000000" {
        "000001"
    } else {
        "000000"
    };
    assert_eq!(
        bench.verify(&format!("{body}{wrong}")).await,
        Err(ApiKeyRefusal::Checksum)
    );
}

#[tokio::test]
async fn line_41_a_key_that_was_accepted_a_moment_ago_is_not_with_another_text_place_or_page() {
    let bench = bench();
    let free = bench.create(request()).await;
    let network = bench
        .create(request().networks(["192.0.2.0/24".parse().unwrap()]))
        .await;
    let origin = bench
        .create(request().origins(["https://example.com".parse().unwrap()]))
        .await;
    let [free, network, origin] =
        [&free, &network, &origin].map(|created| created.key.text().expose());
    for _ in 0..3 {
        assert!(bench.verify(free).await.is_ok());
        assert!(bench.verify_from(network, from("192.0.2.1")).await.is_ok());
        assert!(
            bench
                .verify_from(origin, on("https://example.com"))
                .await
                .is_ok()
        );
    }
    for place in 0..free.len() {
        for other in ["a", "B", "_", " "] {
            if &free[place..=place] == other {
                continue;
            }
            let mut changed = free.to_owned();
            changed.replace_range(place..=place, other);
            assert!(bench.verify(&changed).await.is_err(), "{place} {other}");
        }
    }
    assert_eq!(
        bench.verify(network).await,
        Err(ApiKeyRefusal::AddressUnknown)
    );
    assert_eq!(
        bench.verify_from(network, from("192.0.3.1")).await,
        Err(ApiKeyRefusal::Network)
    );
    assert_eq!(
        bench.verify(origin).await,
        Err(ApiKeyRefusal::OriginMissing)
    );
    assert_eq!(
        bench.verify_from(origin, on("null")).await,
        Err(ApiKeyRefusal::Origin)
    );
}

#[tokio::test]
async fn line_41_right_lookup_id_with_wrong_secret() {
    let bench = bench();
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    let body = &text[..text.len() - 6];
    for place in 21..64 {
        let other = if &body[place..=place] == "a" {
            "b"
        } else {
            "a"
        };
        let mut forged = body.to_owned();
        forged.replace_range(place..=place, other);
        let forged = with_checksum(&forged);
        assert_eq!(
            bench.verify(&forged).await,
            Err(ApiKeyRefusal::Secret),
            "{place}"
        );
    }
    // And the secret of one key with the id of another.
    let other = bench.create(request()).await;
    let mixed = format!("{}{}", &text[..21], &other.key.text().expose()[21..64]);
    assert_eq!(
        bench.verify(&with_checksum(&mixed)).await,
        Err(ApiKeyRefusal::Secret)
    );
    assert!(bench.verify(text).await.is_ok());
}

#[tokio::test]
async fn line_41_expired_to_the_second() {
    let bench = bench();
    let created = bench.create(request().expires_at(at(NOW + 100))).await;
    let text = created.key.text().expose();
    bench.clock.advance(Duration::from_secs(99));
    assert!(bench.verify(text).await.is_ok());
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(
        bench.verify(text).await,
        Err(ApiKeyRefusal::Expired),
        "also while in memory"
    );
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.verify(text).await, Err(ApiKeyRefusal::Expired));
}

#[tokio::test]
async fn line_41_revoked_stays_revoked_when_the_clock_goes_back() {
    let bench = bench();
    let created = bench.create(request()).await;
    bench
        .keys
        .revoke(&tenant("acme"), created.key.id())
        .await
        .unwrap();
    bench.clock.set(at(NOW - 1000));
    assert_eq!(
        bench.verify(created.key.text().expose()).await,
        Err(ApiKeyRefusal::Revoked)
    );
}

#[tokio::test]
async fn line_41_ipv4_mapped_ipv6_and_addresses_that_are_not_known() {
    let bench = bench();
    let request = request().networks([
        "192.0.2.0/24".parse().unwrap(),
        "2001:db8::/32".parse().unwrap(),
    ]);
    let created = bench.create(request).await;
    let text = created.key.text().expose();
    for good in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::7"] {
        assert!(bench.verify_from(text, from(good)).await.is_ok(), "{good}");
    }
    for bad in [
        "192.0.3.1",
        "::ffff:192.0.3.1",
        "::1",
        "2001:db9::1",
        "0.0.0.0",
    ] {
        assert_eq!(
            bench.verify_from(text, from(bad)).await,
            Err(ApiKeyRefusal::Network),
            "{bad}"
        );
    }
    assert_eq!(bench.verify(text).await, Err(ApiKeyRefusal::AddressUnknown));
}

#[tokio::test]
async fn line_41_origins_are_compared_whole() {
    let bench = bench();
    let request = request().origins([
        "https://example.com".parse().unwrap(),
        "https://*.app.example".parse().unwrap(),
    ]);
    let created = bench.create(request).await;
    let text = created.key.text().expose();
    for good in ["https://example.com", "https://a.app.example"] {
        assert!(bench.verify_from(text, on(good)).await.is_ok(), "{good}");
    }
    for bad in [
        "null",
        "https://evilexample.com",
        "http://example.com",
        "https://example.com:8443",
        "https://example.com.evil.test",
        "https://sub.example.com",
        "https://EXAMPLE.com",
        "https://example.com/",
        "https://app.example",
        "https://a.b.app.example",
        "https://evilapp.example",
        "",
    ] {
        assert_eq!(
            bench.verify_from(text, on(bad)).await,
            Err(ApiKeyRefusal::Origin),
            "{bad}"
        );
    }
    let twice = ApiKeyUse {
        origin: HeaderValues::Several(2),
        ..ANYWHERE
    };
    assert_eq!(
        bench.verify_from(text, twice).await,
        Err(ApiKeyRefusal::Origin)
    );
    assert_eq!(bench.verify(text).await, Err(ApiKeyRefusal::OriginMissing));
}

#[tokio::test]
async fn a_key_of_another_prefix_or_form_is_none() {
    let bench = bench();
    let prefix = ApiKeyPrefix::new("other").unwrap();
    let others = bench_with(Arc::new(MemoryApiKeys::new(1)), |builder| {
        builder.prefix(prefix)
    });
    let created = others.create(request()).await;
    for text in [
        created.key.text().expose(),
        "",
        "pak",
        "pak_",
        "pak__",
        "Bearer pak_x",
        "pak_0123456789abcdef_",
        &"a".repeat(1 << 20),
        &format!("pak_{}", "0".repeat(1 << 16)),
        "pak_\u{0}",
    ] {
        assert_eq!(
            bench.verify(text).await,
            Err(ApiKeyRefusal::Form),
            "{}",
            text.len()
        );
    }
}

#[tokio::test]
async fn who_can_write_the_table_cannot_make_a_key_without_the_pepper() {
    let pepper = SecretBytes::new(vec![3; 32]);
    let id = ringwall_authn::api_key::PepperId::new("p1").unwrap();
    let store: Arc<dyn ApiKeyStore> = Arc::new(MemoryApiKeys::new(10));
    let hasher = || SecretHasher::peppered(id.clone(), &pepper).unwrap();
    let keys = ApiKeys::builder(store.clone(), hasher()).build();
    let created = keys.create(request()).await.unwrap();
    let text = created.key.text().expose().as_bytes();
    assert!(keys.verify(text, ANYWHERE).await.is_ok());
    // Without the pepper it is not known whether the key is good: 503, not 401.
    let written = store.clone();
    let without = ApiKeys::builder(store, SecretHasher::sha256()).build();
    let error = without.verify(text, ANYWHERE).await.unwrap_err();
    assert_eq!(error.refusal(), ApiKeyRefusal::PepperUnknown);
    assert!(error.is_retryable());
    // And whoever writes a hash that needs no pepper has written nothing that counts.
    let forged = without.create(request()).await.unwrap();
    let forged = forged.key.text().expose().as_bytes();
    assert!(without.verify(forged, ANYWHERE).await.is_ok());
    let fresh = |hasher| ApiKeys::builder(written.clone(), hasher).build();
    let error = fresh(hasher()).verify(forged, ANYWHERE).await.unwrap_err();
    assert_eq!(error.refusal(), ApiKeyRefusal::PepperUnknown);
    let by_name = fresh(hasher().accept_unpeppered());
    assert!(by_name.verify(forged, ANYWHERE).await.is_ok());
}
