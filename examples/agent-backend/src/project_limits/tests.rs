use ringwall_gate::rate_limit::{KeyPart, LimitRule};
use serde_json::json;

use super::*;

fn project(org: &str, project: &str) -> Project {
    let org = OrgId::new(org).expect("an organisation");
    (org, ProjectId::new(project).expect("a project"))
}

fn own() -> Project {
    project("acme", "alpha")
}

fn change(text: &str) -> ProjectChange {
    serde_json::from_str(text).expect("a change")
}

fn quota(rps: u32, burst: u32) -> Quota {
    let quota = Quota::per_second(rps).and_then(|quota| quota.burst(burst));
    quota.expect("a quota")
}

/// The defaults under a ceiling, the limit counted by `parts`.
fn rules(ceiling: Option<Quota>, parts: &[KeyPart]) -> LimitRules {
    let mut tenant = LimitRule::new(LIMIT, quota(20, 40), parts.iter().copied());
    if let Some(ceiling) = ceiling {
        tenant = tenant.ceiling(ceiling);
    }
    let standard = LimitRules::standard().expect("right numbers");
    standard.limit(tenant).build().expect("sound")
}

const BY_PROJECT: &[KeyPart] = &[KeyPart::Organisation, KeyPart::Project];

/// As another process has it: another pool, other limits.
async fn limits(folder: &tempfile::TempDir, ceiling: Quota) -> ProjectLimits {
    let store = Store::open(folder.path()).await.expect("a database");
    let limits = ProjectLimits::open(store, rules(Some(ceiling), BY_PROJECT)).await;
    limits.expect("limits")
}

/// What the limits hold requests against.
fn held(limits: &ProjectLimits, project: &Project) -> Quota {
    let bucket = bucket(&limits.rules, project).expect("a bucket");
    let quota = limits.rules.policies().quota_of(&bucket);
    quota.expect("a quota")
}

#[tokio::test]
async fn what_a_project_asks_for_holds_for_it_at_once_and_for_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = limits(&folder, quota(50, 100)).await;
    let text = r#"{"rate_limit_rps":2,"rate_limit_burst":3}"#;
    let answer = limits.change(&own(), change(text)).await.expect("changed");
    assert_eq!(
        serde_json::to_value(&answer).expect("JSON"),
        json!({
            "rate_limit_rps": 2,
            "rate_limit_burst": 3,
            "ceiling": { "rate_limit_rps": 50, "rate_limit_burst": 100 },
        })
    );
    assert_eq!(held(&limits, &own()), quota(2, 3));
    for other in [project("acme", "beta"), project("globex", "alpha")] {
        assert_eq!(held(&limits, &other), quota(20, 40));
    }
    // What is not said stays, and null goes back.
    let half = change(r#"{"rate_limit_burst":4}"#);
    limits.change(&own(), half).await.expect("changed");
    assert_eq!(held(&limits, &own()), quota(2, 4));
    let half = change(r#"{"rate_limit_rps":null}"#);
    limits.change(&own(), half).await.expect("changed");
    assert_eq!(held(&limits, &own()), quota(20, 4));
    let back = change(r#"{"rate_limit_burst":null}"#);
    limits.change(&own(), back).await.expect("changed");
    assert_eq!(held(&limits, &own()), quota(20, 40));
}

#[tokio::test]
async fn what_is_above_the_ceiling_is_held_under_it_and_the_answer_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = limits(&folder, quota(50, 100)).await;
    for (text, rps, burst) in [
        (r#"{"rate_limit_rps":51,"rate_limit_burst":101}"#, 50, 100),
        (
            r#"{"rate_limit_rps":4294967295,"rate_limit_burst":4294967295}"#,
            50,
            100,
        ),
        // A burst fills within the ceiling's two seconds.
        (
            r#"{"rate_limit_rps":1,"rate_limit_burst":4294967295}"#,
            1,
            2,
        ),
        (r#"{"rate_limit_rps":10,"rate_limit_burst":100}"#, 10, 20),
    ] {
        let answer = limits.change(&own(), change(text)).await.expect("changed");
        assert_eq!(answer.in_force, Rate::of(quota(rps, burst)), "{text}");
        assert_eq!(held(&limits, &own()), quota(rps, burst), "{text}");
    }
}

#[tokio::test]
async fn nothing_is_no_limit_and_is_not_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = limits(&folder, quota(50, 100)).await;
    for text in [r#"{"rate_limit_rps":0}"#, r#"{"rate_limit_burst":0}"#] {
        let refused = limits.change(&own(), change(text)).await;
        assert!(
            matches!(refused, Err(ProjectLimitsError::Invalid)),
            "{text}"
        );
    }
    for text in [
        r#"{"rate_limit_rps":-1}"#,
        r#"{"rate_limit_rps":1.5}"#,
        r#"{"rate_limit_rps":"1"}"#,
        r#"{"rate_limit_rpm":1}"#,
    ] {
        assert!(
            serde_json::from_str::<ProjectChange>(text).is_err(),
            "{text}"
        );
    }
    assert_eq!(held(&limits, &own()), quota(20, 40));
    assert_eq!(Known::newest(limits.store.pool()).await.expect("read"), 0);
}

#[tokio::test]
async fn a_start_puts_in_force_what_was_stored_under_the_ceiling_of_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = limits(&folder, quota(50, 100)).await;
    let text = r#"{"rate_limit_rps":45,"rate_limit_burst":90}"#;
    before.change(&own(), change(text)).await.expect("changed");
    assert_eq!(
        held(&limits(&folder, quota(50, 100)).await, &own()),
        quota(45, 90)
    );
    assert_eq!(
        held(&limits(&folder, quota(30, 60)).await, &own()),
        quota(30, 60)
    );
    // What nobody can read is not left out: the service does not start.
    sqlx::query("UPDATE project_settings SET settings = '{\"rate_limit_rps\":0}'")
        .execute(before.store.pool())
        .await
        .expect("written");
    let opened = ProjectLimits::open(
        before.store.clone(),
        rules(Some(quota(50, 100)), BY_PROJECT),
    );
    assert!(opened.await.is_err());
}

#[tokio::test]
async fn a_look_puts_in_force_what_another_process_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ceiling = quota(50, 100);
    let (one, other) = (
        limits(&folder, ceiling).await,
        limits(&folder, ceiling).await,
    );
    let text = r#"{"rate_limit_rps":2}"#;
    one.change(&own(), change(text)).await.expect("changed");
    assert_eq!(held(&other, &own()), quota(20, 40));
    other.look().await.expect("read");
    assert_eq!(held(&other, &own()), quota(2, 4));
    // It adds to what the other one did, and does not undo it.
    let text = r#"{"rate_limit_burst":3}"#;
    other.change(&own(), change(text)).await.expect("changed");
    one.look().await.expect("read");
    assert_eq!(held(&one, &own()), quota(2, 3));
    let text = r#"{"rate_limit_rps":null,"rate_limit_burst":null}"#;
    one.change(&own(), change(text)).await.expect("changed");
    other.look().await.expect("read");
    assert_eq!(held(&other, &own()), quota(20, 40));
}

#[tokio::test]
async fn an_organisation_that_makes_up_projects_takes_nobody_elses_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = limits(&folder, quota(50, 100)).await;
    let text = r#"{"rate_limit_rps":1}"#;
    let full: Vec<_> = (0..MOST_OF_ORG)
        .map(|n| project("acme", &format!("p{n}")))
        .collect();
    let mut transaction = limits.store.pool().begin().await.expect("begun");
    for (org, project) in &full {
        sqlx::query("INSERT INTO project_settings VALUES (?1, ?2, '{}', 1)")
            .bind(org.as_str())
            .bind(project.as_str())
            .execute(&mut *transaction)
            .await
            .expect("written");
    }
    transaction.commit().await.expect("written");
    let refused = limits.change(&own(), change(text)).await;
    assert!(matches!(refused, Err(ProjectLimitsError::TooMany)));
    for allowed in [full[0].clone(), project("globex", "alpha")] {
        assert!(limits.change(&allowed, change(text)).await.is_ok());
    }
}

#[test]
fn all_organisations_together_have_so_many_places() {
    let mut known = Known::default();
    for n in 0..MOST {
        assert!(!known.is_full(&own().0), "{n}");
        let project = project(&format!("org-{n}"), "alpha");
        known.all.insert(project, Asked::default());
    }
    assert!(known.is_full(&own().0));
}

#[tokio::test]
async fn a_limit_that_is_not_of_one_project_is_set_by_none() {
    let ceiling = Some(quota(50, 100));
    for parts in [
        &[KeyPart::Organisation] as &[_],
        &[KeyPart::User],
        &[KeyPart::Project, KeyPart::Address],
        &[KeyPart::Project, KeyPart::User],
        &[KeyPart::Address],
        &[KeyPart::Identity],
    ] {
        let store = Store::in_memory().await.expect("a database");
        let opened = ProjectLimits::open(store, rules(ceiling, parts)).await;
        assert!(
            matches!(opened, Err(ProjectLimitsError::NotByProject)),
            "{parts:?}"
        );
    }
    let store = Store::in_memory().await.expect("a database");
    let opened = ProjectLimits::open(store, rules(None, BY_PROJECT)).await;
    assert!(matches!(opened, Err(ProjectLimitsError::NoCeiling)));
    let store = Store::in_memory().await.expect("a database");
    assert!(
        ProjectLimits::open(store, rules(ceiling, &[KeyPart::Project]))
            .await
            .is_ok()
    );
}

#[test]
fn a_rate_that_is_no_whole_number_a_second_is_shown_as_it_is() {
    let shown = |count, seconds| {
        let quota = Quota::new(count, core::time::Duration::from_secs(seconds));
        Rate::of(quota.expect("a quota")).rate_limit_rps.to_string()
    };
    assert_eq!(shown(1200, 60), "20");
    assert_eq!(shown(30, 60), "0.5");
    assert_eq!(shown(1, 1), "1");
}
