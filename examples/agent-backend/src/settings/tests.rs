use super::*;

const ISSUER: &str = "https://login.example";

fn org() -> OrgId {
    OrgId::new("acme").expect("an organisation")
}

fn change(text: &str) -> SettingsChange {
    serde_json::from_str(text).expect("a change")
}

/// As another process has it: another pool, another lock.
async fn settings(folder: &tempfile::TempDir) -> Settings {
    let store = Store::open(folder.path()).await.expect("a database");
    let issuers: Arc<[String]> = Arc::new([ISSUER.to_owned()]);
    Settings::open(store, issuers).await.expect("settings")
}

#[tokio::test]
async fn two_processes_lose_nothing_of_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (settings(&folder).await, settings(&folder).await);
    // The other one knows nothing of this yet.
    let acr = r#"{"acr_values":["gold"]}"#;
    one.change(&org(), change(acr)).await.expect("changed");
    let amr = r#"{"amr_values":["mfa"]}"#;
    let both = other.change(&org(), change(amr)).await.expect("changed");
    assert_eq!(
        (both.acr_values, both.amr_values),
        (vec!["gold".to_owned()], vec!["mfa".to_owned()])
    );
    // At once, over and over: each adds a list of its own and keeps the other's.
    for round in 0..20 {
        let (acr, amr) = (format!("a{round}"), format!("m{round}"));
        let first = format!(r#"{{"acr_values":["{acr}"]}}"#);
        let second = format!(r#"{{"amr_values":["{amr}"]}}"#);
        let org = org();
        let (first, second) = tokio::join!(
            one.change(&org, change(&first)),
            other.change(&org, change(&second)),
        );
        assert!(first.is_ok() && second.is_ok());
        let stored = settings(&folder).await.get(&org).await;
        assert_eq!(
            (stored.acr_values, stored.amr_values),
            (vec![acr], vec![amr])
        );
    }
}

#[tokio::test]
async fn a_look_puts_in_force_what_another_process_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (settings(&folder).await, settings(&folder).await);
    let demand = r#"{"amr_values":["mfa"]}"#;
    let new = one.change(&org(), change(demand)).await.expect("changed");
    assert_eq!(other.get(&org()).await, OrgSettings::default());
    other.look().await.expect("read");
    assert_eq!(other.get(&org()).await, new);
    // And what nobody can read leaves in force what is.
    sqlx::query("UPDATE org_settings SET settings = 'x', version = version + 1")
        .execute(one.store.pool())
        .await
        .expect("written");
    assert!(other.look().await.is_err());
    assert_eq!(other.get(&org()).await, new);
}

#[tokio::test]
async fn an_issuer_that_nobody_accepts_is_not_demanded() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings(&folder).await;
    for unknown in ["https://other.example", "https://login.example/", ""] {
        let text = format!(r#"{{"sso_issuers":["{ISSUER}","{unknown}"]}}"#);
        let refused = settings.change(&org(), change(&text)).await;
        let error = refused.expect_err("nobody could come in");
        assert!(
            matches!(error, SettingsError::UnknownIssuer(_)),
            "{error:?}"
        );
        assert!(error.to_string().ends_with(ISSUER), "{error}");
    }
    assert_eq!(settings.get(&org()).await, OrgSettings::default());
    let text = format!(r#"{{"sso_issuers":["{ISSUER}"]}}"#);
    assert!(settings.change(&org(), change(&text)).await.is_ok());
}
