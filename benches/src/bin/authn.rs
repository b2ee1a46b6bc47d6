//! Verification of tokens: ours with either provider, cached and not, against jsonwebtoken,
//! jwt-simple, the raw primitives and the floors, over the same token.

use std::{env, hint::black_box, process::ExitCode};

use ahash::RandomState;
use ringwall_authn::jose::Algorithm;
use ringwall_benches::{
    allocations::{self, Counting, Snapshot},
    contenders::{
        floors::{self, Library},
        jsonwebtoken::Jsonwebtoken,
        jwt_simple::JwtSimple,
        ours::{Ours, Provider},
        primitives::Primitive,
    },
    goals::Goals,
    materials::Materials,
    race::{Length, Race, Times},
    report::{Report, fastest, print_times},
};

#[global_allocator]
static COUNTING: Counting = Counting;

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Hs256,
    Algorithm::Rs256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What a whole verification may take beyond its signature, in nanoseconds.
const OVERHEAD_GOAL: f64 = 3000.0;

fn main() -> ExitCode {
    let length = if env::args().any(|word| word == "--smoke") {
        Length::SMOKE
    } else {
        Length::FULL
    };
    let mut report = Report::new();
    let mut goals = Goals::new();
    for algorithm in ALGORITHMS {
        measure(algorithm, length, &mut report, &mut goals);
    }
    print_allocations();
    print_bytes_per_cached_token(if length.is_smoke() { 100 } else { 5000 });
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(algorithm: Algorithm, length: Length, report: &mut Report, goals: &mut Goals) {
    let materials = Materials::new(algorithm);
    let token = materials.token();
    let text = token.text.as_str();
    let ours_ring = Ours::new(&materials, Provider::Ring, 0);
    let ours_aws = Ours::new(&materials, Provider::AwsLc, 0);
    let cached = Ours::new(&materials, Provider::Ring, CACHE_BYTES);
    let jsonwebtoken = Jsonwebtoken::new(&materials);
    let jwt_simple = JwtSimple::new(&materials);
    let ring = Primitive::ring(&materials);
    let aws = Primitive::aws_lc(&materials);
    let rust_crypto = Primitive::rust_crypto(&materials);
    let hasher = RandomState::with_seeds(1, 2, 3, 4);

    let mut race = Race::new();
    race.add("ours cached=no provider=ring", || ours_ring.verify(text));
    race.add("ours cached=no provider=aws-lc", || ours_aws.verify(text));
    race.add("ours cached=yes", || cached.verify(text));
    race.add("jsonwebtoken", || jsonwebtoken.verify(text));
    race.add("jwt-simple", || jwt_simple.verify(text));
    race.add("primitive-ring", || ring.verify(&token));
    race.add("primitive-aws-lc", || aws.verify(&token));
    if let Some(rust_crypto) = &rust_crypto {
        race.add("primitive-rust-crypto", || rust_crypto.verify(&token));
    }
    race.add("base64-serde", || floors::base64_and_serde(text));
    for library in Library::ALL {
        race.add(library.contender(), move || floors::sha256(text, library));
    }
    race.add("keyed-hash-of-token", || {
        floors::keyed_hash(black_box(text), &hasher)
    });
    let times = race.run(length);

    print_times(
        &format!("{algorithm}, a token of {} bytes", text.len()),
        &times,
    );
    add_rows(algorithm, &times, report);
    add_goals(algorithm, &times, goals);
}

/// The fastest SHA-256 there is.
fn sha256(times: &[Times]) -> f64 {
    Library::ALL
        .iter()
        .map(|library| fastest(times, library.contender()))
        .fold(f64::INFINITY, f64::min)
}

fn add_rows(algorithm: Algorithm, times: &[Times], report: &mut Report) {
    let peers = [
        "jsonwebtoken",
        "jwt-simple",
        "primitive-ring",
        "primitive-aws-lc",
        "base64-serde",
    ];
    for provider in Provider::ALL {
        let name = provider.name();
        let ours = fastest(times, &format!("ours cached=no provider={name}"));
        let case = format!("alg={algorithm} cached=no provider={name}");
        for peer in peers {
            report.compare(&case, ours, peer, fastest(times, peer));
        }
        report.compare(&case, ours, "sha256-of-token", sha256(times));
    }
    let ours = fastest(times, "ours cached=yes");
    let case = format!("alg={algorithm} cached=yes");
    report.compare(&case, ours, "sha256-of-token", sha256(times));
    for peer in ["keyed-hash-of-token", "jsonwebtoken", "jwt-simple"] {
        report.compare(&case, ours, peer, fastest(times, peer));
    }
}

fn add_goals(algorithm: Algorithm, times: &[Times], goals: &mut Goals) {
    let micros = |name: &str| fastest(times, name) / 1e3;
    let [ring, aws] = Provider::ALL
        .map(|provider| micros(&format!("ours cached=no provider={}", provider.name())));
    for (provider, ours) in Provider::ALL.into_iter().zip([ring, aws]) {
        let primitive = format!("primitive-{}", provider.name());
        goals.at_most(
            &format!("{algorithm}, {}: primitive + 3 µs", provider.name()),
            micros(&primitive) + OVERHEAD_GOAL / 1e3,
            ours,
            "µs",
        );
    }
    let ours = ring.min(aws);
    let (peer, theirs) = if micros("jsonwebtoken") < micros("jwt-simple") {
        ("jsonwebtoken", micros("jsonwebtoken"))
    } else {
        ("jwt-simple", micros("jwt-simple"))
    };
    goals.at_most(
        &format!("{algorithm}, better provider: 1.0 × the best peer ({peer})"),
        theirs,
        ours,
        "µs",
    );
    if algorithm == Algorithm::Hs256 {
        goals.at_most(
            "HS256, better provider: 0.4 × jsonwebtoken",
            0.4 * micros("jsonwebtoken"),
            ours,
            "µs",
        );
    }
    goals.at_most(
        &format!("{algorithm}, cached: 0.5 × SHA-256 of the token"),
        0.5 * sha256(times) / 1e3,
        micros("ours cached=yes"),
        "µs",
    );
}

fn print_allocations() {
    println!(
        "\n| allocations per request | ours, not cached | ours, cached | jsonwebtoken | jwt-simple |"
    );
    println!("|---|--:|--:|--:|--:|");
    for algorithm in ALGORITHMS {
        let materials = Materials::new(algorithm);
        let token = materials.token();
        let text = token.text.as_str();
        let fresh = Ours::new(&materials, Provider::Ring, 0);
        let cached = Ours::new(&materials, Provider::Ring, CACHE_BYTES);
        let jsonwebtoken = Jsonwebtoken::new(&materials);
        let jwt_simple = JwtSimple::new(&materials);
        println!(
            "| {algorithm} | {} | {} | {} | {} |",
            allocations::per_run(|| fresh.verify(text)),
            allocations::per_run(|| cached.verify(text)),
            allocations::per_run(|| jsonwebtoken.verify(text)),
            allocations::per_run(|| jwt_simple.verify(text)),
        );
    }
}

/// What a cached token takes: by the cache's own accounting, which its bound is in, and as the
/// allocator sees it.
fn print_bytes_per_cached_token(count: usize) {
    println!(
        "\n| bytes per cached token | token | by the cache's account | asked of the allocator | in the allocator's chunks |"
    );
    println!("|---|--:|--:|--:|--:|");
    for algorithm in ALGORITHMS {
        let materials = Materials::new(algorithm);
        let cached = Ours::new(&materials, Provider::Ring, CACHE_BYTES);
        let tokens: Vec<String> = (0..count)
            .map(|number| {
                let subject = format!("user-{number:06x}");
                materials.token_of(&subject, &format!("{number:016x}")).text
            })
            .collect();
        let before = Snapshot::now();
        for token in &tokens {
            drop(cached.verify(token));
        }
        let difference = before.until_now();
        let usage = cached.verifier().cache_usage().expect("a cache");
        assert_eq!(usage.entries, count, "every token is cached");
        let per_token = |bytes: i64| bytes as f64 / count as f64;
        println!(
            "| {algorithm} | {} | {:.0} | {:.0} | {:.0} |",
            tokens[0].len(),
            usage.bytes as f64 / count as f64,
            per_token(difference.live),
            per_token(difference.live_in_chunks),
        );
    }
}
