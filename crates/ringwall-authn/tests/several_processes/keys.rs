//! API keys that several processes rotate and take back, and processes that are killed meanwhile. The
//! crate that includes this says in `crate::setting` where a store is and how it is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::api_key::{
    ApiKeyId, ApiKeyName, ApiKeyQuery, ApiKeyRecord, ApiKeyRotation, ApiKeyState, ApiKeyStore,
    ApiKeyStoreErrorKind, ApiKeysOf,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject, Tenant};

use crate::setting;
use crate::worker::{Worker, draw, kills, place, say, told};

const NOW: Timestamp = Timestamp::from_unix_micros(1_767_225_600_000_000);
const WORKERS: usize = 3;
const ROUNDS: usize = 12;
/// Of one worker in one round: more than there is time for before the revocation.
const ATTEMPTS: usize = 300;

fn id() -> ApiKeyId {
    ApiKeyId::new(&format!("{:016x}", draw(u64::MAX))).expect("sixteen letters and digits")
}

pub(crate) fn key(org: &OrgId) -> ApiKeyRecord {
    ApiKeyRecord {
        id: id(),
        name: ApiKeyName::new("a key").expect("printable"),
        tenant: Tenant {
            org: org.clone(),
            project: None,
        },
        scopes: Vec::new(),
        created_by: Subject::new("alice").expect("printable"),
        created_at: NOW,
        expires_at: None,
        networks: Vec::new(),
        origins: Vec::new(),
        digest: format!("sha256:{}", "0123456789abcdef".repeat(4))
            .parse()
            .expect("a digest"),
        last_used_at: None,
        revoked_at: None,
        replaced: None,
    }
}

pub(crate) fn org() -> OrgId {
    OrgId::new(format!("org-{}", id())).expect("visible characters")
}

fn rotation(old: &ApiKeyId, org: &OrgId) -> ApiKeyRotation {
    ApiKeyRotation {
        old: old.clone(),
        successor: key(org),
        at: NOW,
        grace_ends_at: NOW,
    }
}

async fn all(store: &dyn ApiKeyStore, org: &OrgId) -> BTreeMap<ApiKeyId, ApiKeyRecord> {
    let mut query = ApiKeyQuery {
        limit: NonZeroU16::MAX,
        ..ApiKeyQuery::new(org.clone())
    };
    let mut found = BTreeMap::new();
    loop {
        let page = store.list(query.clone()).await.expect("the store answers");
        let is_last = page.len() < usize::from(NonZeroU16::MAX.get());
        query.after = page.last().map(|record| record.id.clone());
        found.extend(page.into_iter().map(|record| (record.id.clone(), record)));
        if is_last {
            return found;
        }
    }
}

/// Each key that was replaced has its successor, each successor replaced one key, and one key is left.
fn assert_one_chain(keys: &BTreeMap<ApiKeyId, ApiKeyRecord>) {
    let links: Vec<_> = keys
        .values()
        .filter_map(|key| key.replaced.as_ref())
        .collect();
    let successors: BTreeSet<_> = links.iter().map(|link| &link.by).collect();
    assert_eq!(successors.len(), links.len(), "a key replaced two");
    for successor in &successors {
        assert!(keys.contains_key(*successor), "a successor is not there");
    }
    assert_eq!(
        keys.len().checked_sub(links.len()),
        Some(1),
        "there is a key that replaced none and is not the first, or none is left"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_processes_that_rotate_and_one_that_revokes_no_successor_escapes() {
    let place = setting::fresh().await;
    let store = setting::keys(&place.address).await;
    let path = concat!(module_path!(), "::rotates_until_nothing_is_active");
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|_| Worker::start(path, &place.address))
        .collect();
    let mut rotations = 0;
    for _ in 0..ROUNDS {
        let org = org();
        store.insert(key(&org)).await.expect("a new key");
        for worker in &mut workers {
            worker.tell(org.as_str());
        }
        // They are in the middle of it.
        tokio::time::sleep(Duration::from_millis(20 + draw(60))).await;
        let whose = ApiKeysOf::Org(org.clone());
        let count = store.revoke_all(&whose, NOW).await.expect("it answers");
        let happened: usize = workers
            .iter_mut()
            .map(|worker| {
                worker
                    .hear()
                    .expect("alive")
                    .parse::<usize>()
                    .expect("a number")
            })
            .sum();
        let keys = all(&*store, &org).await;
        assert_one_chain(&keys);
        assert_eq!(
            keys.len(),
            happened + 1,
            "what was answered is what happened"
        );
        assert_eq!(count, u64::try_from(keys.len()).expect("few"));
        for key in keys.values() {
            assert_eq!(key.state(NOW), ApiKeyState::Revoked, "{key:?} escaped");
        }
        rotations += happened;
    }
    assert!(
        rotations > ROUNDS,
        "the revocations came before all rotations"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a worker of the test above, which starts it"]
async fn rotates_until_nothing_is_active() {
    let store = setting::keys(&place()).await;
    say("ready");
    while let Some(name) = told() {
        let org = OrgId::new(name).expect("an organisation");
        let mut count = 0;
        // A successor that escaped would be rotated for ever.
        for _ in 0..ATTEMPTS {
            let keys = all(&*store, &org).await;
            let active = keys
                .values()
                .find(|key| key.state(NOW) == ApiKeyState::Active);
            let Some(active) = active else { break };
            match store.rotate(rotation(&active.id, &org)).await {
                Ok(()) => count += 1,
                // Another one was faster.
                Err(error) if error.kind() == ApiKeyStoreErrorKind::Conflict => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        say(&count.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_process_that_is_killed_between_the_steps_of_a_rotation_leaves_the_old_key_or_both()
{
    let place = setting::fresh().await;
    let store = setting::keys(&place.address).await;
    let path = concat!(module_path!(), "::rotates_until_it_is_killed");
    for _ in 0..kills() {
        let org = org();
        let first = key(&org);
        store.insert(first.clone()).await.expect("a new key");
        let mut worker = Worker::start(path, &place.address);
        worker.tell(org.as_str());
        let mut answered = Vec::new();
        for _ in 0..=draw(12) {
            answered.push(worker.hear().expect("alive"));
        }
        // Somewhere in the next one.
        std::thread::sleep(Duration::from_micros(draw(4000)));
        worker.kill();
        // What it had still said when it died.
        answered.extend(std::iter::from_fn(|| worker.hear()));

        let keys = all(&*store, &org).await;
        assert_one_chain(&keys);
        let active = keys
            .values()
            .filter(|key| key.state(NOW) == ApiKeyState::Active);
        assert_eq!(
            active.count(),
            1,
            "there is no active key, or more than one"
        );
        for id in &answered {
            let id = ApiKeyId::new(id).expect("an id");
            assert!(keys.contains_key(&id), "what was answered is not there");
        }
        // The first one, those that were answered, and one whose answer did not come any more.
        let rotations = keys.len() - 1;
        assert!((answered.len()..=answered.len() + 1).contains(&rotations));
        // And it goes on from there. A server may have had the last step on its way.
        let mut went_on = Ok(());
        for _ in 0..100 {
            let keys = all(&*store, &org).await;
            assert_one_chain(&keys);
            let last = keys
                .values()
                .find(|key| key.replaced.is_none())
                .expect("one");
            went_on = store.rotate(rotation(&last.id, &org)).await;
            if went_on.is_ok() {
                break;
            }
        }
        went_on.expect("it goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a worker of the test above, which starts it"]
async fn rotates_until_it_is_killed() {
    let store: Arc<dyn ApiKeyStore> = setting::keys(&place()).await;
    say("ready");
    let org = OrgId::new(told().expect("an organisation")).expect("an organisation");
    let keys = all(&*store, &org).await;
    let mut current = keys.into_keys().next().expect("one");
    loop {
        let rotation = rotation(&current, &org);
        current = rotation.successor.id.clone();
        store.rotate(rotation).await.expect("active");
        say(current.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_was_answered_is_seen_by_another_process_at_once() {
    let place = setting::fresh().await;
    let store = setting::keys(&place.address).await;
    let path = concat!(module_path!(), "::says_whether_a_key_is_revoked");
    let mut worker = Worker::start(path, &place.address);
    for _ in 0..50 {
        let org = org();
        let key = key(&org);
        store.insert(key.clone()).await.expect("a new key");
        worker.tell(key.id.as_str());
        assert_eq!(worker.hear().as_deref(), Some("active"));
        store.revoke(&org, &key.id, NOW).await.expect("it answers");
        worker.tell(key.id.as_str());
        assert_eq!(worker.hear().as_deref(), Some("revoked"));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a worker of the test above, which starts it"]
async fn says_whether_a_key_is_revoked() {
    let store = setting::keys(&place()).await;
    say("ready");
    while let Some(id) = told() {
        let id = ApiKeyId::new(&id).expect("an id");
        let key = store.find(&id).await.expect("the store answers");
        say(key.expect("it was inserted").state(NOW).as_str());
    }
}
