//! API keys with one, a thousand and a million of them in memory, against the hash of the secret and one
//! look-up in a map, and against what others do: a slow hash for each request.

use std::{cell::Cell, collections::HashMap, hint::black_box, sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, Version};
use ringwall_authn::{
    ApiKeyRequest, ApiKeys, MemoryApiKeys, SecretHasher,
    api_key::{ApiKeyUse, PepperId},
};
use ringwall_core::{
    principal::{OrgId, Scope, Subject, Tenant},
    request::HeaderValues,
    secret::SecretBytes,
    step::Step,
};
use sha2::{Digest as _, Sha256};

use crate::{
    goals::Goals,
    race::{Length, Race},
    report::{Report, fastest, print_times},
};

/// What a verification may take of the hash of its secret and one look-up.
const GOAL: f64 = 1.5;

const FLOOR: &str = "hash-and-map";

const ANYWHERE: ApiKeyUse<'static> = ApiKeyUse {
    address: None,
    origin: HeaderValues::Absent,
};

/// Keys, all of them in memory.
struct Known {
    keys: ApiKeys,
    texts: Vec<String>,
    next: Cell<usize>,
}

impl Known {
    fn new(count: usize, hasher: SecretHasher) -> Self {
        let store = Arc::new(MemoryApiKeys::new(count));
        let keys = ApiKeys::builder(store, hasher)
            .cached(count * 4 + 1024)
            .staleness(Duration::from_secs(300))
            .build();
        let tenant = Tenant {
            org: OrgId::new("acme").expect("an id"),
            project: None,
        };
        let subject = Subject::new("user-1").expect("a subject");
        let request = ApiKeyRequest::new("a key", tenant, subject)
            .expect("a name")
            .scopes([Scope::new("runs:read").expect("a scope")]);
        let texts = (0..count)
            .map(|_| {
                let created = now(keys.create(request.clone())).expect("a key");
                created.key.text().expose().to_owned()
            })
            .collect();
        let known = Self {
            keys,
            texts,
            next: Cell::new(0),
        };
        known.warm();
        known
    }

    /// Reads all of them again: what is in memory is believed for some minutes.
    fn warm(&self) {
        for text in &self.texts {
            self.judge(text);
        }
    }

    /// The next one, in an order that no cache of the processor follows.
    fn text(&self) -> &str {
        let next = self.next.get();
        self.next.set(next.wrapping_add(7919));
        &self.texts[next % self.texts.len()]
    }

    fn judge(&self, text: &str) {
        match self.keys.verify(black_box(text.as_bytes()), ANYWHERE) {
            Step::Done(answer) => drop(black_box(answer.expect("a good key"))),
            Step::Wait(_) => panic!("the key is in memory"),
        }
    }
}

/// The least that has to be done: a look-up by the id, and the hash of the secret compared.
struct Floor(HashMap<Box<str>, [u8; 32], ahash::RandomState>);

impl Floor {
    fn of(known: &Known) -> Self {
        let entries = known.texts.iter().map(|text| {
            let digest = Sha256::digest(&text.as_bytes()[21..64]).into();
            (text[4..20].into(), digest)
        });
        Self(entries.collect())
    }

    fn judge(&self, text: &str) -> bool {
        let text = black_box(text);
        let digest: [u8; 32] = Sha256::digest(&text.as_bytes()[21..64]).into();
        self.0.get(&text[4..20]) == Some(&digest)
    }
}

/// Runs the cases and adds them to the report.
///
/// # Panics
///
/// When a good key is refused.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let counts: &[usize] = if length.is_smoke() {
        &[1, 1000]
    } else {
        &[1, 1000, 1_000_000]
    };
    for count in counts {
        race(*count, length, report, goals);
    }
    slow_hash(length, report);
}

fn race(count: usize, length: Length, report: &mut Report, goals: &mut Goals) {
    let plain = Known::new(count, SecretHasher::sha256());
    let floor = Floor::of(&plain);
    // A million keys once are enough.
    let peppered = (count <= 1000).then(|| {
        let pepper = SecretBytes::new(vec![7; 32]);
        let id = PepperId::new("bench").expect("a name");
        let hasher = SecretHasher::peppered(id, &pepper);
        Known::new(count, hasher.expect("long enough"))
    });
    plain.warm();
    let mut race = Race::new();
    race.add("ours hash=sha256", || plain.judge(plain.text()));
    if let Some(peppered) = &peppered {
        race.add("ours hash=hmac", || peppered.judge(peppered.text()));
    }
    race.add(FLOOR, || {
        assert!(floor.judge(plain.text()));
    });
    let times = race.run(length);
    print_times(&format!("API keys, {count} in memory"), &times);
    let peer = fastest(&times, FLOOR);
    for hash in ["sha256", "hmac"] {
        let name = format!("ours hash={hash}");
        if !times.iter().any(|times| times.name == name) {
            continue;
        }
        let ours = fastest(&times, &name);
        let case = format!("kind=api_key keys={count} hash={hash}");
        report.compare(&case, ours, FLOOR, peer);
        if hash == "sha256" {
            goals.at_most(
                &format!("API key of {count}: of the hash and a look-up"),
                GOAL,
                ours / peer,
                "×",
            );
        }
    }
}

/// OWASP's least parameters for Argon2id: 19 MiB, 2 passes, 1 lane.
fn slow_hash(length: Length, report: &mut Report) {
    let known = Known::new(1, SecretHasher::sha256());
    let params = Params::new(19_456, 2, 1, Some(32)).expect("parameters");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let secret = &known.texts[0].as_bytes()[21..64];
    let mut race = Race::new();
    race.add("ours", || known.judge(known.text()));
    race.add("argon2id", || {
        let mut out = [0; 32];
        argon2
            .hash_password_into(black_box(secret), b"0123456789abcdef", &mut out)
            .expect("a hash");
        out
    });
    let times = race.run(if length.is_smoke() {
        length
    } else {
        Length::BRIEF
    });
    print_times("an API key, and a slow hash in its place", &times);
    let (ours, peer) = (fastest(&times, "ours"), fastest(&times, "argon2id"));
    report.compare(
        "kind=api_key keys=1 hash=sha256 against=argon2id",
        ours,
        "argon2id",
        peer,
    );
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("the memory store never waits"),
    }
}
