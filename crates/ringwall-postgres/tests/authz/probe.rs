//! Row-level security, tried from within: one function for each shape does all that a subject may try, each under a
//! savepoint, so that the database is asked once for each subject.

use std::collections::BTreeSet;

use ringwall_authz::{Context, Subject};
use ringwall_postgres::{SubjectError, WithSubject as _};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};

use crate::rows::Row;
use crate::shape::Shape;
use crate::world::World;

/// The columns of `cases` that have values.
pub(crate) const COLUMNS: [&str; 12] = [
    "id",
    "org_id",
    "project_id",
    "owner_id",
    "department",
    "region",
    "sensitivity",
    "tier",
    "amount",
    "flag",
    "opened",
    "device",
];

/// Notes which rows a statement changed or removed. It runs as its owner, so that it sees those too that the subject
/// may change and not read.
pub(crate) const CHANGED: &str = "
CREATE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $body$
BEGIN
    PERFORM set_config('test.changed', (SELECT coalesce(jsonb_agg(id::text), '[]') FROM gone)::text, TRUE);
    RETURN NULL;
END
$body$;
";

/// The function that tries what a subject may do with the table of a shape. What was done is undone each time.
///
/// A statement that does not read the rows is held to the policies of its command alone. One that looks for a row by
/// its id, or returns it, is held to those of SELECT too: for the row that is there, and for the one that it makes.
pub(crate) fn functions(shape: Shape) -> String {
    let (table, probe) = (shape.cases(), shape.probe());
    format!(
        "
CREATE TRIGGER note_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed();
CREATE TRIGGER note_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed();
CREATE FUNCTION {probe}(together jsonb, each jsonb, moves jsonb, all_to jsonb, is_returning boolean) RETURNS jsonb
LANGUAGE plpgsql AS $body$
DECLARE
    one jsonb;
    target {table};
    number bigint;
    ids jsonb;
    seen jsonb := '{{\"together\": null, \"each\": [], \"moves\": [], \"all_to\": null, \"update\": [], \"delete\": []}}';
BEGIN
    BEGIN
        INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, together);
        RAISE SQLSTATE 'TU001';
    EXCEPTION
        WHEN SQLSTATE 'TU001' THEN seen := jsonb_set(seen, '{{together}}', 'true');
        WHEN insufficient_privilege THEN seen := jsonb_set(seen, '{{together}}', 'false');
    END;
    FOR one IN SELECT * FROM jsonb_array_elements(each) LOOP
        BEGIN
            INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, one);
            RAISE SQLSTATE 'TU001';
        EXCEPTION
            WHEN SQLSTATE 'TU001' THEN seen := jsonb_insert(seen, '{{each,-1}}', 'true', TRUE);
            WHEN insufficient_privilege THEN seen := jsonb_insert(seen, '{{each,-1}}', 'false', TRUE);
        END;
    END LOOP;
    FOR one IN SELECT * FROM jsonb_array_elements(moves) LOOP
        target := jsonb_populate_record(NULL::{table}, one);
        BEGIN
            UPDATE {table} AS c SET org_id = target.org_id, project_id = target.project_id,
                owner_id = target.owner_id, department = target.department WHERE c.id = target.id;
            GET DIAGNOSTICS number = ROW_COUNT;
            RAISE SQLSTATE 'TU001';
        EXCEPTION
            WHEN SQLSTATE 'TU001' THEN seen := jsonb_insert(seen, '{{moves,-1}}', to_jsonb(number), TRUE);
            WHEN insufficient_privilege THEN seen := jsonb_insert(seen, '{{moves,-1}}', 'null', TRUE);
        END;
    END LOOP;
    IF all_to IS NOT NULL THEN
        target := jsonb_populate_record(NULL::{table}, all_to);
        BEGIN
            UPDATE {table} SET org_id = target.org_id, project_id = target.project_id,
                owner_id = target.owner_id, department = target.department;
            RAISE SQLSTATE 'TU001';
        EXCEPTION
            WHEN SQLSTATE 'TU001' THEN seen := jsonb_set(seen, '{{all_to}}', 'true');
            WHEN insufficient_privilege THEN seen := jsonb_set(seen, '{{all_to}}', 'false');
        END;
    END IF;
    BEGIN
        IF is_returning THEN
            WITH done AS (UPDATE {table} SET note = 'changed' RETURNING id)
            SELECT coalesce(jsonb_agg(id::text), '[]') INTO ids FROM done;
        ELSE
            UPDATE {table} SET note = 'changed';
            ids := current_setting('test.changed')::jsonb;
        END IF;
        RAISE SQLSTATE 'TU001';
    EXCEPTION
        WHEN SQLSTATE 'TU001' THEN seen := jsonb_set(seen, '{{update}}', ids);
    END;
    BEGIN
        IF is_returning THEN
            WITH done AS (DELETE FROM {table} RETURNING id)
            SELECT coalesce(jsonb_agg(id::text), '[]') INTO ids FROM done;
        ELSE
            DELETE FROM {table};
            ids := current_setting('test.changed')::jsonb;
        END IF;
        RAISE SQLSTATE 'TU001';
    EXCEPTION
        WHEN SQLSTATE 'TU001' THEN seen := jsonb_set(seen, '{{delete}}', ids);
    END;
    RETURN seen;
END
$body$;
"
    )
}

/// What a subject tries.
#[derive(Debug, Default)]
pub(crate) struct Tries<'a> {
    /// Rows that are put in by one statement.
    pub(crate) together: Vec<&'a Row>,
    /// Rows that are put in one by one.
    pub(crate) each: Vec<&'a Row>,
    /// Rows as they are moved, one by one, by their ids.
    pub(crate) moves: Vec<Row>,
    /// Where all rows are moved that it may change, by a statement that reads none.
    pub(crate) all_to: Option<Row>,
    /// Whether the statements that change and remove return the rows.
    pub(crate) is_returning: bool,
}

/// What row-level security lets a subject do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) read: BTreeSet<String>,
    /// Whether they are put in.
    pub(crate) together: bool,
    pub(crate) each: Vec<bool>,
    /// How many rows each statement moves. `None` when it is refused.
    pub(crate) moves: Vec<Option<u64>>,
    pub(crate) all_to: Option<bool>,
    pub(crate) update: BTreeSet<String>,
    pub(crate) delete: BTreeSet<String>,
}

/// Does it as the subject. `None` when the session cannot be told of it, and so does nothing.
pub(crate) async fn secured(
    world: &World,
    shape: Shape,
    subject: &Subject,
    context: &Context<'_>,
    tries: &Tries<'_>,
) -> Option<Done> {
    let mut transaction = world.runtime.begin().await.expect("it begins");
    match transaction.with_subject(subject, context).await {
        Ok(()) => {}
        Err(SubjectError::Session(_)) => {
            transaction.rollback().await.expect("it ends");
            return None;
        }
        Err(error) => panic!("{error}"),
    }
    let statement = format!("SELECT id::text FROM {}", shape.cases());
    let found = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(&mut *transaction)
        .await;
    let found = found.unwrap_or_else(|error| panic!("{error}"));
    let read = found.iter().map(|row| row.get(0)).collect();
    let json = |rows: &[&Row]| -> Value { rows.iter().map(|row| row.json(shape)).collect() };
    let moves: Vec<&Row> = tries.moves.iter().collect();
    let statement = format!(
        "SELECT {}($1::jsonb, $2::jsonb, $3::jsonb, $4::jsonb, $5)::text",
        shape.probe()
    );
    let seen = sqlx::query(AssertSqlSafe(statement))
        .bind(json(&tries.together).to_string())
        .bind(json(&tries.each).to_string())
        .bind(json(&moves).to_string())
        .bind(tries.all_to.as_ref().map(|row| row.json(shape).to_string()))
        .bind(tries.is_returning)
        .fetch_one(&mut *transaction)
        .await;
    let seen = seen.unwrap_or_else(|error| panic!("{error}"));
    transaction.rollback().await.expect("it ends");
    let seen: Value = serde_json::from_str(seen.get(0)).expect("a JSON");
    let list = |name: &str| seen[name].as_array().expect("a list").clone();
    let ids = |name: &str| -> BTreeSet<String> {
        let ids = list(name);
        ids.iter()
            .map(|id| id.as_str().expect("an id").to_owned())
            .collect()
    };
    Some(Done {
        read,
        together: seen["together"].as_bool().expect("it was tried"),
        each: list("each")
            .iter()
            .map(|done| done.as_bool().expect("it was tried"))
            .collect(),
        moves: list("moves").iter().map(Value::as_u64).collect(),
        all_to: seen["all_to"].as_bool(),
        update: ids("update"),
        delete: ids("delete"),
    })
}
