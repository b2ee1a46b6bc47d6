use std::collections::BTreeMap;

use proptest::prelude::*;
use ringwall_core::principal::{OrgId, ProjectId, Tenant};

use super::*;

/// Tenants that differ in as little as two tenants can.
const TENANTS: [(&str, Option<&str>); 7] = [
    ("acme", None),
    ("acme", Some("alpha")),
    ("acme", Some("Alpha")),
    ("acme", Some("%")),
    ("globex", Some("alpha")),
    ("acme'--", Some("alpha")),
    ("acmealpha", None),
];

fn scope((org, project): (&str, Option<&str>)) -> TenantScope {
    TenantScope::for_test(Tenant {
        org: OrgId::new(org).expect("valid"),
        project: project.map(|project| ProjectId::new(project).expect("valid")),
    })
}

fn new_case(title: &str) -> NewCase {
    let text = serde_json::json!({ "title": title, "body": "" }).to_string();
    serde_json::from_str(&text).expect("valid")
}

fn closing() -> CaseChange {
    serde_json::from_str(r#"{"status":"closed"}"#).expect("valid")
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros)
}

/// What somebody does. Tenants and cases are counted, so that most of what is tried concerns a
/// case that exists, and mostly one of somebody else.
#[derive(Clone, Debug)]
enum Move {
    Create {
        tenant: usize,
    },
    Get {
        tenant: usize,
        case: usize,
    },
    Update {
        tenant: usize,
        case: usize,
        version: Option<i64>,
    },
    Delete {
        tenant: usize,
        case: usize,
        version: Option<i64>,
    },
    List {
        tenant: usize,
        limit: u32,
        after: Option<usize>,
    },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let tenant = || 0..TENANTS.len();
    let case = || 0..12_usize;
    let version = || proptest::option::of(1..3_i64);
    let one = prop_oneof![
        3 => tenant().prop_map(|tenant| Move::Create { tenant }),
        2 => (tenant(), case()).prop_map(|(tenant, case)| Move::Get { tenant, case }),
        2 => (tenant(), case(), version())
            .prop_map(|(tenant, case, version)| Move::Update { tenant, case, version }),
        2 => (tenant(), case(), version())
            .prop_map(|(tenant, case, version)| Move::Delete { tenant, case, version }),
        2 => (tenant(), 1..5_u32, proptest::option::of(case()))
            .prop_map(|(tenant, limit, after)| Move::List { tenant, limit, after }),
    ];
    proptest::collection::vec(one, 1..60)
}

/// What the store must answer: rows by tenant, and within it by age.
type Model = BTreeMap<(usize, i64, CaseId), Case>;

async fn play(moves: Vec<Move>) {
    let cases = CaseStore::new(Store::in_memory().await.expect("a database"));
    let by = Subject::new("somebody").expect("valid");
    let scopes = TENANTS.map(scope);
    let mut model = Model::new();
    // Every case that ever was, with its owner: those that are gone are asked for as well.
    let mut known: Vec<(usize, i64, CaseId)> = Vec::new();
    for (now, step) in moves.into_iter().enumerate() {
        // Times repeat, so that lists are ordered by id too.
        let now = i64::try_from(now).expect("few") / 4;
        match step {
            Move::Create { tenant } => {
                let id = CaseId::random().expect("random bytes");
                let new = new_case(&format!("of {tenant}"));
                let made = cases.create(&scopes[tenant], id.clone(), &new, &by, at(now));
                let key = (tenant, now, id);
                known.push(key.clone());
                model.insert(key, made.await.expect("stored"));
            }
            Move::Get { tenant, case } => {
                let Some((owner, time, id)) = known.get(case) else {
                    continue;
                };
                let got = cases.get(&scopes[tenant], id).await.expect("answered");
                let own = (*owner == tenant)
                    .then_some(())
                    .and_then(|()| model.get(&(tenant, *time, id.clone())));
                assert_eq!(got.as_ref(), own);
            }
            Move::Update {
                tenant,
                case,
                version,
            } => {
                let Some((owner, time, id)) = known.get(case) else {
                    continue;
                };
                let change = closing();
                let done = cases.update(&scopes[tenant], id, &change, version, at(now));
                let done = done.await.expect("answered");
                let own = model.get_mut(&(tenant, *time, id.clone()));
                match own {
                    Some(own) if version.is_none_or(|version| version == own.version) => {
                        assert_eq!(*owner, tenant);
                        own.status = Status::Closed;
                        own.version = own.version.saturating_add(1);
                        own.updated_at = at(now);
                        assert_eq!(done, Change::Done(own.clone()));
                    }
                    Some(_) => assert_eq!(done, Change::OtherVersion),
                    None => assert_eq!(done, Change::NoSuchCase),
                }
            }
            Move::Delete {
                tenant,
                case,
                version,
            } => {
                let Some((_, time, id)) = known.get(case) else {
                    continue;
                };
                let done = cases.delete(&scopes[tenant], id, version).await;
                let key = (tenant, *time, id.clone());
                let expected = match model.get(&key) {
                    Some(own) if version.is_none_or(|version| version == own.version) => {
                        model.remove(&key);
                        Change::Done(())
                    }
                    Some(_) => Change::OtherVersion,
                    None => Change::NoSuchCase,
                };
                assert_eq!(done.expect("answered"), expected);
            }
            Move::List {
                tenant,
                limit,
                after,
            } => {
                // A cursor that was made from somebody else's case moves within the own ones.
                let position = after
                    .and_then(|after| known.get(after))
                    .map(|(_, time, id)| Position {
                        created_at: at(*time),
                        id: id.clone(),
                    });
                let got = cases.list(&scopes[tenant], position.as_ref(), limit).await;
                let before = |case: &&Case| {
                    position.as_ref().is_none_or(|position| {
                        (case.created_at, &case.id) < (position.created_at, &position.id)
                    })
                };
                let own = model
                    .iter()
                    .rev()
                    .filter(|((owner, ..), _)| *owner == tenant);
                let limit = usize::try_from(limit).expect("few");
                let expected: Vec<_> = own
                    .map(|(_, case)| case)
                    .filter(before)
                    .take(limit)
                    .collect();
                assert_eq!(got.expect("answered").iter().collect::<Vec<_>>(), expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever seven tenants do at once, each sees and touches its own rows alone.
    #[test]
    fn no_tenant_ever_sees_or_touches_a_row_of_another(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(play(moves));
    }
}

#[tokio::test]
async fn two_tenants_may_even_have_a_case_of_the_same_id() {
    let cases = CaseStore::new(Store::in_memory().await.expect("a database"));
    let by = Subject::new("somebody").expect("valid");
    let id = CaseId::random().expect("random bytes");
    for tenant in TENANTS {
        let new = new_case(&format!("{tenant:?}"));
        let scope = scope(tenant);
        let made = cases.create(&scope, id.clone(), &new, &by, at(0));
        made.await.expect("stored");
    }
    for tenant in TENANTS {
        let got = cases.get(&scope(tenant), &id).await.expect("answered");
        assert_eq!(got.expect("there").title, format!("{tenant:?}"));
    }
    let gone = cases.delete(&scope(TENANTS[1]), &id, None).await;
    assert_eq!(gone.expect("answered"), Change::Done(()));
    let left = cases
        .list(&scope(TENANTS[0]), None, 10)
        .await
        .expect("answered");
    assert_eq!(left.len(), 1);
}
