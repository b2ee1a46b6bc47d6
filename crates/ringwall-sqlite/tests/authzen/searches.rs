//! The resource search of OpenID AuthZEN over a table: what it finds is what an evaluation permits, row by row.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ringwall_authz::authzen::{
    ActionEntity, EntityType, EvaluationRequest, Evaluator, JsonValue, ListingError, PageRequest,
    ResourceEntity, ResourceListing, ResourcePage, ResourceQuery, ResourceSearchRequest,
    SubjectEntity,
};
use ringwall_authz::{
    DirectorySubjects, MemoryDirectory, NoObserver, PolicyHandle, StoredAttribute,
    SubjectDirectory as _, ready,
};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject, Tenant,
    VerifiedPrincipal,
};
use ringwall_core::step::Step;
use ringwall_sqlite::PushRows as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{QueryBuilder, Row as _, Sqlite};

/// What an application writes.
#[derive(Debug)]
struct Cases(SqlitePool);

impl ResourceListing for Cases {
    fn resources(&self, query: ResourceQuery) -> Step<Result<ResourcePage, ListingError>> {
        let pool = self.0.clone();
        Step::wait(async move {
            let mut select = QueryBuilder::<Sqlite>::new("SELECT id FROM cases WHERE ");
            select.push_rows(&query.rows, None).push(" AND id > ");
            select.push_bind(query.after.unwrap_or_default());
            let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
            select.push(" ORDER BY id LIMIT ").push_bind(limit);
            let rows = select.build().fetch_all(&pool).await;
            let rows = rows.map_err(|error| ListingError::Unavailable {
                retry_after: Duration::from_secs(1),
                source: Some(Box::new(error)),
            })?;
            let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let is_full = ids.len() == query.limit;
            let next = ids.last().filter(|_| is_full).cloned();
            Ok(ResourcePage { ids, next })
        })
    }
}

#[derive(Clone, Debug)]
struct Row {
    org: &'static str,
    owner: Option<&'static str>,
    department: Option<&'static str>,
    sensitivity: Option<&'static str>,
    region: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Person {
    roles: Vec<&'static str>,
    departments: Vec<&'static str>,
    clearance: Option<&'static str>,
    regions: Vec<&'static str>,
}

const LEVELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::weighted(0.8, prop::sample::select(values))
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        prop::sample::select(&["o1", "o1", "o1", "o2"]),
        maybe(&["u1", "u2"]),
        maybe(&["sales", "legal"]),
        maybe(&LEVELS),
        maybe(&["eu", "us"]),
    );
    let row = row.prop_map(|(org, owner, department, sensitivity, region)| Row {
        org,
        owner,
        department,
        sensitivity,
        region,
    });
    prop::collection::vec(row, 1..16)
}

fn person() -> impl Strategy<Value = Person> {
    let some =
        |values: &'static [&'static str], most: usize| prop::sample::subsequence(values, 0..=most);
    let person = (
        some(&["admin", "manager", "analyst", "viewer"], 3),
        some(&["sales", "legal"], 2),
        maybe(&LEVELS),
        prop::sample::subsequence(&["eu", "us"], 1..=2),
    );
    person.prop_map(|(roles, departments, clearance, regions)| Person {
        roles,
        departments,
        clearance,
        regions,
    })
}

async fn table(rows: &[Row]) -> SqlitePool {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(SqliteConnectOptions::new().in_memory(true))
        .await
        .expect("it opens");
    let table =
        "CREATE TABLE cases (id TEXT PRIMARY KEY, org_id TEXT, owner_id TEXT, department TEXT,
        sensitivity TEXT, region TEXT)";
    sqlx::raw_sql(table).execute(&pool).await.expect("a table");
    for (number, row) in rows.iter().enumerate() {
        sqlx::query("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?)")
            .bind(id(number))
            .bind(row.org)
            .bind(row.owner)
            .bind(row.department)
            .bind(row.sensitivity)
            .bind(row.region)
            .execute(&pool)
            .await
            .expect("a row");
    }
    pool
}

fn id(number: usize) -> String {
    format!("c{number:02}")
}

async fn directory(person: &Person) -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    let org = OrgId::new("o1").expect("an organisation");
    let subject = Subject::new("u1").expect("a subject");
    for role in &person.roles {
        let granted = directory.grant_role(&org, &subject, role).await;
        granted.expect("it is granted");
    }
    for department in &person.departments {
        let added = directory.add_department(&org, &subject, department).await;
        added.expect("it is added");
    }
    let clearance = person.clearance.map(|level| ("clearance", level));
    let regions = person.regions.iter().map(|region| ("regions", *region));
    for (key, value) in regions.chain(clearance) {
        let attribute = StoredAttribute::new(key, value, None);
        let granted = directory.grant_attribute(&org, &subject, &attribute).await;
        granted.expect("it is granted");
    }
    directory
}

fn pep() -> VerifiedPrincipal {
    let mut principal = Principal::new(
        PrincipalKind::Service,
        Subject::new("pep").expect("a subject"),
        Authentication::new(AuthenticationMethod::MutualTls),
    );
    principal.tenant = Some(Tenant {
        org: OrgId::new("o1").expect("an organisation"),
        project: None,
    });
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

/// Every page of a search.
async fn found(evaluator: &Evaluator, action: &str, limit: u64) -> Vec<String> {
    let mut request: ResourceSearchRequest = serde_json::from_value(serde_json::json!({
        "subject": SubjectEntity::new("user", "u1"), "action": ActionEntity::new(action),
        "resource": EntityType::new("case"),
    }))
    .expect("a request");
    request.page = Some(PageRequest::first(limit));
    let mut all = Vec::new();
    loop {
        let answer = evaluator
            .search_resources(&pep(), &request, Timestamp::UNIX_EPOCH)
            .await;
        let answer = answer.expect("an answer");
        all.extend(answer.results.into_iter().map(|resource| resource.id));
        let token = answer.page.expect("a page").next_token;
        if token.is_empty() {
            return all;
        }
        request.page = Some(PageRequest::next(token));
    }
}

/// Every row, asked about one by one.
async fn permitted(evaluator: &Evaluator, action: &str, rows: &[Row]) -> Vec<String> {
    let mut all = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let text = |value: Option<&str>| value.map_or(JsonValue::Null, JsonValue::from);
        let resource = ResourceEntity::new("case", id(number))
            .property("org_id", row.org)
            .property("owner", text(row.owner))
            .property("department", text(row.department))
            .property("sensitivity", text(row.sensitivity))
            .property("region", text(row.region));
        let subject = SubjectEntity::new("user", "u1");
        let request = EvaluationRequest::new(subject, ActionEntity::new(action), resource);
        let answer = evaluator
            .evaluate(&pep(), &request, Timestamp::UNIX_EPOCH)
            .await;
        if answer.expect("an answer").decision {
            all.push(id(number));
        }
    }
    all
}

#[test]
fn property_a_search_finds_what_an_evaluation_permits() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let policy = ready::rows_and_clearance().expect("a policy");
    let (yes, no) = (Cell::new(0_usize), Cell::new(0_usize));
    let actions = prop::sample::select(&["read", "create", "update", "delete"]);
    proptest!(|(rows in rows(), person in person(), action in actions, limit in 1_u64..6)| {
        let (found, permitted) = runtime.block_on(async {
            let subjects = Arc::new(directory(&person).await);
            let subjects = DirectorySubjects::of_issuer(subjects, "https://login.example");
            let handle = PolicyHandle::new(policy.clone(), Arc::new(NoObserver));
            let evaluator = Evaluator::new(handle, Arc::new(subjects))
                .search_resources_of(Arc::new(Cases(table(&rows).await)));
            let found = found(&evaluator, action, limit).await;
            (found, permitted(&evaluator, action, &rows).await)
        });
        yes.set(yes.get().saturating_add(permitted.len()));
        no.set(no.get().saturating_add(rows.len().saturating_sub(permitted.len())));
        prop_assert_eq!(found, permitted);
    });
    // A run in which all are permitted or all denied shows nothing.
    assert!(
        yes.get() > 50 && no.get() > 50,
        "{yes:?} permitted, {no:?} denied"
    );
}
