//! API keys in every state, in the field `x-service-key`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "what is put together for the tests fails by panicking"
)]

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::{
    ApiKeyAuthenticator, ApiKeyAuthenticatorBuilder, ApiKeyRequest, ApiKeys, MemoryApiKeys,
    SecretHasher,
};
use ringwall_core::clock::ManualClock;
use ringwall_core::principal::{OrgId, ProjectId, Scope, Subject, Tenant};
use ringwall_core::secret::SecretString;

use crate::credentials;

/// The keys by name, and who judges them.
#[derive(Debug)]
pub(crate) struct KnownKeys {
    keys: ApiKeys,
    texts: BTreeMap<&'static str, String>,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl KnownKeys {
    pub(crate) fn new() -> Self {
        // They are made a day before everything happens.
        let clock = Arc::new(ManualClock::new(credentials::now()));
        let now = credentials::now();
        clock.set(now.checked_sub(DAY).expect("in range"));
        let keys = ApiKeys::builder(Arc::new(MemoryApiKeys::new(100)), SecretHasher::sha256())
            .clock(clock.clone())
            .monotonic_clock(clock.clone())
            .accept_imported()
            .build();
        let mut texts = BTreeMap::new();
        let made = |request| at_once(keys.create(request)).expect("a key");
        let text = |created: &ringwall_authn::api_key::CreatedApiKey| {
            created.key.text().expose().to_owned()
        };
        let network = |text: &str| text.parse().expect("a network");
        let origin = |text: &str| text.parse().expect("an origin");

        let reader = made(reader());
        let good = text(&reader);
        texts.insert("wrong_checksum", other_end(&good));
        texts.insert(
            "wrong_secret",
            with_secret_of(&good, &text(&made(request()))),
        );
        texts.insert("cut", good.get(..40).expect("ASCII").to_owned());
        texts.insert("reader", good);
        texts.insert("scopeless", text(&made(request())));
        texts.insert("here", text(&made(reader_from([network("127.0.0.0/8")]))));
        texts.insert(
            "elsewhere",
            text(&made(reader_from([network("198.51.100.0/24")]))),
        );
        let pages = [
            origin("https://app.example"),
            origin("https://*.apps.example"),
        ];
        texts.insert("page", text(&made(self::reader().origins(pages))));
        texts.insert("expired", text(&made(self::reader().expires_at(now))));

        let by = || Subject::new("user-1").expect("a subject");
        let revoked = made(self::reader());
        at_once(keys.revoke(&tenant(), revoked.key.id())).expect("revoked");
        texts.insert("revoked", text(&revoked));
        let rotated = made(self::reader());
        at_once(keys.rotate(&tenant(), rotated.key.id(), by(), DAY)).expect("rotated");
        texts.insert("rotated", text(&rotated));
        let in_grace = made(self::reader());
        let grace = DAY + Duration::from_secs(1);
        let new = at_once(keys.rotate(&tenant(), in_grace.key.id(), by(), grace)).expect("rotated");
        texts.insert("in_grace", text(&in_grace));
        texts.insert("successor", text(&new));

        let sso = Tenant {
            org: OrgId::new("sso").expect("an id"),
            project: None,
        };
        let by_sso = ApiKeyRequest::new("a key", sso, by()).expect("a name");
        let scope = Scope::new("cases:read").expect("a scope");
        texts.insert("sso", text(&made(by_sso.scopes([scope]))));

        let scope = Scope::new("payments:read").expect("a scope");
        texts.insert("payments", text(&made(request().scopes([scope]))));

        let old = format!("pak_{}", "0123456789abcdef".repeat(4));
        at_once(keys.import(&SecretString::new(old.clone()), self::reader())).expect("imported");
        texts.insert("unknown_old", old.replace("0123", "0124"));
        texts.insert("old", old);

        let strangers =
            ApiKeys::builder(Arc::new(MemoryApiKeys::new(1)), SecretHasher::sha256()).build();
        texts.insert(
            "unknown",
            text(&at_once(strangers.create(request())).expect("a key")),
        );
        clock.set(now);
        Self { keys, texts }
    }

    /// Who judges them.
    pub(crate) fn authenticator(&self) -> ApiKeyAuthenticatorBuilder {
        let builder = ApiKeyAuthenticator::builder(self.keys.clone());
        builder
            .header("x-service-key")
            .expect("the name of a field")
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }
}

fn tenant() -> Tenant {
    Tenant {
        org: OrgId::new("acme").expect("an id"),
        project: None,
    }
}

fn request() -> ApiKeyRequest {
    let tenant = Tenant {
        project: Some(ProjectId::new("p1").expect("an id")),
        ..tenant()
    };
    let by = Subject::new("user-1").expect("a subject");
    ApiKeyRequest::new("a key", tenant, by).expect("a name")
}

fn reader() -> ApiKeyRequest {
    request().scopes([Scope::new("cases:read").expect("a scope")])
}

fn reader_from(
    networks: impl IntoIterator<Item = ringwall_authn::AllowedNetwork>,
) -> ApiKeyRequest {
    reader().networks(networks)
}

/// Another last digit of the checksum.
fn other_end(text: &str) -> String {
    let (body, last) = text.split_at(text.len().saturating_sub(1));
    let other = if last == "0" { "1" } else { "0" };
    format!("{body}{other}")
}

/// The id of one key with the secret of another, and a checksum that fits.
fn with_secret_of(text: &str, other: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let id = text.get(..21).expect("ASCII");
    let secret = other.get(21..64).expect("ASCII");
    let body = format!("{id}{secret}");
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let shifted = crc >> 1;
            crc = if crc & 1 == 1 {
                shifted ^ 0xedb8_8320
            } else {
                shifted
            };
        }
    }
    let mut rest = !crc;
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(rest % 62).expect("small")];
        rest /= 62;
    }
    format!("{body}{}", core::str::from_utf8(&digits).expect("ASCII"))
}

/// The answer of a future that does not wait: the keys are in memory.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store never waits"),
    }
}
