use ringwall_rate_limit::{KeyHasher, Policies, Quota};

use super::*;

const LASTING: Duration = Duration::from_millis(100);
const ONE: NonZeroU32 = NonZeroU32::MIN;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn limits(count: u32) -> Vec<AppliedLimit> {
    let policies = Policies::builder()
        .hasher(KeyHasher::shared([7; 16]))
        .add("many", Quota::per_hour(1000).expect("a quota"))
        .expect("a limit")
        .build();
    let policy = policies.find("many").expect("a limit");
    let limit = |n: u32| {
        let bucket = policies.dimension(policy, [&n.to_le_bytes()[..]]);
        let applied = policies.apply(&[bucket.expect("a key")]);
        applied.expect("a limit")[0]
    };
    (0..count).map(limit).collect()
}

fn local(keys: usize) -> Arc<Local> {
    Arc::new(Local::new(keys, LASTING, Duration::from_secs(1)))
}

fn lease_of(local: &Local, limit: &AppliedLimit, now: Duration) -> Option<u64> {
    match local.look(limit, now, ONE, true) {
        Known::Leased(served) => Some(served.number),
        Known::Denied(_) | Known::Unknown { .. } => None,
    }
}

#[test]
fn what_was_taken_from_a_lease_goes_back_to_that_one_alone() {
    let (local, limit) = (local(100), limits(1)[0]);
    let key = limit.dimension.key();
    local.note_allowed(&limit, at(0), at(0), 1);
    let first = lease_of(&local, &limit, at(1)).expect("a lease");
    local.put_back(key, first, ONE);
    assert_eq!(lease_of(&local, &limit, at(2)), Some(first));
    assert_eq!(lease_of(&local, &limit, at(3)), None, "it had one token");
    local.note_allowed(&limit, at(4), at(0), 1);
    local.put_back(key, first, ONE);
    let second = lease_of(&local, &limit, at(5)).expect("a lease");
    assert_ne!(first, second);
    assert_eq!(lease_of(&local, &limit, at(6)), None, "it had one token");
}

#[test]
fn what_is_left_of_a_lease_is_given_back_once_and_not_while_it_serves() {
    let (local, limit) = (local(100), limits(1)[0]);
    local.note_allowed(&limit, at(0), at(0), 5);
    assert_eq!(local.drain(&limit, at(99), ONE).count, 0);
    let dear = NonZeroU32::new(6).expect("not zero");
    assert_eq!(local.drain(&limit, at(99), dear).count, 5);
    assert_eq!(local.drain(&limit, at(99), dear).count, 0);
    local.note_allowed(&limit, at(100), at(0), 5);
    assert_eq!(local.drain(&limit, at(200), ONE).count, 5);
    assert_eq!(local.drain(&limit, at(200), ONE).count, 0);
}

#[test]
fn one_task_waits_for_the_end_of_a_buckets_leases() {
    let (local, limit) = (local(100), limits(1)[0]);
    let key = limit.dimension.key();
    let first = local.note_allowed(&limit, at(0), at(0), 5).expect("a task");
    assert_eq!(local.note_allowed(&limit, at(50), at(0), 5), None);
    let Err(second) = local.end(key, first) else {
        panic!("the second lease is not over");
    };
    assert_eq!(local.end(key, second).expect("over").count, 5);
    assert_eq!(local.end(key, second).expect("over").count, 0);
    assert!(local.note_allowed(&limit, at(200), at(0), 5).is_some());
}

#[test]
fn one_caller_fetches_for_a_bucket_until_it_is_done_or_dropped() {
    let (local, limits) = (local(100), limits(2));
    let keys: Vec<LimitKey> = limits.iter().map(|limit| limit.dimension.key()).collect();
    for limit in &limits {
        local.note_allowed(limit, at(0), at(0), 0);
    }
    let Fetch::Mine(mine) = local.fetch([keys[1]].into_iter()) else {
        panic!("nobody fetches");
    };
    assert!(mine.has(keys[1]) && !mine.has(keys[0]));
    // Whoever wants both waits, and keeps nobody waiting.
    let Fetch::Others(others) = local.fetch(keys.iter().copied()) else {
        panic!("somebody fetches for one of them");
    };
    let Fetch::Mine(first) = local.fetch([keys[0]].into_iter()) else {
        panic!("nobody fetches for this one");
    };
    assert!(!others.is_closed());
    drop(mine);
    assert!(others.is_closed());
    drop(first);
    let Fetch::Mine(both) = local.fetch(keys.iter().copied()) else {
        panic!("nobody fetches");
    };
    assert!(both.has(keys[0]) && both.has(keys[1]));
}

#[test]
fn a_flood_of_keys_is_forgotten_and_what_is_at_work_is_kept() {
    let (local, limits) = (local(SHARDS), limits(2000));
    local.note_allowed(&limits[0], at(0), at(0), 5);
    for limit in &limits[1..] {
        local.note_allowed(limit, at(10), at(0), 0);
        local.note_denied(limit, at(10), ONE, Duration::from_secs(5), 0);
    }
    let count = || -> usize {
        let sizes = local
            .shards
            .iter()
            .map(|shard| shard.lock().expect("whole").entries.len());
        sizes.sum()
    };
    assert!((2..=SHARDS).contains(&count()), "{}", count());
    assert!(lease_of(&local, &limits[0], at(20)).is_some());
    // Later others have the places.
    let later = at(5000);
    let remembered = |limit: &&AppliedLimit| {
        local.note_denied(limit, later, ONE, Duration::from_secs(5), 0);
        matches!(local.look(limit, later, ONE, true), Known::Denied(_))
    };
    let known = limits.iter().skip(1000).filter(remembered).count();
    assert!(known >= SHARDS / 2, "{known}");
    assert!(count() <= SHARDS);
}

#[test]
fn a_denial_of_before_a_refund_is_not_remembered() {
    let limits = limits(1);
    let (limit, local) = (&limits[0], local(100));
    let before = local.refunds(limit.dimension.key());
    local.forget_denial(limit.dimension.key());
    local.note_denied(limit, at(10), ONE, Duration::from_secs(5), before);
    let known = local.look(limit, at(11), ONE, true);
    assert!(matches!(known, Known::Unknown { .. }), "{known:?}");
    let now = local.refunds(limit.dimension.key());
    local.note_denied(limit, at(10), ONE, Duration::from_secs(5), now);
    let known = local.look(limit, at(11), ONE, true);
    assert!(matches!(known, Known::Denied(_)), "{known:?}");
}
