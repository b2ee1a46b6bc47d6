//! Threat line 40, and what else can change while a token is cached.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringwall_authn::jose::{
    Algorithm, Health, HmacSecret, KeyError, KeySet, KeySetRef, KeySource, KeysUnavailable,
    PublicKey, RingProvider, SignatureMismatch, SignatureProvider, StaticKeys, VerifySignature,
};
use ringwall_authn::{
    IssuerPolicy, MemoryRevocations, Refusal, Revocations, RevocationsUnavailable, TokenErrorKind,
    TokenFacts, TokenVerifier, TokenVerifierBuilder,
};
use ringwall_core::step::Step;
use serde_json::json;

use crate::support::*;

/// Counts how often a signature is really verified.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

struct CountingKey(Arc<AtomicUsize>, Arc<dyn VerifySignature>);

impl SignatureProvider for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn public_key(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
    ) -> Result<Arc<dyn VerifySignature>, KeyError> {
        let inner = RingProvider.public_key(algorithm, key)?;
        Ok(Arc::new(CountingKey(Arc::clone(&self.0), inner)))
    }

    fn hmac_key(
        &self,
        algorithm: Algorithm,
        secret: &HmacSecret,
    ) -> Result<Arc<dyn VerifySignature>, KeyError> {
        RingProvider.hmac_key(algorithm, secret)
    }
}

impl VerifySignature for CountingKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.verify(message, signature)
    }
}

struct Bench {
    key: Key,
    keys: Arc<StaticKeys>,
    verified: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Self {
        let key = Key::new("k1", Algorithm::EdDsa);
        let verified = Arc::new(AtomicUsize::new(0));
        let keys = Arc::new(StaticKeys::new(Self::set(&verified, &[&key])));
        Self {
            key,
            keys,
            verified,
        }
    }

    fn set(verified: &Arc<AtomicUsize>, keys: &[&Key]) -> KeySet {
        let document =
            json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string();
        let provider = Arc::new(Counting(Arc::clone(verified)));
        KeySet::builder()
            .provider(provider)
            .document(document.as_bytes())
            .unwrap()
            .build()
            .unwrap()
    }

    fn policy(&self) -> IssuerPolicy {
        let keys: Arc<dyn KeySource> = Arc::<StaticKeys>::clone(&self.keys);
        IssuerPolicy::builder(ISSUER, AUDIENCE, keys)
            .build()
            .unwrap()
    }

    fn verifier(
        &self,
        options: impl FnOnce(TokenVerifierBuilder) -> TokenVerifierBuilder,
    ) -> TokenVerifier {
        options(TokenVerifier::builder().issuer(self.policy()))
            .build()
            .unwrap()
    }

    fn count(&self) -> usize {
        self.verified.load(Ordering::SeqCst)
    }
}

#[test]
fn a_cached_token_is_not_verified_again_and_another_one_is() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let token = bench.key.token(&claims());
    for _ in 0..10 {
        accepted(&verifier, &token);
    }
    assert_eq!(bench.count(), 1);
    accepted(&verifier, &bench.key.token(&with("jti", "token-2")));
    assert_eq!(bench.count(), 2);
    assert_eq!(verifier.cache_usage().unwrap().entries, 2);
}

#[test]
fn without_a_cache_each_token_is_verified() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder.cache_bytes(0));
    let token = bench.key.token(&claims());
    for _ in 0..3 {
        accepted(&verifier, &token);
    }
    assert_eq!((bench.count(), verifier.cache_usage()), (3, None));
}

#[test]
fn a_text_that_differs_from_a_cached_token_in_one_character_is_another_token() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let token = bench.key.token(&claims());
    accepted(&verifier, &token);
    for (index, character) in token
        .char_indices()
        .filter(|(_, character)| *character != '.')
    {
        let other = if character == 'A' { 'B' } else { 'A' };
        let mut text = token.clone();
        text.replace_range(index..=index, &other.to_string());
        refusal(&verifier, &text);
    }
    for text in [
        format!("{token}A"),
        format!("A{token}"),
        token[..token.len() - 1].to_owned(),
    ] {
        refusal(&verifier, &text);
    }
}

#[test]
fn refused_tokens_are_never_cached() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let stranger = Key::new("k1", Algorithm::EdDsa);
    for _ in 0..3 {
        assert_eq!(
            refusal(&verifier, &stranger.token(&claims())),
            Refusal::Signature
        );
        assert_eq!(
            refusal(&verifier, &bench.key.token(&with("aud", "other"))),
            Refusal::AudienceMismatch
        );
    }
    assert_eq!(verifier.cache_usage().unwrap().entries, 0);
}

#[test]
fn line_40_a_token_revoked_while_cached_is_refused_at_once() {
    let bench = Bench::new();
    let revocations = Arc::new(MemoryRevocations::new(16));
    let verifier = bench
        .verifier(|builder| builder.revocations(Arc::<MemoryRevocations>::clone(&revocations)));
    let (one, two) = (
        bench.key.token(&claims()),
        bench.key.token(&with("jti", "token-2")),
    );
    accepted(&verifier, &one);
    accepted(&verifier, &two);
    revocations
        .revoke_token(ISSUER, "token-1", at(NOW + 600), now())
        .unwrap();
    assert_eq!(refusal(&verifier, &one), Refusal::Revoked);
    accepted(&verifier, &two);
    revocations
        .revoke_subject(ISSUER, "user-1", now(), at(NOW + 600), now())
        .unwrap();
    assert_eq!(refusal(&verifier, &two), Refusal::Revoked);
    // Not cached: the same.
    let uncached = bench.verifier(|builder| builder.cache_bytes(0).revocations(revocations));
    assert_eq!(refusal(&uncached, &one), Refusal::Revoked);
}

#[test]
fn line_40_a_cached_token_is_refused_when_it_expires() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let token = bench.key.token(&claims());
    for seconds in [NOW, NOW + 599] {
        verifier.verify(&token, at(seconds)).unwrap();
    }
    assert_eq!(bench.count(), 1);
    // Within the skew it is judged anew each time, and not cached any more.
    for seconds in [NOW + 600, NOW + 659] {
        verifier.verify(&token, at(seconds)).unwrap();
    }
    assert_eq!(bench.count(), 3);
    assert_eq!(verifier.cache_usage().unwrap().entries, 0);
    assert_eq!(refusal_at(&verifier, &token, NOW + 660), Refusal::Expired);
}

#[test]
fn a_cached_token_is_refused_when_the_clock_goes_back_before_it() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let token = bench.key.token(&with("nbf", NOW));
    accepted(&verifier, &token);
    assert_eq!(
        refusal_at(&verifier, &token, NOW - 61),
        Refusal::IssuedInFuture
    );
}

#[test]
fn a_cached_token_is_refused_when_its_key_leaves() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let token = bench.key.token(&claims());
    accepted(&verifier, &token);
    let next = Key::new("k2", Algorithm::EdDsa);
    // With an overlap nothing is refused, and the token is judged once more under the new set.
    bench
        .keys
        .replace(Bench::set(&bench.verified, &[&bench.key, &next]));
    accepted(&verifier, &token);
    accepted(&verifier, &token);
    assert_eq!(bench.count(), 2);
    bench.keys.replace(Bench::set(&bench.verified, &[&next]));
    assert_eq!(refusal(&verifier, &token), Refusal::KeyUnknown);
    accepted(&verifier, &next.token(&claims()));
}

#[test]
fn a_cached_token_is_judged_anew_when_its_issuer_changes_and_refused_when_it_goes() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder);
    let token = bench.key.token(&claims());
    accepted(&verifier, &token);
    let keys: Arc<dyn KeySource> = Arc::<StaticKeys>::clone(&bench.keys);
    let stricter = IssuerPolicy::builder(ISSUER, "https://other.example", keys)
        .build()
        .unwrap();
    verifier.replace_issuer(stricter).unwrap();
    assert_eq!(refusal(&verifier, &token), Refusal::AudienceMismatch);
    verifier.replace_issuer(bench.policy()).unwrap();
    accepted(&verifier, &token);
    assert!(verifier.remove_issuer(ISSUER));
    assert_eq!(refusal(&verifier, &token), Refusal::IssuerUnknown);
    assert!(!verifier.remove_issuer(ISSUER));
    verifier.add_issuer(bench.policy()).unwrap();
    accepted(&verifier, &token);
}

/// A source that can be switched off.
#[derive(Debug)]
struct Failing(StaticKeys, std::sync::atomic::AtomicBool);

impl Failing {
    fn check(&self) -> Result<(), KeysUnavailable> {
        if self.1.load(Ordering::SeqCst) {
            Err(KeysUnavailable {
                retry_after: Duration::from_secs(7),
            })
        } else {
            Ok(())
        }
    }
}

impl KeySource for Failing {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        self.check().and_then(|()| self.0.keys())
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        self.check().and_then(|()| self.0.generation())
    }

    fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        Step::Done(Ok(false))
    }

    fn health(&self) -> Health {
        if self.check().is_ok() {
            Health::Fresh
        } else {
            Health::Unavailable
        }
    }
}

#[test]
fn unavailable_keys_and_revocations_are_no_decision_whether_cached_or_not() {
    #[derive(Debug)]
    struct Down;
    impl Revocations for Down {
        fn is_revoked(&self, _token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
            Err(RevocationsUnavailable {
                retry_after: Duration::from_secs(9),
            })
        }
    }

    let key = Key::new("k1", Algorithm::EdDsa);
    let keys = Arc::new(Failing(StaticKeys::new(key_set(&[&key])), false.into()));
    let shared: Arc<dyn KeySource> = Arc::<Failing>::clone(&keys);
    let policy = || {
        IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::clone(&shared))
            .build()
            .unwrap()
    };
    let verifier = TokenVerifier::builder().issuer(policy()).build().unwrap();
    let (cached, fresh) = (key.token(&claims()), key.token(&with("jti", "token-2")));
    accepted(&verifier, &cached);
    keys.1.store(true, Ordering::SeqCst);
    for token in [&cached, &fresh] {
        let error = verifier.verify(token, now()).unwrap_err();
        assert_eq!(
            error.kind(),
            TokenErrorKind::Unavailable {
                retry_after: Duration::from_secs(7)
            }
        );
        assert!(error.is_retryable());
    }
    keys.1.store(false, Ordering::SeqCst);
    accepted(&verifier, &cached);

    let blind = TokenVerifier::builder()
        .issuer(policy())
        .revocations(Arc::new(Down))
        .build()
        .unwrap();
    let error = blind.verify(&cached, now()).unwrap_err();
    assert_eq!(
        error.kind(),
        TokenErrorKind::Unavailable {
            retry_after: Duration::from_secs(9)
        }
    );
    assert_eq!(error.refusal(), Refusal::RevocationsUnavailable);
}

#[test]
fn the_cache_is_bounded_in_bytes_and_keeps_what_is_used() {
    let bench = Bench::new();
    let bytes = 256 * 1024;
    let verifier = bench.verifier(|builder| builder.cache_bytes(bytes));
    let used = bench.key.token(&claims());
    for n in 0..1_000 {
        accepted(
            &verifier,
            &bench.key.token(&with("jti", format!("token-{n}"))),
        );
        accepted(&verifier, &used);
        assert!(verifier.cache_usage().unwrap().bytes <= bytes);
    }
    let usage = verifier.cache_usage().unwrap();
    assert!(usage.entries > 50 && usage.entries < 1_000, "{usage:?}");
    // The one that was used all the time was never verified again.
    assert!(bench.count() <= 1_001, "{}", bench.count());
}

#[test]
fn a_token_larger_than_a_part_of_the_cache_is_accepted_and_not_cached() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder.cache_bytes(16));
    accepted(&verifier, &bench.key.token(&claims()));
    assert_eq!(verifier.cache_usage().unwrap().entries, 0);
}

#[test]
fn threads_agree_while_keys_and_issuers_change() {
    let bench = Bench::new();
    let verifier = bench.verifier(|builder| builder.cache_bytes(64 * 1024));
    let tokens: Vec<_> = (0..50)
        .map(|n| bench.key.token(&with("jti", format!("t{n}"))))
        .collect();
    let stranger = Key::new("k1", Algorithm::EdDsa).token(&claims());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..200 {
                    accepted(&verifier, &tokens[round % tokens.len()]);
                    assert_eq!(refusal(&verifier, &stranger), Refusal::Signature);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..50 {
                bench
                    .keys
                    .replace(Bench::set(&bench.verified, &[&bench.key]));
                verifier.replace_issuer(bench.policy()).unwrap();
            }
        });
    });
}

#[test]
fn revocations_are_asked_with_all_that_is_known_whether_cached_or_not() {
    /// Keeps what it was asked.
    #[derive(Debug, Default)]
    struct Asked(std::sync::Mutex<Vec<String>>);
    impl Revocations for Asked {
        fn is_revoked(&self, token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
            self.0.lock().unwrap().push(format!("{token:?}"));
            Ok(false)
        }
    }

    let bench = Bench::new();
    let asked = Arc::new(Asked::default());
    let keys: Arc<dyn KeySource> = Arc::<StaticKeys>::clone(&bench.keys);
    let mapping = ringwall_authn::PrincipalMapping::default().accept_actor();
    let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys).mapping(mapping);
    let verifier = TokenVerifier::builder()
        .issuer(policy.build().unwrap())
        .revocations(Arc::<Asked>::clone(&asked))
        .build()
        .unwrap();
    let token = bench.key.token(&with("act", json!({ "sub": "agent-7" })));
    let verified = accepted(&verifier, &token);
    accepted(&verifier, &token);
    assert_eq!(bench.count(), 1);
    let expected = TokenFacts {
        issuer: ISSUER,
        subject: "agent-7",
        on_behalf_of: Some("user-1"),
        token_id: Some("token-1"),
        key_id: Some("k1"),
        issued_at: Some(now()),
        tenant: verified.principal().tenant.as_ref(),
    };
    assert!(expected.tenant.is_some());
    let expected = format!("{expected:?}");
    assert_eq!(*asked.0.lock().unwrap(), [expected.clone(), expected]);
}

#[test]
fn a_removed_or_replaced_issuers_source_of_keys_ends_at_once() {
    for replaced in [false, true] {
        let (key, other) = (
            Key::new("k1", Algorithm::EdDsa),
            Key::new("k2", Algorithm::EdDsa),
        );
        let keys = Arc::new(StaticKeys::new(key_set(&[&key])));
        let weak = Arc::downgrade(&keys);
        let policy = |issuer: &str, keys: Arc<dyn KeySource>| {
            IssuerPolicy::builder(issuer, AUDIENCE, keys)
                .map_principal(ringwall_authn::PrincipalMapping::without_tenant)
                .build()
                .unwrap()
        };
        let neighbour = "https://neighbour.example";
        let verifier = TokenVerifier::builder()
            .issuer(policy(ISSUER, keys))
            .issuer(policy(neighbour, source(&[&other])))
            .build()
            .unwrap();
        for n in 0..100 {
            let token = key.token(&with("jti", format!("token-{n}")));
            accepted(&verifier, &token);
        }
        let neighbours = other.token(&with("iss", neighbour));
        accepted(&verifier, &neighbours);
        assert_eq!(verifier.cache_usage().unwrap().entries, 101);
        assert!(weak.upgrade().is_some());
        if replaced {
            verifier
                .replace_issuer(policy(ISSUER, source(&[&key])))
                .unwrap();
        } else {
            assert!(verifier.remove_issuer(ISSUER));
        }
        // A remote source would go on fetching keys for tenants that left long ago.
        assert!(weak.upgrade().is_none(), "replaced: {replaced}");
        assert_eq!(verifier.cache_usage().unwrap().entries, 1);
        accepted(&verifier, &neighbours);
    }
}

#[test]
fn a_source_of_keys_that_asks_the_verifier_when_it_ends_waits_for_nobody() {
    /// Changes and asks the verifier when its keys end.
    struct Asking(Arc<std::sync::OnceLock<TokenVerifier>>, Sender);
    type Sender = std::sync::mpsc::Sender<()>;
    struct Provider(Arc<std::sync::OnceLock<TokenVerifier>>, Sender);

    impl std::fmt::Debug for Provider {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Provider")
        }
    }
    impl SignatureProvider for Provider {
        fn name(&self) -> &'static str {
            "asking"
        }
        fn public_key(
            &self,
            _algorithm: Algorithm,
            _key: &PublicKey,
        ) -> Result<Arc<dyn VerifySignature>, KeyError> {
            Ok(Arc::new(Asking(Arc::clone(&self.0), self.1.clone())))
        }
        fn hmac_key(
            &self,
            algorithm: Algorithm,
            secret: &HmacSecret,
        ) -> Result<Arc<dyn VerifySignature>, KeyError> {
            RingProvider.hmac_key(algorithm, secret)
        }
    }
    impl VerifySignature for Asking {
        fn verify(&self, _message: &[u8], _signature: &[u8]) -> Result<(), SignatureMismatch> {
            Ok(())
        }
    }
    impl Drop for Asking {
        fn drop(&mut self) {
            if let Some(verifier) = self.0.get() {
                assert!(verifier.cache_usage().is_some());
                assert!(!verifier.remove_issuer("https://nobody.example"));
            }
            self.1.send(()).ok();
        }
    }

    let ways: [fn(&TokenVerifier, IssuerPolicy, &Key); 5] = [
        |verifier, policy, key| {
            verifier.add_issuer(policy).unwrap();
            accepted(verifier, &key.token(&claims()));
            assert!(verifier.remove_issuer(ISSUER));
        },
        |verifier, policy, key| {
            verifier.add_issuer(policy).unwrap();
            accepted(verifier, &key.token(&claims()));
            let next = IssuerPolicy::builder(ISSUER, AUDIENCE, source(&[key]));
            verifier.replace_issuer(next.build().unwrap()).unwrap();
        },
        // What is refused ends too.
        |verifier, policy, key| {
            let first = IssuerPolicy::builder(ISSUER, AUDIENCE, source(&[key]));
            verifier.add_issuer(first.build().unwrap()).unwrap();
            verifier.add_issuer(policy).unwrap_err();
        },
        |verifier, policy, key| {
            let other = IssuerPolicy::builder("https://other.example", AUDIENCE, source(&[key]));
            verifier.add_issuer(other.build().unwrap()).unwrap();
            verifier.add_issuer(policy).unwrap_err();
        },
        |verifier, policy, key| {
            let other = IssuerPolicy::builder("https://other.example", AUDIENCE, source(&[key]));
            verifier.add_issuer(other.build().unwrap()).unwrap();
            verifier.replace_issuer(policy).unwrap_err();
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let key = Key::new("k1", Algorithm::EdDsa);
        let cell = Arc::new(std::sync::OnceLock::new());
        let (sender, ended) = std::sync::mpsc::channel();
        let document = json!({ "keys": [key.jwk()] }).to_string();
        let keys = KeySet::builder()
            .provider(Arc::new(Provider(Arc::clone(&cell), sender)))
            .document(document.as_bytes())
            .unwrap();
        let keys = Arc::new(StaticKeys::new(keys.build().unwrap()));
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys)
            .build()
            .unwrap();
        let verifier = TokenVerifier::builder().build().unwrap();
        cell.set(verifier.clone()).ok();
        std::thread::spawn(move || way(&verifier, policy, &key));
        let answer = ended.recv_timeout(Duration::from_secs(20));
        assert!(
            answer.is_ok(),
            "way {number} waits for a lock that it holds"
        );
    }
}
