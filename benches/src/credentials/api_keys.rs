//! API keys with one, a thousand and a million of them in memory, against the hash of the secret and one
//! look-up in a map, and against what others do: a slow hash for each request.

use std::{cell::Cell, collections::HashMap, hint::black_box, sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, Version};
use ringwall_authn::{
    ApiKeyRequest, ApiKeys, MemoryApiKeys, SecretHasher,
    api_key::{ApiKeyUse, PepperId},
};
use ringwall_core::{
    clock::{SystemClock, WallClock as _},
    principal::{OrgId, Scope, Subject, Tenant},
    request::HeaderValues,
    secret::SecretBytes,
    step::Step,
};
use sha2::{Digest as _, Sha256};

use crate::{
    allocations,
    goals::Goals,
    race::{Length, Pairs, Race},
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
}

thread_local! {
    /// How many were asked for on this thread. Each has its own: a number that two write would be in the
    /// time of both.
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

impl Known {
    fn new(count: usize, hasher: SecretHasher, ends: bool) -> Self {
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
        let mut request = ApiKeyRequest::new("a key", tenant, subject)
            .expect("a name")
            .scopes([Scope::new("runs:read").expect("a scope")]);
        if ends {
            let now = SystemClock::new().now().expect("a clock");
            let day = Duration::from_secs(86_400);
            request = request.expires_at(now.checked_add(day).expect("a time"));
        }
        let texts = (0..count)
            .map(|_| {
                let created = now(keys.create(request.clone())).expect("a key");
                created.key.text().expose().to_owned()
            })
            .collect();
        let known = Self { keys, texts };
        // The second time each is judged as it is from then on.
        known.warm();
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
        let next = NEXT.get();
        NEXT.set(next.wrapping_add(7919));
        &self.texts[next % self.texts.len()]
    }

    fn judge(&self, text: &str) {
        match self.keys.verify(black_box(text.as_bytes()), ANYWHERE) {
            Step::Done(answer) => drop(black_box(answer.expect("a good key"))),
            Step::Wait(_) => panic!("the key is in memory"),
        }
    }
}

/// The least that has to be done: a look-up by the id, and the hash of the secret compared. The ids stand
/// in the map itself: with texts behind pointers it would touch one more line for each key.
struct Floor(HashMap<[u8; 16], [u8; 32], ahash::RandomState>);

impl Floor {
    fn of(known: &Known) -> Self {
        let entries = known.texts.iter().map(|text| {
            let digest = Sha256::digest(&text.as_bytes()[21..64]).into();
            (Self::id(text), digest)
        });
        let mut map = HashMap::with_hasher(ahash::RandomState::new());
        map.extend(entries);
        Self(map)
    }

    fn id(text: &str) -> [u8; 16] {
        text.as_bytes()[4..20].try_into().expect("sixteen")
    }

    fn judge(&self, text: &str) -> bool {
        let text = black_box(text);
        let digest: [u8; 32] = Sha256::digest(&text.as_bytes()[21..64]).into();
        self.0.get(&Self::id(text)) == Some(&digest)
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
    let plain = Known::new(count, SecretHasher::sha256(), false);
    let floor = Floor::of(&plain);
    // A million keys once are enough.
    let others = (count <= 1000).then(|| {
        let pepper = SecretBytes::new(vec![7; 32]);
        let id = PepperId::new("bench").expect("a name");
        let hasher = SecretHasher::peppered(id, &pepper).expect("long enough");
        let ending = Known::new(count, SecretHasher::sha256(), true);
        (Known::new(count, hasher, false), ending)
    });
    plain.warm();
    plain.warm();
    let mut race = Race::new();
    race.add("ours hash=sha256", || plain.judge(plain.text()));
    if let Some((peppered, ending)) = &others {
        race.add("ours hash=hmac", || peppered.judge(peppered.text()));
        race.add("ours hash=sha256 ends=yes", || ending.judge(ending.text()));
    }
    race.add(FLOOR, || {
        assert!(floor.judge(plain.text()));
    });
    let times = race.run(length);
    print_times(&format!("API keys, {count} in memory"), &times);
    println!(
        "allocations: {}",
        allocations::per_run(|| plain.judge(plain.text()))
    );
    let peer = fastest(&times, FLOOR);
    for (name, case) in [
        ("ours hash=sha256", "hash=sha256"),
        ("ours hash=hmac", "hash=hmac"),
        ("ours hash=sha256 ends=yes", "hash=sha256 ends=yes"),
    ] {
        if !times.iter().any(|times| times.name == name) {
            continue;
        }
        let ours = fastest(&times, name);
        let case = format!("kind=api_key keys={count} {case}");
        report.compare(&case, ours, FLOOR, peer);
        if case.ends_with("hash=sha256") {
            goals.at_most(
                &format!("API key of {count}: of the hash and a look-up"),
                GOAL,
                ours / peer,
                "×",
            );
        }
    }
    let mut pairs = Pairs::new();
    pairs.add("ours", || plain.judge(plain.text()));
    pairs.add(FLOOR, || {
        assert!(floor.judge(plain.text()));
    });
    let times = pairs.run(length);
    print_times(
        &format!("the same, two threads at once, {count} in memory"),
        &times,
    );
    let (ours, peer) = (fastest(&times, "ours"), fastest(&times, FLOOR));
    let case = format!("kind=api_key keys={count} hash=sha256 threads=2");
    report.compare(&case, ours, FLOOR, peer);
}

/// OWASP's least parameters for Argon2id: 19 MiB, 2 passes, 1 lane.
fn slow_hash(length: Length, report: &mut Report) {
    let known = Known::new(1, SecretHasher::sha256(), false);
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
