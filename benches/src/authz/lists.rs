//! Lists of the rows that somebody may see, in PostgreSQL: through the WHERE that a policy makes, through row-level
//! security, and through the query that one would write by hand for the same policy.

mod table;

use std::{env, hint::black_box};

use ringwall_authz::{Context, Policy, Subject};
use ringwall_core::clock::{MonotonicClock as _, SystemClock, Timestamp};
use ringwall_postgres::{PushRows as _, WithSubject as _};
use sqlx::{Connection as _, PgConnection, Postgres, QueryBuilder, postgres::PgRow};
use tokio::runtime::Builder;

use super::worlds::principal_in;
use crate::{goals::Goals, race::Length, report::Report};
use table::{COLUMNS, Size, Table};

/// Says where the server is.
const VARIABLE: &str = "RINGWALL_TEST_POSTGRES_URL";

/// Who lists.
#[derive(Clone, Copy, Debug)]
struct Reader {
    role: &'static str,
    /// What stands in the WHERE by hand after the organisation, with the subject as `$2`.
    by_hand: &'static str,
}

const READERS: [Reader; 4] = [
    Reader {
        role: "admin",
        by_hand: "",
    },
    Reader {
        role: "manager",
        by_hand: " AND department IN (SELECT department FROM user_departments WHERE org_id = $1 AND user_id = $2)",
    },
    Reader {
        role: "analyst",
        by_hand: " AND owner_id = $2",
    },
    Reader {
        role: "viewer",
        by_hand: " AND id IN (SELECT case_id FROM case_assignments WHERE org_id = $1 AND user_id = $2)",
    },
];

/// How the list comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ByHand,
    Where,
    /// A transaction with the query by hand: what the next two are compared with.
    ByHandInTransaction,
    /// A transaction that is told who acts, and a query without any WHERE.
    Security,
    /// The same, and the WHERE: as it is meant to be used.
    SecurityAndWhere,
}

const WAYS: [Way; 5] = [
    Way::ByHand,
    Way::Where,
    Way::ByHandInTransaction,
    Way::Security,
    Way::SecurityAndWhere,
];

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by hand",
            Self::Where => "WHERE",
            Self::ByHandInTransaction => "by hand, in a transaction",
            Self::Security => "row-level security",
            Self::SecurityAndWhere => "row-level security and WHERE",
        }
    }
}

/// # Panics
///
/// When there is no server, or one of the ways shows other rows than another.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let url = env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} says where a PostgreSQL is; `cargo xtask bench authz` starts one")
    });
    let (size, rounds) = if length.is_smoke() {
        (Size::SMOKE, 2)
    } else {
        (Size::FULL, 400)
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let policy = ringwall_authz::ready::rows().expect("a policy");
        let mut table = Table::new(&url, &policy, size).await;
        for layout in table::LAYOUTS {
            table.lay_out(layout).await;
            let mut stage = Stage {
                owner: table.owner().await,
                runtime: table.runtime().await,
                policy: policy.clone(),
                now: Timestamp::from_unix_seconds(1_767_225_600).expect("in range"),
                size,
                clock: SystemClock::new(),
            };
            for reader in READERS {
                let title = format!("kind=list {} reader={}", layout.words(size), reader.role);
                let [by_hand, by_where, in_transaction, security, both] =
                    stage.measure(reader, rounds, &title).await;
                report.compare(
                    &format!("{title} through=where"),
                    by_where,
                    "hand_written",
                    by_hand,
                );
                let in_transactions = [("rls", security), ("rls-and-where", both)];
                for (through, time) in in_transactions {
                    let case = format!("{title} through={through}");
                    report.compare(&case, time, "hand_written", by_hand);
                    report.compare(&case, time, "hand_written_in_transaction", in_transaction);
                }
                let what = format!("{}, {}", layout.name(), reader.role);
                goals.at_most(&format!("{what}: WHERE"), 1.2, by_where / by_hand, "×");
                // Without a WHERE, no index serves but that on the tenant: for whoever sees few rows, that is another
                // query than the one by hand.
                let is_narrow = layout.has_narrow_indexes() || reader.role == "viewer";
                let (name, time) = in_transactions[usize::from(is_narrow)];
                goals.at_most(&format!("{what}: {name}"), 1.2, time / in_transaction, "×");
            }
            stage.close().await;
        }
    });
}

struct Stage {
    /// Row-level security does not apply to it.
    owner: PgConnection,
    runtime: PgConnection,
    policy: Policy,
    now: Timestamp,
    size: Size,
    clock: SystemClock,
}

impl Stage {
    /// The fastest lists of all ways, in nanoseconds: other programs can only make one longer.
    async fn measure(&mut self, reader: Reader, rounds: usize, title: &str) -> [f64; 5] {
        let mut samples = WAYS.map(|_| Vec::with_capacity(rounds));
        let mut rows = 0;
        // The server plans a statement with parameters anew the first five times.
        for round in 0..8 + rounds {
            // Another organisation in each round, and the same for all.
            let org = format!("o{}", (round * 7) % self.size.organisations);
            let mut seen = [0; WAYS.len()];
            for step in 0..WAYS.len() {
                // As in a race: nobody always follows the same neighbour.
                let place = if round % 2 == 0 {
                    (round / 2 + step) % WAYS.len()
                } else {
                    (round / 2 + WAYS.len() - step) % WAYS.len()
                };
                let start = self.clock.elapsed();
                let found = self.list(WAYS[place], reader, &org).await;
                let elapsed = self.clock.elapsed() - start;
                seen[place] = found.len();
                if round >= 8 {
                    samples[place].push(elapsed.as_secs_f64() * 1e9);
                }
                drop(black_box(found));
            }
            rows = seen[0];
            assert!(rows > 0 && seen == [rows; WAYS.len()], "{title}: {seen:?}");
        }
        let sorted = samples.map(|mut samples| {
            samples.sort_unstable_by(f64::total_cmp);
            (samples[0], samples[samples.len() / 2])
        });
        println!("\n{title}, {rows} rows");
        println!("| way | fastest µs | median µs |");
        println!("|---|--:|--:|");
        for (way, (fastest, median)) in WAYS.iter().zip(sorted) {
            println!(
                "| {} | {:.0} | {:.0} |",
                way.name(),
                fastest / 1e3,
                median / 1e3
            );
        }
        sorted.map(|(fastest, _)| fastest)
    }

    async fn list(&mut self, way: Way, reader: Reader, org: &str) -> Vec<PgRow> {
        match way {
            Way::ByHand => by_hand(&mut self.owner, reader, org).await,
            Way::Where => {
                let (subject, context) = self.who(reader, org);
                let mut query = list_where(&self.policy, &subject, &context);
                let found = query.build().fetch_all(&mut self.owner).await;
                found.expect("rows")
            }
            Way::ByHandInTransaction => {
                let mut transaction = self.owner.begin().await.expect("it begins");
                let found = by_hand(&mut transaction, reader, org).await;
                transaction.commit().await.expect("it ends");
                found
            }
            Way::Security | Way::SecurityAndWhere => {
                let (subject, context) = self.who(reader, org);
                let mut transaction = self.runtime.begin().await.expect("it begins");
                let told = transaction.with_subject(&subject, &context).await;
                told.expect("it is told");
                let mut query = if way == Way::Security {
                    QueryBuilder::new(format!("SELECT {COLUMNS} FROM cases"))
                } else {
                    list_where(&self.policy, &subject, &context)
                };
                let found = query.build().fetch_all(&mut *transaction).await;
                transaction.commit().await.expect("it ends");
                found.expect("rows")
            }
        }
    }

    /// The subject and the context, which are made for each request.
    fn who(&self, reader: Reader, org: &str) -> (Subject, Context<'static>) {
        let subject = self
            .policy
            .subject(&principal_in(org, table::READER, &[]))
            .roles([reader.role])
            .related_in_database("user_departments")
            .related_in_database("case_assignments")
            .build();
        (subject, self.policy.context(self.now))
    }

    async fn close(self) {
        for connection in [self.owner, self.runtime] {
            connection.close().await.expect("it closes");
        }
    }
}

async fn by_hand(connection: &mut PgConnection, reader: Reader, org: &str) -> Vec<PgRow> {
    let text = format!(
        "SELECT {COLUMNS} FROM cases WHERE org_id = $1{}",
        reader.by_hand
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(org.to_owned());
    if !reader.by_hand.is_empty() {
        query = query.bind(table::READER);
    }
    query.fetch_all(connection).await.expect("rows")
}

fn list_where(policy: &Policy, subject: &Subject, context: &Context<'_>) -> QueryBuilder<Postgres> {
    let filter = policy.filter(subject, "read", "case", context);
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM cases WHERE "));
    query.push_filter(&filter.expect("it can be pushed"), None);
    query
}
