//! The suite that every [`ApiKeyStore`] passes, also one of yours.
//!
//! ```
//! use std::sync::Arc;
//! use ringwall_authn::MemoryApiKeys;
//! use ringwall_authn::api_key::{ApiKeyStore, conformance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Yours in place of this one.
//! conformance::run(async || Arc::new(MemoryApiKeys::new(1000)) as Arc<dyn ApiKeyStore>).await;
//! # }
//! ```

#![expect(
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "a suite says what is wrong by a panic, as every test does"
)]

use core::future::{Future, poll_fn};
use core::num::NonZeroU16;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, ProjectId, Scope, Subject, Tenant};

use super::digest::SecretHasher;
use super::id::ApiKeyId;
use super::record::{ApiKeyName, ApiKeyRecord, ApiKeyState};
use super::store::{
    ApiKeyQuery, ApiKeyRotation, ApiKeyStore, ApiKeyStoreError, ApiKeyStoreErrorKind, ApiKeysOf,
};

/// Holds a store against its contract. `fresh` gives an empty one each time; it may be the same
/// database with other ids in it, since every run makes ids and organisations of its own.
///
/// What a suite within one process cannot show is left to tests of the store: durability across a
/// crash, and that two processes see each other's changes.
///
/// # Panics
///
/// With what is wrong.
pub async fn run<F>(fresh: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn ApiKeyStore>>,
{
    gives_back_what_was_stored(&*fresh().await).await;
    inserts_an_id_once(&*fresh().await).await;
    lists_in_pages(&*fresh().await).await;
    revokes_once_and_only_ones_own(&*fresh().await).await;
    revokes_together(&*fresh().await).await;
    rotates_as_a_whole(&*fresh().await).await;
    rotates_only_what_is_active(&*fresh().await).await;
    of_rotations_at_once_one_happens(&*fresh().await).await;
    a_revocation_and_a_rotation_at_once_leave_no_active_key_behind(&*fresh().await).await;
    notes_the_latest_use(&*fresh().await).await;
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
        .and_then(|at| at.checked_add(Duration::from_micros(123_456)))
        .expect("in range")
}

const NOW: i64 = 1_767_225_600;

/// An id that was never used before.
fn id() -> ApiKeyId {
    let key = super::text::ApiKeyPrefix::default().generate();
    key.expect("random bytes").id().clone()
}

fn org() -> OrgId {
    OrgId::new(format!("org-{}", id())).expect("visible characters")
}

fn record(org: &OrgId) -> ApiKeyRecord {
    ApiKeyRecord {
        id: id(),
        name: ApiKeyName::new("a key").expect("printable"),
        tenant: Tenant {
            org: org.clone(),
            project: None,
        },
        scopes: Vec::new(),
        created_by: Subject::new("user-1").expect("printable"),
        created_at: at(NOW),
        expires_at: None,
        networks: Vec::new(),
        origins: Vec::new(),
        digest: SecretHasher::sha256().hash(b"secret"),
        last_used_at: None,
        revoked_at: None,
        replaced: None,
    }
}

/// One that has everything a key can have, in an order that sorting would change.
fn full(org: &OrgId) -> ApiKeyRecord {
    let scope = |text: &str| Scope::new(text).expect("a scope");
    let pepper = ringwall_core::secret::SecretBytes::new(vec![7; 32]);
    let id = super::digest::PepperId::new("2026-11").expect("plain");
    ApiKeyRecord {
        name: ApiKeyName::new("Zoë's \"key\"; DROP TABLE x --'\\ 100 %_").expect("printable"),
        tenant: Tenant {
            org: org.clone(),
            project: Some(ProjectId::new("p-1").expect("visible characters")),
        },
        scopes: ["z:read", "a:write", "m,n", "{x}"].map(scope).to_vec(),
        created_by: Subject::new("Ω, 'user'").expect("printable"),
        expires_at: Some(at(NOW + 1000)),
        networks: ["2001:db8::/32", "192.0.2.0/24", "198.51.100.7"]
            .map(|text| text.parse().expect("a network"))
            .to_vec(),
        origins: ["https://z.example", "https://*.app.example:8443"]
            .map(|text| text.parse().expect("an origin"))
            .to_vec(),
        digest: SecretHasher::peppered(id, &pepper)
            .expect("long enough")
            .hash(b"secret"),
        last_used_at: Some(at(NOW - 5)),
        ..record(org)
    }
}

async fn insert(store: &dyn ApiKeyStore, record: &ApiKeyRecord) {
    let inserted = store.insert(record.clone()).await;
    inserted.expect("a new key can be stored");
}

async fn find(store: &dyn ApiKeyStore, id: &ApiKeyId) -> ApiKeyRecord {
    let found = store.find(id).await.expect("the store answers");
    found.unwrap_or_else(|| panic!("the key {id} is gone"))
}

fn kind<T>(answer: Result<T, ApiKeyStoreError>) -> Option<ApiKeyStoreErrorKind> {
    answer.err().map(|error| error.kind())
}

fn rotation(old: &ApiKeyRecord, now: i64, grace: i64) -> ApiKeyRotation {
    ApiKeyRotation {
        old: old.id.clone(),
        successor: ApiKeyRecord {
            tenant: old.tenant.clone(),
            created_at: at(now),
            ..record(&old.tenant.org)
        },
        at: at(now),
        grace_ends_at: at(now + grace),
    }
}

/// Waits for all of them, polled in turn.
pub(crate) async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    type Slot<F, T> = (Pin<Box<F>>, Option<T>);
    let mut slots: Vec<Slot<_, T>> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (future, answer) in &mut slots {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *answer = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    slots.into_iter().filter_map(|(_, answer)| answer).collect()
}

async fn gives_back_what_was_stored(store: &dyn ApiKeyStore) {
    let org = org();
    for record in [record(&org), full(&org)] {
        insert(store, &record).await;
        assert_eq!(
            find(store, &record.id).await,
            record,
            "what was stored is another key now"
        );
    }
    assert_eq!(store.find(&id()).await.expect("the store answers"), None);
}

async fn inserts_an_id_once(store: &dyn ApiKeyStore) {
    let first = full(&org());
    insert(store, &first).await;
    let second = ApiKeyRecord {
        id: first.id.clone(),
        ..record(&org())
    };
    assert_eq!(
        kind(store.insert(second).await),
        Some(ApiKeyStoreErrorKind::Conflict)
    );
    assert_eq!(
        find(store, &first.id).await,
        first,
        "an insertion changed a key"
    );
    let same = record(&org());
    let answers = all((0..16).map(|_| async { store.insert(same.clone()).await })).await;
    let inserted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(inserted, 1, "an id was inserted {inserted} times");
}

async fn lists_in_pages(store: &dyn ApiKeyStore) {
    let (org, other) = (org(), org());
    let mut records = Vec::new();
    for n in 0..7 {
        let record = if n % 2 == 0 { full(&org) } else { record(&org) };
        insert(store, &record).await;
        records.push(record);
    }
    insert(store, &record(&other)).await;
    records.sort_by(|one, two| one.id.cmp(&two.id));
    let mut query = ApiKeyQuery {
        limit: NonZeroU16::new(3).expect("not zero"),
        ..ApiKeyQuery::new(org.clone())
    };
    let mut listed = Vec::new();
    for expected in [3, 3, 1, 0] {
        let page = store.list(query.clone()).await.expect("the store answers");
        assert_eq!(page.len(), expected, "a page of a wrong length");
        query.after = page.last().map(|record| record.id.clone()).or(query.after);
        listed.extend(page);
    }
    assert_eq!(
        listed, records,
        "the pages are not the list in the order of the ids"
    );
    let of_project = ApiKeyQuery {
        project: Some(ProjectId::new("p-1").expect("visible characters")),
        ..ApiKeyQuery::new(org)
    };
    let page = store.list(of_project).await.expect("the store answers");
    records.retain(|record| record.tenant.project.is_some());
    assert_eq!(
        page, records,
        "a project's list has other keys than its own"
    );
}

async fn revokes_once_and_only_ones_own(store: &dyn ApiKeyStore) {
    let record = full(&org());
    insert(store, &record).await;
    let not_found = Some(ApiKeyStoreErrorKind::NotFound);
    let id = &record.id;
    assert_eq!(kind(store.revoke(&org(), id, at(NOW)).await), not_found);
    let unknown = self::id();
    assert_eq!(
        kind(store.revoke(&record.tenant.org, &unknown, at(NOW)).await),
        not_found
    );
    assert_eq!(find(store, id).await, record, "somebody else revoked a key");
    for time in [NOW + 1, NOW + 2] {
        let revoked = store.revoke(&record.tenant.org, id, at(time)).await;
        let revoked = revoked.expect("one's own key can be revoked");
        assert_eq!(
            revoked.revoked_at,
            Some(at(NOW + 1)),
            "a second revocation changed the time"
        );
        assert_eq!(find(store, id).await, revoked);
    }
}

async fn revokes_together(store: &dyn ApiKeyStore) {
    let (org, other) = (org(), org());
    let creator = Subject::new("leaver").expect("printable");
    let theirs = ApiKeyRecord {
        created_by: creator.clone(),
        ..record(&org)
    };
    let of_project = full(&org);
    let plain = record(&org);
    let strangers = ApiKeyRecord {
        created_by: creator.clone(),
        ..full(&other)
    };
    for record in [&theirs, &of_project, &plain, &strangers] {
        insert(store, record).await;
    }
    let project = ProjectId::new("p-1").expect("visible characters");
    let steps = [
        (ApiKeysOf::Creator(org.clone(), creator), 1),
        (ApiKeysOf::Project(org.clone(), project), 1),
        (ApiKeysOf::Org(org.clone()), 1),
        (ApiKeysOf::Org(org), 0),
    ];
    for (time, (whose, expected)) in (NOW..).zip(steps) {
        let count = store.revoke_all(&whose, at(time)).await;
        assert_eq!(count.expect("the store answers"), expected, "{whose:?}");
    }
    for (time, id) in (NOW..).zip([&theirs.id, &of_project.id, &plain.id]) {
        assert_eq!(find(store, id).await.revoked_at, Some(at(time)));
    }
    assert_eq!(
        find(store, &strangers.id).await,
        strangers,
        "a stranger's key was revoked"
    );
}

async fn rotates_as_a_whole(store: &dyn ApiKeyStore) {
    let old = full(&org());
    insert(store, &old).await;
    let wanted = rotation(&old, NOW + 10, 60);
    store
        .rotate(wanted.clone())
        .await
        .expect("an active key can be rotated");
    let replaced = find(store, &old.id).await;
    let link = replaced
        .replaced
        .clone()
        .expect("the old key knows its successor");
    assert_eq!(
        (link.by, link.grace_ends_at),
        (wanted.successor.id.clone(), at(NOW + 70))
    );
    assert_eq!(
        ApiKeyRecord {
            replaced: None,
            ..replaced.clone()
        },
        old,
        "a rotation changed more"
    );
    assert_eq!(find(store, &wanted.successor.id).await, wanted.successor);
    assert_eq!(replaced.state(at(NOW + 69)), ApiKeyState::InGrace);
    assert_eq!(replaced.state(at(NOW + 70)), ApiKeyState::Rotated);
}

async fn rotates_only_what_is_active(store: &dyn ApiKeyStore) {
    let conflict = Some(ApiKeyStoreErrorKind::Conflict);
    let rotated = record(&org());
    let revoked = ApiKeyRecord {
        revoked_at: Some(at(NOW)),
        ..record(&org())
    };
    let expired = ApiKeyRecord {
        expires_at: Some(at(NOW + 10)),
        ..record(&org())
    };
    let busy = record(&org());
    for record in [&rotated, &revoked, &expired, &busy] {
        insert(store, record).await;
    }
    store
        .rotate(rotation(&rotated, NOW + 1, 600))
        .await
        .expect("active");
    for old in [&rotated, &revoked, &expired] {
        let wanted = rotation(old, NOW + 10, 600);
        let successor = wanted.successor.id.clone();
        assert_eq!(kind(store.rotate(wanted).await), conflict, "{old:?}");
        let found = store.find(&successor).await.expect("the store answers");
        assert_eq!(found, None, "a refused rotation left a key behind");
    }
    // The successor's id is taken: the old key stays as it was.
    let mut taken = rotation(&busy, NOW + 10, 0);
    taken.successor.id = revoked.id.clone();
    assert_eq!(kind(store.rotate(taken).await), conflict);
    assert_eq!(
        find(store, &busy.id).await,
        busy,
        "a refused rotation ended the old key"
    );
    // Somebody else's key.
    let mut foreign = rotation(&busy, NOW + 10, 0);
    foreign.successor.tenant.org = org();
    assert_eq!(
        kind(store.rotate(foreign).await),
        Some(ApiKeyStoreErrorKind::NotFound)
    );
    assert_eq!(find(store, &busy.id).await, busy);
    assert_eq!(
        kind(store.rotate(rotation(&record(&org()), NOW, 0)).await),
        Some(ApiKeyStoreErrorKind::NotFound)
    );
}

async fn of_rotations_at_once_one_happens(store: &dyn ApiKeyStore) {
    let old = record(&org());
    insert(store, &old).await;
    let wanted: Vec<_> = (0..16).map(|_| rotation(&old, NOW + 1, 60)).collect();
    let answers = all(wanted
        .iter()
        .map(|one| async { store.rotate(one.clone()).await }))
    .await;
    let happened = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(
        happened, 1,
        "{happened} of 16 rotations of one key happened"
    );
    let keys = store.list(ApiKeyQuery::new(old.tenant.org.clone())).await;
    assert_eq!(keys.expect("the store answers").len(), 2);
}

async fn a_revocation_and_a_rotation_at_once_leave_no_active_key_behind(store: &dyn ApiKeyStore) {
    for _ in 0..8 {
        let old = record(&org());
        insert(store, &old).await;
        let org = &old.tenant.org;
        let whose = ApiKeysOf::Org(org.clone());
        let wanted = rotation(&old, NOW + 1, 60);
        let rotated = async { store.rotate(wanted.clone()).await.is_ok() };
        let revoked = async { store.revoke_all(&whose, at(NOW + 1)).await.is_ok() };
        let both: [Pin<Box<dyn Future<Output = bool>>>; 2] = [Box::pin(rotated), Box::pin(revoked)];
        all(both).await;
        // Whatever came first, the old key is revoked; a successor exists only if the rotation came
        // first, and then either the revocation saw it or it began after the rotation had ended.
        assert_eq!(
            find(store, &old.id).await.state(at(NOW + 2)),
            ApiKeyState::Revoked
        );
        let successor = store
            .find(&wanted.successor.id)
            .await
            .expect("the store answers");
        if let Some(successor) = successor {
            assert_eq!(
                successor.state(at(NOW + 2)),
                ApiKeyState::Revoked,
                "a successor escaped the revocation of all keys of its organisation"
            );
        }
    }
}

async fn notes_the_latest_use(store: &dyn ApiKeyStore) {
    let record = record(&org());
    insert(store, &record).await;
    let note = async |seconds| {
        let uses = [(record.id.clone(), at(seconds)), (id(), at(seconds))];
        store.record_uses(&uses).await.expect("the store answers");
        find(store, &record.id).await.last_used_at
    };
    assert_eq!(note(NOW + 5).await, Some(at(NOW + 5)));
    assert_eq!(
        note(NOW + 3).await,
        Some(at(NOW + 5)),
        "a use went back in time"
    );
    assert_eq!(note(NOW + 7).await, Some(at(NOW + 7)));
    store.record_uses(&[]).await.expect("no use is no fault");
    let twice = [
        (record.id.clone(), at(NOW + 9)),
        (record.id.clone(), at(NOW + 8)),
    ];
    store
        .record_uses(&twice)
        .await
        .expect("one key twice in a batch");
    assert_eq!(
        find(store, &record.id).await.last_used_at,
        Some(at(NOW + 9))
    );
}
