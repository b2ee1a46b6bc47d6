//! The list of what goes wrong with limits in Redis, line by line.

use std::time::Duration;

use ringwall_rate_limit::{
    Enforcement, LimitError, LimitState, LimitStore as _, Policies, Quota, Verdict,
};
use ringwall_redis::{Error, RedisClient, RedisLeases, RedisLimiter};

use crate::servers::redis;
use crate::setting::shared_url;
use crate::world::{
    Admin, bucket, check, hourly, left, limiter, name, now, passed, patient, policies_of, secret,
    tokens,
};

fn is_unavailable<T>(answer: &Result<T, LimitError>) -> bool {
    matches!(answer, Err(LimitError::Unavailable { .. }))
}

#[tokio::test]
async fn a_lost_script_is_sent_again_and_nothing_is_counted_twice() {
    let server = redis::start(&[]).expect("a server");
    let mut admin = Admin::of(&server);
    let limiter = limiter(server.url(), &[("ten", hourly(10))]).await;
    let ten = [bucket(&limiter, "ten", "a")];
    for n in 0..20 {
        if n % 3 == 0 {
            let _: String = admin.run(&["SCRIPT", "FLUSH"]);
        }
        let decision = check(&limiter, &ten, 1).await.expect("it answers");
        assert_eq!(decision.is_allowed(), n < 10, "{n}");
    }
}

#[tokio::test]
async fn a_script_is_sent_once_and_then_named_by_its_digest() {
    let server = redis::start(&[]).expect("a server");
    let mut admin = Admin::of(&server);
    let limiter = limiter(server.url(), &[("ten", hourly(100))]).await;
    let ten = [bucket(&limiter, "ten", "a")];
    for _ in 0..20 {
        let decision = check(&limiter, &ten, 1).await.expect("it answers");
        limiter.refund(now(), decision).await.expect("it answers");
    }
    assert_eq!(admin.runs("eval"), 1);
    assert_eq!(admin.runs("evalsha"), 40);
    // Whatever else the server says, it may have run it: nothing is sent twice. A full one stops it at its first
    // write.
    let _: String = admin.run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(is_unavailable(&check(&limiter, &ten, 1).await));
    assert_eq!((admin.runs("eval"), admin.runs("evalsha")), (1, 41));
}

#[tokio::test]
async fn a_key_of_another_type_is_no_answer_and_is_left_alone() {
    let url = shared_url();
    let mut admin = Admin::new(&url);
    let limiter = limiter(&url, &[("ten", hourly(10)), ("other", hourly(10))]).await;
    let (wrong, right) = (bucket(&limiter, "ten", "a"), bucket(&limiter, "other", "a"));
    let taken = check(&limiter, &[wrong, right], 1)
        .await
        .expect("it answers");
    let name = name(wrong);
    let _: u64 = admin.run(&["DEL", &name]);
    let _: u64 = admin.run(&["RPUSH", &name, "1"]);
    for order in [[wrong, right], [right, wrong]] {
        assert!(is_unavailable(&check(&limiter, &order, 1).await));
        assert!(is_unavailable(
            &limiter.peek(now(), &order, tokens(1)).await
        ));
    }
    assert_eq!(
        left(&limiter, right).await,
        9,
        "nothing was charged beside it"
    );
    assert!(is_unavailable(&limiter.refund(now(), taken).await));
    assert_eq!(
        left(&limiter, right).await,
        10,
        "what can be given back was"
    );
    let kind: String = admin.run(&["TYPE", &name]);
    assert_eq!(kind, "list");
    let _: u64 = admin.run(&["DEL", &name]);
}

#[tokio::test]
async fn a_key_that_holds_no_time_is_no_answer_and_is_left_alone() {
    let url = shared_url();
    let mut admin = Admin::new(&url);
    let limiter = limiter(&url, &[("ten", hourly(10))]).await;
    let ten = bucket(&limiter, "ten", "a");
    let name = name(ten);
    for value in [
        "",
        "x",
        "0x10",
        "1e3",
        "-5",
        "1.5",
        " 1",
        "1 ",
        "nan",
        "inf",
        "1",
        "999999999999999",
        "10000000000000000",
        "12345678901234567",
    ] {
        let taken = check(&limiter, &[ten], 1).await.expect("it answers");
        let _: String = admin.run(&["SET", &name, value]);
        assert!(
            is_unavailable(&check(&limiter, &[ten], 1).await),
            "{value:?}"
        );
        assert!(
            is_unavailable(&limiter.refund(now(), taken).await),
            "{value:?}"
        );
        let kept: String = admin.run(&["GET", &name]);
        assert_eq!(kept, value);
        let _: u64 = admin.run(&["DEL", &name]);
    }
}

#[tokio::test]
async fn a_key_goes_by_itself_when_its_bucket_is_full() {
    let url = shared_url();
    let mut admin = Admin::new(&url);
    let quota = Quota::per_second(1)
        .expect("a quota")
        .burst(60)
        .expect("a quota");
    let limiter = limiter(&url, &[("slow", quota)]).await;
    let slow = bucket(&limiter, "slow", "a");
    assert!(check(&limiter, &[slow], 30).await.expect("up").is_allowed());
    let life: u64 = admin.run(&["PTTL", &name(slow)]);
    assert!((20_000..=31_001).contains(&life), "{life}");
    // And one that was given back is not kept.
    let whole = check(&limiter, &[slow], 20).await.expect("up");
    let life: u64 = admin.run(&["PTTL", &name(slow)]);
    assert!((40_000..=51_001).contains(&life), "{life}");
    limiter.refund(now(), whole).await.expect("up");
    let life: u64 = admin.run(&["PTTL", &name(slow)]);
    assert!((10_000..=31_001).contains(&life), "{life}");
    let other = bucket(&limiter, "slow", "b");
    let taken = check(&limiter, &[other], 30).await.expect("up");
    limiter.refund(now(), taken).await.expect("up");
    let exists: u64 = admin.run(&["EXISTS", &name(other)]);
    assert_eq!(exists, 0);
}

#[tokio::test]
async fn a_server_whose_clock_went_back_gives_nothing_away_and_locks_nobody_out() {
    let url = shared_url();
    let mut admin = Admin::new(&url);
    let limits = [("ten", hourly(10))];
    let limiter = RedisLimiter::builder(&patient(&url).await, policies_of(secret(), &limits))
        .remember_denials(Duration::ZERO)
        .build()
        .expect("valid");
    let hour = 3_600_000_000_u64;
    // As a server wrote it whose clock was a day ahead.
    let ahead = bucket(&limiter, "ten", "ahead");
    let time = admin.time() + 24 * hour;
    let _: String = admin.run(&["SET", &name(ahead), &time.to_string()]);
    let decision = check(&limiter, &[ahead], 1).await.expect("it answers");
    // An empty bucket, which fills from now on: a token in an hour.
    let Verdict::Denied { retry_after } = decision.verdict() else {
        panic!("{decision:?}");
    };
    assert_eq!(retry_after, Duration::from_secs(3600));
    let written: u64 = admin.run(&["GET", &name(ahead)]);
    let now = admin.time();
    assert!(
        written <= now + 10 * hour && written > now + 9 * hour,
        "{written} {now}"
    );
    let life: u64 = admin.run(&["PTTL", &name(ahead)]);
    assert!(life <= 36_001_001, "{life}");

    // Ahead by less than five minutes more than an empty bucket: what a process does that has another quota yet.
    let skewed = bucket(&limiter, "ten", "skewed");
    let time = admin.time() + 10 * hour + 290_000_000;
    let _: String = admin.run(&["SET", &name(skewed), &time.to_string()]);
    let decision = check(&limiter, &[skewed], 1).await.expect("it answers");
    let Verdict::Denied { retry_after } = decision.verdict() else {
        panic!("{decision:?}");
    };
    assert!(retry_after >= Duration::from_secs(3600), "{retry_after:?}");
    let written: u64 = admin.run(&["GET", &name(skewed)]);
    assert_eq!(written, time, "it is left as it is");

    // A time that is past is a full bucket.
    let past = bucket(&limiter, "ten", "past");
    let _: String = admin.run(&["SET", &name(past), "1000000000000000"]);
    assert_eq!(passed(&limiter, &[past], 20).await, 10);
}

#[tokio::test]
async fn limits_whose_keys_are_of_one_process_are_refused() {
    let client = patient(&shared_url()).await;
    let alone = Policies::builder()
        .add("ten", hourly(10))
        .expect("a limit")
        .build();
    let refused = RedisLimiter::new(&client, alone);
    assert!(
        matches!(refused, Err(Error::Configuration(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn quotas_that_microseconds_cannot_count_are_refused_and_later_count_slower() {
    let client = patient(&shared_url()).await;
    let fast = Quota::per_second(300_000).expect("a quota");
    let refused = RedisLimiter::new(&client, policies_of(secret(), &[("fast", fast)]));
    assert!(
        matches!(refused, Err(Error::Configuration(_))),
        "{refused:?}"
    );
    let limits = [("changed", Quota::per_second(10).expect("a quota"))];
    let limiter = RedisLimiter::new(&client, policies_of(secret(), &limits)).expect("valid");
    let changed = bucket(&limiter, "changed", "a");
    // Hours of a bucket, so that what comes meanwhile is little.
    let thirds = Quota::new(300_000, Duration::from_secs(1)).expect("a quota");
    let thirds = thirds.burst(u32::MAX).expect("a quota");
    limiter
        .policies()
        .set_quota(changed.policy(), thirds)
        .expect("a limit");
    let decision = check(&limiter, &[changed], u32::MAX)
        .await
        .expect("it answers");
    assert!(decision.is_allowed());
    let decision = check(&limiter, &[changed], u32::MAX)
        .await
        .expect("it answers");
    let Verdict::Denied { retry_after } = decision.verdict() else {
        panic!("{decision:?}");
    };
    // 4 microseconds a token instead of 3.33.
    assert!(retry_after > thirds.fill_time(), "{retry_after:?}");
}

#[tokio::test]
async fn options_out_of_range_build_nothing() {
    let client = patient(&shared_url()).await;
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let builder = || RedisLimiter::builder(&client, policies.clone());
    for options in [
        builder().prefix("x".repeat(129)),
        builder().prefix("{a}:"),
        builder().tag(""),
        builder().tag("x".repeat(65)),
        builder().tag("a}{b"),
        builder().leases(RedisLeases::new().lasting(Duration::ZERO)),
        builder().leases(RedisLeases::new().lasting(Duration::from_secs(11))),
        builder().remember_denials(Duration::from_secs(61)),
        builder().keys(usize::MAX),
    ] {
        assert!(matches!(options.build(), Err(Error::Configuration(_))));
    }
}

#[tokio::test]
async fn processes_that_do_not_agree_on_a_quota_give_nothing_away() {
    // A roll-out: attempts are lowered from five a minute to one in ten seconds, and both are at work.
    let url = shared_url();
    let secret = secret();
    let of = async |quota: Quota| {
        let policies = policies_of(secret, &[("login", quota)]);
        RedisLimiter::builder(&patient(&url).await, policies)
            .remember_denials(Duration::ZERO)
            .build()
            .expect("valid")
    };
    let old = of(Quota::per_minute(5).expect("a quota")).await;
    let new = of(Quota::new(1, Duration::from_secs(10)).expect("a quota")).await;
    let mut guesses = 0;
    for _ in 0..20 {
        for limiter in [&old, &new] {
            guesses += passed(limiter, &[bucket(limiter, "login", "ada")], 6).await;
        }
    }
    assert_eq!(guesses, 5);
}

#[tokio::test]
async fn a_tenant_gets_no_more_than_the_ceiling_by_changing_its_quota_back_and_forth() {
    let quota = |count, burst| {
        let quota = Quota::per_hour(count).expect("a quota");
        quota.burst(burst).expect("a quota")
    };
    let policies = Policies::builder()
        .hasher(ringwall_rate_limit::KeyHasher::shared(secret()))
        .add_with(
            "p",
            quota(20, 40),
            Some(quota(50, 100)),
            Enforcement::Enforced,
        )
        .expect("a limit")
        .build();
    let limiter = RedisLimiter::builder(&patient(&shared_url()).await, policies.clone())
        .remember_denials(Duration::ZERO)
        .build()
        .expect("valid");
    let project = bucket(&limiter, "p", "a");
    let all = [
        Some(quota(50, 1)),
        Some(quota(50, 100)),
        Some(quota(1, 100)),
        None,
    ];
    let mut passes = 0;
    for turn in 0..24_usize {
        let asked = all[(turn * 7 + turn / 5) % all.len()];
        policies
            .set_tenant_overrides([(project, asked)])
            .expect("a ceiling");
        passes += passed(&limiter, &[project], 110).await;
    }
    assert!((1..=101).contains(&passes), "{passes}");
}

#[tokio::test]
async fn a_small_quota_of_a_tenant_makes_its_bucket_owe_neither_less_nor_more() {
    let quota = |count, burst| {
        let quota = Quota::per_hour(count).expect("a quota");
        quota.burst(burst).expect("a quota")
    };
    let policies = Policies::builder()
        .hasher(ringwall_rate_limit::KeyHasher::shared(secret()))
        .add_with(
            "p",
            quota(20, 40),
            Some(quota(50, 100)),
            Enforcement::Enforced,
        )
        .expect("a limit")
        .build();
    let url = shared_url();
    let mut admin = Admin::new(&url);
    let limiter = RedisLimiter::builder(&patient(&url).await, policies.clone())
        .remember_denials(Duration::ZERO)
        .build()
        .expect("valid");
    let project = bucket(&limiter, "p", "a");
    // An hour of the two that the ceiling's bucket takes to fill.
    assert_eq!(passed(&limiter, &[project], 20).await, 20);
    let owed: String = admin.run(&["GET", &name(project)]);
    // One that fills in 72 seconds, so that the bucket owes far more than it holds.
    policies
        .set_tenant_overrides([(project, Some(quota(50, 1)))])
        .expect("a ceiling");
    let decision = check(&limiter, &[project], 1).await.expect("it answers");
    let Verdict::Denied { retry_after } = decision.verdict() else {
        panic!("{decision:?}");
    };
    let hour = 3500..=3600;
    assert!(hour.contains(&retry_after.as_secs()), "{retry_after:?}");
    let status = decision.statuses().next().expect("a status");
    // It says no more than a bucket of its quota can.
    assert_eq!(status.remaining(), 0);
    assert_eq!(status.reset_after(), Duration::from_secs(72));
    let kept: String = admin.run(&["GET", &name(project)]);
    assert_eq!(kept, owed);
    policies
        .set_tenant_overrides([(project, None)])
        .expect("a ceiling");
    assert_eq!(left(&limiter, project).await, 20);
}

#[tokio::test]
async fn buckets_are_shared_by_secret_prefix_and_tag() {
    let url = shared_url();
    let (one, other) = (patient(&url).await, patient(&url).await);
    let (here, there) = (secret(), secret());
    let limits = [("ten", hourly(10))];
    let of =
        |client: &RedisClient, secret| RedisLimiter::builder(client, policies_of(secret, &limits));
    let first = of(&one, here).build().expect("valid");
    let ten = [bucket(&first, "ten", "a")];
    assert_eq!(passed(&first, &ten, 6).await, 6);
    let same = of(&other, here).build().expect("valid");
    assert_eq!(passed(&same, &[bucket(&same, "ten", "a")], 6).await, 4);
    for options in [
        of(&other, there),
        of(&other, here).prefix("test:limits:"),
        of(&other, here).tag("another"),
    ] {
        let another = options.build().expect("valid");
        assert_eq!(left(&another, bucket(&another, "ten", "a")).await, 10);
    }
}

#[tokio::test]
async fn a_user_needs_few_rights_and_without_them_nothing_is_admitted() {
    let rights = "+evalsha +eval +time +get +set +del +info +select";
    let server = redis::start(&[
        &format!("user limits on >hunter2 ~ringwall:limits:* {rights}"),
        "user lesser on >hunter2 ~ringwall:limits:* +evalsha +eval +time +get +info +select",
    ])
    .expect("a server");
    let url = |user: &str| format!("redis://{user}:hunter2@127.0.0.1:{}", server.port());
    let of = async |user: &str| limiter(&url(user), &[("ten", hourly(10))]).await;
    let limits = of("limits").await;
    let ten = [bucket(&limits, "ten", "a")];
    let decision = check(&limits, &ten, 1).await.expect("it answers");
    assert!(decision.is_allowed());
    limits.refund(now(), decision).await.expect("it answers");
    let lesser = of("lesser").await;
    assert!(is_unavailable(
        &check(&lesser, &[bucket(&lesser, "ten", "a")], 1).await
    ));
}

#[tokio::test]
async fn a_full_server_admits_nothing_and_charges_nothing() {
    let server = redis::start(&[]).expect("a server");
    let mut admin = Admin::of(&server);
    let limiter = limiter(server.url(), &[("ten", hourly(10)), ("other", hourly(10))]).await;
    let both = [bucket(&limiter, "ten", "a"), bucket(&limiter, "other", "a")];
    assert_eq!(passed(&limiter, &both, 3).await, 3);
    let _: String = admin.run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(is_unavailable(&check(&limiter, &both, 1).await));
    let _: String = admin.run(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(left(&limiter, both[0]).await, 7);
    assert_eq!(left(&limiter, both[1]).await, 7);
}

#[tokio::test]
async fn a_cancelled_check_may_have_charged_and_admits_nobody() {
    let limiter = limiter(&shared_url(), &[("ten", hourly(10))]).await;
    let ten = [bucket(&limiter, "ten", "a")];
    for _ in 0..5 {
        let check = limiter.check(now(), &ten, tokens(1)).into_future();
        tokio::select! {
            biased;
            _ = check => panic!("no server answers before it is asked"),
            () = std::future::ready(()) => {}
        }
    }
    let rest = passed(&limiter, &ten, 20).await;
    assert!((5..=10).contains(&rest), "{rest}");
}

#[tokio::test]
async fn a_denial_is_remembered_until_its_wait_is_over_and_no_refund_is_missed() {
    let server = redis::start(&[]).expect("a server");
    let mut admin = Admin::of(&server);
    let limiter = limiter(server.url(), &[("ten", hourly(10)), ("more", hourly(50))]).await;
    let (ten, more) = (bucket(&limiter, "ten", "a"), bucket(&limiter, "more", "a"));
    let taken = check(&limiter, &[ten], 8).await.expect("it answers");
    let denied = check(&limiter, &[more, ten], 3).await.expect("it answers");
    assert!(!denied.is_allowed());
    let asked = admin.runs("evalsha");
    let at = now();
    for cost in [3, 4, 10] {
        let again = limiter
            .check(at, &[more, ten], tokens(cost))
            .await
            .expect("it answers");
        let Verdict::Denied { retry_after } = again.verdict() else {
            panic!("{again:?}");
        };
        // A token an hour, and what is left are two.
        let hours = Duration::from_secs(3600) * (cost - 2);
        assert!(
            retry_after <= hours && retry_after > hours - hours / 100,
            "{retry_after:?}"
        );
        let violated = again.violated().next().expect("a limit");
        assert_eq!(
            (violated.policy(), violated.state()),
            (ten.policy(), LimitState::Exceeded)
        );
        assert_eq!(again.charged().count(), 0);
        let peeked = limiter
            .peek(at, &[ten], tokens(cost))
            .await
            .expect("it answers");
        assert!(!peeked.is_allowed());
    }
    let never = limiter
        .check(at, &[ten], tokens(11))
        .await
        .expect("it answers");
    assert_eq!(never.verdict(), Verdict::NeverAllowed);
    assert_eq!(admin.runs("evalsha"), asked, "nobody was asked");
    // A cheaper request is another question.
    assert!(
        check(&limiter, &[ten], 1)
            .await
            .expect("it answers")
            .is_allowed()
    );
    // Its time is over, and it is asked again; nothing was charged in between.
    let asked = admin.runs("evalsha");
    let later = now() + Duration::from_secs(1);
    let again = limiter
        .check(later, &[ten], tokens(3))
        .await
        .expect("it answers");
    assert!(!again.is_allowed());
    assert!(admin.runs("evalsha") > asked);
    limiter.refund(now(), taken).await.expect("it answers");
    assert!(
        check(&limiter, &[ten], 3)
            .await
            .expect("it answers")
            .is_allowed()
    );
    // What is tried out denies nothing, from now on.
    let denied = check(&limiter, &[ten], 8).await.expect("it answers");
    assert!(!denied.is_allowed());
    let policies = limiter.policies();
    for (enforcement, is_allowed) in [(Enforcement::Shadow, true), (Enforcement::Enforced, false)] {
        policies
            .set_enforcement(ten.policy(), enforcement)
            .expect("a limit");
        let decision = check(&limiter, &[more, ten], 8).await.expect("it answers");
        assert_eq!(decision.is_allowed(), is_allowed, "{enforcement:?}");
        let charged = usize::from(is_allowed);
        assert_eq!(decision.charged().count(), charged, "{enforcement:?}");
    }
    // A change of the quota is no old denial's business.
    let denied = check(&limiter, &[ten], 8).await.expect("it answers");
    assert!(!denied.is_allowed());
    policies
        .set_quota(ten.policy(), Quota::per_hour(60).expect("a quota"))
        .expect("a limit");
    let asked = admin.runs("evalsha");
    check(&limiter, &[ten], 8)
        .await
        .map(drop)
        .expect("it answers");
    assert!(admin.runs("evalsha") > asked);
}

#[tokio::test]
async fn shows_neither_password_nor_secret() {
    let url = shared_url();
    let password = url.split([':', '@']).nth(2).expect("a password").to_owned();
    let limits = [("ten", hourly(10))];
    let client = patient(&url).await;
    let builder = RedisLimiter::builder(&client, policies_of([171; 16], &limits));
    let shown = format!("{builder:?}");
    let limiter = builder.build().expect("valid");
    let shown = format!("{shown} {limiter:?}");
    assert!(
        !shown.contains(&password) && !shown.contains("171"),
        "{shown}"
    );
    assert!(!shown.contains("abab"), "{shown}");
}
