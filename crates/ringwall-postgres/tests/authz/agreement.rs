//! The process, the WHERE of both dialects, and row-level security say the same.

use std::collections::BTreeSet;

use ringwall_authz::{Context, Policy, RowFilter, Subject};
use ringwall_postgres::PushRows as _;
use sqlx::{Postgres, QueryBuilder, Row as _, Sqlite};

use crate::callers::Caller;
use crate::coverage::Coverage;
use crate::dice::{ACTIONS, Dice};
use crate::policies::policy;
use crate::probe::{Done, Tries, secured};
use crate::rows::Row;
use crate::shape::Shape;
use crate::sqlite_rows::PushRows as _;
use crate::world::World;

/// A number for this test, or for all property tests, as `ci` and `soak` set it.
fn setting(own: &str, of_all: &str) -> Option<u64> {
    let text = [own, of_all]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    text.map(|text| text.parse().expect("a number"))
}

/// How many (policy, subject, row set) are compared: `RINGWALL_AUTHZ_CASES`, or 2,000.
fn cases() -> usize {
    let cases = setting("RINGWALL_AUTHZ_CASES", "PROPTEST_CASES");
    cases.map_or(2000, |cases| usize::try_from(cases).expect("it fits"))
}

const SUBJECTS_PER_POLICY: usize = 4;
/// Rows that are there, and rows that are put in.
const ROWS: usize = 14;
const NEW_ROWS: usize = 6;
/// Of the rows that may not be put in, how many are tried.
const REFUSED_ROWS: usize = 2;
/// How many places are looked at to which rows could be moved.
const PLACES: usize = 24;

/// The ids of the rows to which each action may be done, in the order of [`ACTIONS`].
type Permitted = [BTreeSet<String>; 4];

/// One subject under one policy.
struct Case<'a> {
    policy: &'a Policy,
    shape: Shape,
    subject: Subject,
    context: Context<'a>,
}

#[tokio::test]
async fn property_the_process_two_dialects_and_row_level_security_agree() {
    let world = World::new().await;
    world.shapes().await;
    let seed = setting("RINGWALL_AUTHZ_SEED", "PROPTEST_RNG_SEED").unwrap_or(7);
    let (mut done, mut yes, mut no, mut refused) = (0, 0, 0, 0);
    let mut coverage = Coverage::default();
    let mut number = 0_u64;
    while done < cases() {
        number += 1;
        let mut dice = Dice::new(seed + number * 1_000_003);
        let shape = Shape::random(&mut dice);
        let document = policy(&mut dice, shape);
        // What no file would be accepted with is no policy.
        let Ok(policy) = Policy::new(document) else {
            refused += 1;
            continue;
        };
        world.enforce(&policy).await;
        let all: Vec<Row> = (0..ROWS + NEW_ROWS)
            .map(|number| Row::random(&mut dice, shape, number))
            .collect();
        let (rows, new_rows) = all.split_at(ROWS);
        let first = dice.below(2) * SUBJECTS_PER_POLICY;
        let callers: Vec<Caller> = (first..first + SUBJECTS_PER_POLICY)
            .map(|number| Caller::random(&mut dice, shape, number))
            .collect();
        world.fill(shape, rows, &callers).await;
        for caller in &callers {
            let case = Case {
                policy: &policy,
                shape,
                subject: caller.subject(&policy, shape),
                context: caller.context(&policy),
            };
            let what = || {
                format!(
                    "seed {seed} number {number}\n{}\n{caller:?}\n{all:#?}",
                    serde_json::to_string(policy.document()).expect("it has a text")
                )
            };
            let permitted = ACTIONS.map(|action| case.permitted(action, rows));
            for ids in &permitted {
                yes += ids.len();
                no += ROWS - ids.len();
            }
            let filters = ACTIONS.map(|action| {
                policy
                    .filter(&case.subject, action, "case", &case.context)
                    .expect("all can be pushed")
            });
            let found = in_postgres(&world, shape, &filters).await;
            assert_eq!(found, permitted, "PostgreSQL: {}", what());
            let found = in_sqlite(&world, shape, &filters).await;
            assert_eq!(found, permitted, "SQLite: {}", what());
            let (tries, expected) = case.tries(&mut dice, caller, &permitted, rows, new_rows);
            let secured = secured(&world, shape, &case.subject, &case.context, &tries).await;
            let is_told = secured.is_some();
            let is_none = permitted.iter().all(BTreeSet::is_empty);
            assert!(is_told || is_none, "nothing is done: {}", what());
            if let Some(secured) = &secured {
                assert_eq!(*secured, expected, "RLS: {tries:?}\n{}", what());
            }
            coverage.policy(&policy, shape);
            coverage.caller(caller, &case.subject);
            coverage.outcome(&filters, secured.as_ref(), &tries);
            done += 1;
        }
    }
    // A run that permits all or nothing proves nothing.
    assert!(
        yes * 25 > no && no * 25 > yes,
        "{done} cases, {yes} rows permitted, {no} not, {refused} policies refused"
    );
    coverage.assert_complete(done);
    world.remove().await;
}

impl Case<'_> {
    fn permits(&self, action: &str, row: &Row) -> bool {
        let resource = row.resource(self.policy, self.shape);
        let decision = self
            .policy
            .decide(&self.subject, action, &resource, &self.context);
        decision.is_permit()
    }

    fn permitted(&self, action: &str, rows: &[Row]) -> BTreeSet<String> {
        let permitted = rows.iter().filter(|row| self.permits(action, row));
        permitted.map(|row| row.id.clone()).collect()
    }

    /// What the subject tries under row-level security, and what of it the process permits.
    fn tries<'r>(
        &self,
        dice: &mut Dice,
        caller: &Caller,
        [read, _, update, delete]: &Permitted,
        rows: &[Row],
        new_rows: &'r [Row],
    ) -> (Tries<'r>, Done) {
        let (together, refused): (Vec<&Row>, Vec<&Row>) =
            new_rows.iter().partition(|row| self.permits("create", row));
        let mut tries = Tries {
            together,
            each: refused.into_iter().take(REFUSED_ROWS).collect(),
            is_returning: dice.chance(40),
            ..Tries::default()
        };
        // What is returned, is read.
        let visible = |ids: &BTreeSet<String>| {
            if tries.is_returning {
                ids.intersection(read).cloned().collect()
            } else {
                ids.clone()
            }
        };
        let mut expected = Done {
            read: read.clone(),
            together: true,
            each: vec![false; tries.each.len()],
            update: visible(update),
            delete: visible(delete),
            ..Done::default()
        };
        // A row is found by its id when it may be read and changed; where it is moved to, it must be so too. Of many
        // places, one that is permitted and one that is not are tried.
        let places: Vec<(Row, Option<u64>)> = (0..PLACES)
            .map(|_| {
                let row = dice.of(rows);
                let moved = row.moved(dice, self.shape, caller);
                let is_found = read.contains(&row.id) && update.contains(&row.id);
                let is_kept = self.permits("read", &moved) && self.permits("update", &moved);
                let outcome = match (is_found, is_kept) {
                    (false, _) => Some(0),
                    (true, true) => Some(1),
                    (true, false) => None,
                };
                (moved, outcome)
            })
            .collect();
        let mut found = BTreeSet::new();
        for (moved, outcome) in &places {
            if *outcome != Some(0) && found.insert(*outcome) {
                tries.moves.push(moved.clone());
                expected.moves.push(*outcome);
            }
        }
        if let (Some((moved, outcome)), true) = (places.first(), found.is_empty()) {
            tries.moves.push(moved.clone());
            expected.moves.push(*outcome);
        }
        // A statement that reads no row moves all that may be changed, or is refused as a whole.
        let wanted = dice.chance(50);
        let changed = || rows.iter().filter(|row| update.contains(&row.id));
        let mut last = None;
        for (place, _) in places.iter().filter(|_| !update.is_empty()) {
            let is_done = changed().all(|row| {
                let moved = row.moved_like(place, self.shape);
                self.permits("update", &moved)
            });
            last = Some((place.clone(), is_done));
            if is_done == wanted {
                break;
            }
        }
        if let Some((place, is_done)) = last {
            tries.all_to = Some(place);
            expected.all_to = Some(is_done);
        }
        (tries, expected)
    }
}

async fn in_postgres(world: &World, shape: Shape, filters: &[RowFilter; 4]) -> Permitted {
    let mut query = QueryBuilder::<Postgres>::new("");
    for (place, filter) in (0_i64..).zip(filters) {
        query.push(if place > 0 { " UNION ALL " } else { "" });
        query.push("SELECT ").push_bind(place);
        query.push(format!(
            ", c.id::text FROM {} AS c WHERE c.id::text <> ",
            shape.cases()
        ));
        query
            .push_bind("none")
            .push(" AND ")
            .push_filter(filter, Some("c"));
    }
    let found = query.build().fetch_all(&world.owner).await;
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", query.sql().as_str()));
    sorted(found.iter().map(|row| (row.get(0), row.get(1))))
}

async fn in_sqlite(world: &World, shape: Shape, filters: &[RowFilter; 4]) -> Permitted {
    let mut query = QueryBuilder::<Sqlite>::new("");
    for (place, filter) in (0_i64..).zip(filters) {
        query.push(if place > 0 { " UNION ALL " } else { "" });
        query.push("SELECT ").push_bind(place);
        query.push(format!(
            ", CAST(id AS TEXT) FROM {} WHERE id <> ",
            shape.cases()
        ));
        query
            .push_bind("none")
            .push(" AND ")
            .push_filter(filter, None);
    }
    let found = query.build().fetch_all(&world.sqlite).await;
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", query.sql().as_str()));
    sorted(found.iter().map(|row| (row.get(0), row.get(1))))
}

fn sorted(found: impl Iterator<Item = (i64, String)>) -> Permitted {
    let mut permitted = Permitted::default();
    for (place, id) in found {
        permitted[usize::try_from(place).expect("it fits")].insert(id);
    }
    permitted
}
