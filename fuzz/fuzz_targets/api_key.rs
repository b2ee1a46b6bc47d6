//! No text is accepted as an API key but the key itself; what is read of a stored key is written as it
//! was read.

#![no_main]

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use ringwall_authn::api_key::{ApiKeyRefusal, ApiKeyUse, SecretDigest};
use ringwall_authn::{
    AllowedNetwork, ApiKeyId, ApiKeyPrefix, ApiKeyRequest, ApiKeys, MemoryApiKeys, SecretHasher,
};
use ringwall_core::principal::{OrgId, Subject, Tenant};
use ringwall_core::request::HeaderValues;
use ringwall_core::secret::SecretString;

const OLD: &str = "pak_4f1c0a9be27d3856f0a1b2c3d4e5f60718293a4b5c6d7e8f9091a2b3c4d5e6f7";

static KEYS: LazyLock<(ApiKeys, String)> = LazyLock::new(|| {
    let keys = ApiKeys::builder(Arc::new(MemoryApiKeys::new(10)), SecretHasher::sha256())
        .cached(64)
        .accept_imported()
        .build();
    let request = || {
        let tenant = Tenant {
            org: OrgId::new("acme").unwrap(),
            project: None,
        };
        ApiKeyRequest::new("a key", tenant, Subject::new("u").unwrap()).unwrap()
    };
    let created = at_once(keys.create(request())).unwrap();
    at_once(keys.import(&SecretString::new(OLD.to_owned()), request())).unwrap();
    let text = created.key.text().expose().to_owned();
    (keys, text)
});

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the memory store never waits"),
    }
}

fn judge(text: &[u8]) -> Result<(), ApiKeyRefusal> {
    let usage = ApiKeyUse {
        address: None,
        origin: HeaderValues::Absent,
    };
    let answer = at_once(KEYS.0.verify(text, usage).into_future());
    answer.map(|_| ()).map_err(|error| error.refusal())
}

fuzz_target!(|data: &[u8]| {
    let good = KEYS.1.as_bytes();
    for text in [data, &spliced(good, data), &spliced(OLD.as_bytes(), data)] {
        let is_good = text == good || text == OLD.as_bytes();
        let answer = judge(text);
        assert_eq!(answer.is_ok(), is_good);
        // The same question, answered from memory.
        assert_eq!(judge(text), answer);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(digest) = text.parse::<SecretDigest>() {
        assert_eq!(digest.to_stored(), text);
    }
    if let Ok(id) = ApiKeyId::new(text) {
        assert_eq!(id.as_str(), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
    if let Ok(prefix) = ApiKeyPrefix::new(text) {
        assert!(prefix.pattern().contains(text));
    }
    if let Ok(network) = text.parse::<AllowedNetwork>() {
        let again: AllowedNetwork = network.to_string().parse().unwrap();
        assert_eq!(again, network);
        let first = network.to_string();
        let first: IpAddr = first.split('/').next().unwrap().parse().unwrap();
        assert!(network.contains(first));
        if let IpAddr::V4(first) = first {
            assert!(network.contains(first.to_ipv6_mapped().into()));
        }
    }
});

/// The key with a part of it replaced: the first byte says where.
fn spliced(key: &[u8], data: &[u8]) -> Vec<u8> {
    let (at, part) = data
        .split_first()
        .map_or((0, data), |(at, part)| (usize::from(*at), part));
    let at = at % key.len();
    let mut text = key.to_vec();
    let end = (at + part.len()).min(text.len());
    text.splice(at..end, part.iter().copied());
    text
}
