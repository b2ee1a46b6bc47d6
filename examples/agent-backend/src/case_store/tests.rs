use std::collections::BTreeMap;

use proptest::prelude::*;
use ringwall_core::attest::Attest;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Subject,
    Tenant,
};
use ringwall_gate::authz::{Action, Context, Duties, Policy};

use super::*;
use crate::authorization::{self, Draft};
use crate::case::Status;
use crate::store::Store;

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

/// Who there is in each of them: an administrator, two analysts, and who views what was assigned to it.
const WHO: [(&str, &str); 4] = [
    ("root", "admin"),
    ("ada", "analyst"),
    ("ADA", "analyst"),
    ("eve", "viewer"),
];

/// Somebody in a tenant.
struct Caller {
    tenant: TenantScope,
    who: usize,
    policy: Policy,
    subject: ringwall_gate::authz::Subject,
}

impl Caller {
    fn new(policy: &Policy, (org, project): (&str, Option<&str>), who: usize) -> Self {
        let tenant = Tenant {
            org: OrgId::new(org).expect("valid"),
            project: project.map(|project| ProjectId::new(project).expect("valid")),
        };
        let (name, role) = WHO[who];
        let mut principal = Principal::new(
            PrincipalKind::User,
            Subject::new(name).expect("valid"),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(tenant.clone());
        let subject = policy
            .subject_of(&principal, Attest::i_have_verified_this())
            .roles([role])
            .related_in_database("case_assignments");
        Self {
            tenant: TenantScope::for_test(tenant),
            who,
            policy: policy.clone(),
            subject: subject.build(),
        }
    }

    fn context(&self) -> Context<'_> {
        self.policy.context(at(0))
    }

    fn rows<A: Action>(&self) -> RowsPermit<A> {
        let rows = self
            .policy
            .authorize_rows(&self.subject, &self.context(), &Duties::none());
        rows.expect("a database can answer it")
    }

    /// The proofs that a case may be made, and be read then, if it may.
    fn create(
        &self,
        id: &CaseId,
        case: &NewCase,
    ) -> Option<(Permit<CreateCase>, Permit<ReadCase>)> {
        Some((self.permit(id, case)?, self.permit(id, case)?))
    }

    fn permit<A: Action>(&self, id: &CaseId, case: &NewCase) -> Option<Permit<A>> {
        use ringwall_gate::authz::ToResource as _;

        let draft = Draft {
            id: id.as_str(),
            tenant: &self.tenant,
            owner: self.subject.name().as_str(),
            case,
        };
        let resource = draft.to_resource(&self.policy).expect("a type");
        let permit =
            self.policy
                .authorize(&self.subject, &resource, &self.context(), &Duties::none());
        permit.ok()
    }

    /// Whether it may do anything at all to a case of its tenant that this one made.
    fn may(&self, owner: usize) -> bool {
        match WHO[self.who].1 {
            "admin" => true,
            "analyst" => owner == self.who,
            _ => false,
        }
    }
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

/// What somebody does. Callers and cases are counted, so that most of what is tried concerns a case that exists, and
/// mostly one of somebody else.
#[derive(Clone, Debug)]
enum Move {
    Create,
    Get {
        case: usize,
    },
    Update {
        case: usize,
        version: Option<i64>,
    },
    Delete {
        case: usize,
        version: Option<i64>,
    },
    List {
        limit: u32,
        after: Option<usize>,
    },
    /// An administrator of the case's tenant assigns it to who only views, or takes it back.
    Assign {
        case: usize,
        is_assigned: bool,
    },
}

fn moves() -> impl Strategy<Value = Vec<(usize, usize, Move)>> {
    let case = || 0..12_usize;
    let version = || proptest::option::of(1..3_i64);
    let one = prop_oneof![
        3 => Just(Move::Create),
        2 => case().prop_map(|case| Move::Get { case }),
        2 => (case(), version()).prop_map(|(case, version)| Move::Update { case, version }),
        2 => (case(), version()).prop_map(|(case, version)| Move::Delete { case, version }),
        2 => (1..5_u32, proptest::option::of(case()))
            .prop_map(|(limit, after)| Move::List { limit, after }),
        2 => (case(), any::<bool>())
            .prop_map(|(case, is_assigned)| Move::Assign { case, is_assigned }),
    ];
    // Few tenants are met often, so that people of one tenant meet each other's cases.
    let tenant = prop_oneof![3 => 0..2_usize, 2 => 0..TENANTS.len()];
    proptest::collection::vec((tenant, 0..WHO.len(), one), 1..80)
}

/// A case that the store must have.
struct Known {
    owner: usize,
    is_assigned: bool,
    case: Case,
}

/// What the store must answer: rows by tenant, and within it by age.
type Model = BTreeMap<(usize, i64, CaseId), Known>;

impl Known {
    fn is_readable(&self, caller: &Caller) -> bool {
        caller.may(self.owner) || (WHO[caller.who].1 == "viewer" && self.is_assigned)
    }
}

async fn play(moves: Vec<(usize, usize, Move)>) {
    let store = Store::in_memory().await.expect("a database");
    let cases = CaseStore::Sqlite(SqliteCases::new(store));
    let policy = authorization::policy().expect("a policy");
    let mut model = Model::new();
    // Every case that ever was, with its tenant: those that are gone are asked for as well.
    let mut known: Vec<(usize, i64, CaseId)> = Vec::new();
    for (now, (tenant, who, step)) in moves.into_iter().enumerate() {
        // Times repeat, so that lists are ordered by id too.
        let now = i64::try_from(now).expect("few") / 4;
        let caller = Caller::new(&policy, TENANTS[tenant], who);
        // The case that is meant, as a row of the caller's own tenant.
        let own = |case: usize| {
            let (owner, time, id) = known.get(case)?;
            Some((*owner == tenant, (tenant, *time, id.clone()), id.clone()))
        };
        match step {
            Move::Create => {
                let id = CaseId::random().expect("random bytes");
                let new = new_case(&format!("of {tenant}"));
                let permit = caller.create(&id, &new);
                assert_eq!(permit.is_some(), WHO[who].1 != "viewer");
                let Some((permit, readable)) = permit else {
                    continue;
                };
                let made = cases.create(&permit, &readable, &caller.tenant, &new, at(now));
                let case = made.await.expect("stored");
                assert_eq!(case.created_by, WHO[who].0);
                let row = Known {
                    owner: who,
                    is_assigned: false,
                    case,
                };
                known.push((tenant, now, id.clone()));
                model.insert((tenant, now, id), row);
            }
            Move::Get { case } => {
                let Some((_, key, id)) = own(case) else {
                    continue;
                };
                let got = cases.get(&caller.rows(), &caller.tenant, &id).await;
                let row = model.get(&key).filter(|row| row.is_readable(&caller));
                assert_eq!(got.expect("answered").as_ref(), row.map(|row| &row.case));
            }
            Move::Update { case, version } => {
                let Some((_, key, id)) = own(case) else {
                    continue;
                };
                let target = Target {
                    tenant: &caller.tenant,
                    id: &id,
                    version,
                };
                let (rows, readable, change) = (caller.rows(), caller.rows(), closing());
                let rows = Changeable {
                    rows: &rows,
                    readable: &readable,
                };
                let done = cases.update(rows, target, &change, at(now)).await;
                let done = done.expect("answered");
                let row = model.get_mut(&key).filter(|row| caller.may(row.owner));
                let row = row.filter(|row| version.is_none_or(|own| own == row.case.version));
                if let Some(row) = row {
                    row.case.status = Status::Closed;
                    row.case.version = row.case.version.saturating_add(1);
                    row.case.updated_at = at(now);
                    assert_eq!(done.as_ref(), Some(&row.case));
                } else {
                    assert_eq!(done, None);
                }
            }
            Move::Delete { case, version } => {
                let Some((_, key, id)) = own(case) else {
                    continue;
                };
                let target = Target {
                    tenant: &caller.tenant,
                    id: &id,
                    version,
                };
                let (rows, readable) = (caller.rows(), caller.rows());
                let rows = Changeable {
                    rows: &rows,
                    readable: &readable,
                };
                let done = cases.delete(rows, target).await;
                let is_met = model.get(&key).is_some_and(|row| {
                    caller.may(row.owner) && version.is_none_or(|own| own == row.case.version)
                });
                assert_eq!(done.expect("answered"), is_met);
                if is_met {
                    model.remove(&key);
                }
            }
            Move::List { limit, after } => {
                // A cursor that was made from somebody else's case moves within the own ones.
                let position = after
                    .and_then(|after| known.get(after))
                    .map(|(_, time, id)| Position {
                        created_at: at(*time),
                        id: id.clone(),
                    });
                let rows = caller.rows();
                let got = cases.list(&rows, &caller.tenant, position.as_ref(), limit);
                let got = got.await.expect("answered");
                let before = |case: &&Case| {
                    position.as_ref().is_none_or(|position| {
                        (case.created_at, &case.id) < (position.created_at, &position.id)
                    })
                };
                let of_tenant = model.iter().rev().filter(|((of, ..), _)| *of == tenant);
                let limit = usize::try_from(limit).expect("few");
                let expected: Vec<_> = of_tenant
                    .map(|(_, row)| row)
                    .filter(|row| row.is_readable(&caller))
                    .map(|row| &row.case)
                    .filter(before)
                    .take(limit)
                    .collect();
                assert_eq!(got.iter().collect::<Vec<_>>(), expected);
            }
            Move::Assign { case, is_assigned } => {
                let Some((of, time, id)) = known.get(case) else {
                    continue;
                };
                let root = Caller::new(&policy, TENANTS[*of], 0);
                let permit =
                    Permit::attest(&root.subject, id.as_str(), Attest::i_have_verified_this());
                let assigned = cases.assign(&permit, "eve", is_assigned).await;
                assigned.expect("stored");
                if let Some(row) = model.get_mut(&(*of, *time, id.clone())) {
                    row.is_assigned = is_assigned;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the people of seven tenants do at once, each sees and touches the rows that the policy permits, and no
    /// other.
    #[test]
    fn nobody_ever_sees_or_touches_a_row_that_the_policy_does_not_permit(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(play(moves));
    }
}

#[tokio::test]
async fn two_tenants_may_even_have_a_case_of_the_same_id() {
    let store = Store::in_memory().await.expect("a database");
    let cases = CaseStore::Sqlite(SqliteCases::new(store));
    let policy = authorization::policy().expect("a policy");
    let id = CaseId::random().expect("random bytes");
    let callers = TENANTS.map(|tenant| Caller::new(&policy, tenant, 1));
    for (tenant, caller) in TENANTS.iter().zip(&callers) {
        let new = new_case(&format!("{tenant:?}"));
        let (permit, readable) = caller.create(&id, &new).expect("an analyst may");
        let made = cases
            .create(&permit, &readable, &caller.tenant, &new, at(0))
            .await;
        made.expect("stored");
    }
    for (tenant, caller) in TENANTS.iter().zip(&callers) {
        let got = cases.get(&caller.rows(), &caller.tenant, &id).await;
        let got = got.expect("answered").expect("there");
        assert_eq!(got.title, format!("{tenant:?}"));
    }
    let target = Target {
        tenant: &callers[1].tenant,
        id: &id,
        version: None,
    };
    let (rows, readable) = (callers[1].rows(), callers[1].rows());
    let rows = Changeable {
        rows: &rows,
        readable: &readable,
    };
    let gone = cases.delete(rows, target).await;
    assert!(gone.expect("answered"));
    let rows = callers[0].rows();
    let left = cases.list(&rows, &callers[0].tenant, None, 10).await;
    assert_eq!(left.expect("answered").len(), 1);
}
