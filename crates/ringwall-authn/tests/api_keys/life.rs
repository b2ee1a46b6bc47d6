//! The life of a key.

use std::time::Duration;

use ringwall_authn::api_key::{
    ApiKeyFinding, ApiKeyManagementError, ApiKeyQuery, ApiKeyRefusal, ApiKeyReviewLimits, ApiKeysOf,
};
use ringwall_authn::{ApiKeyRequest, MemoryApiKeys};
use ringwall_core::principal::{AuthenticationMethod, OrgId, PrincipalKind};
use ringwall_core::secret::SecretString;

use super::*;

#[tokio::test]
async fn a_key_stands_for_a_principal_with_what_it_was_given_and_no_more() {
    let bench = bench();
    let request = ApiKeyRequest::new("CI", project("acme", "p1"), user())
        .unwrap()
        .scopes([scope("runs:read")])
        .expires_at(at(NOW + 100));
    let created = bench.create(request).await;
    let principal = bench.verify(created.key.text().expose()).await.unwrap();
    assert_eq!(principal.kind, PrincipalKind::ApiKey);
    assert_eq!(principal.subject.as_str(), created.key.id().as_str());
    assert_eq!(principal.tenant, Some(project("acme", "p1")));
    assert_eq!(principal.scopes, [scope("runs:read")]);
    assert!(principal.roles.is_empty());
    assert_eq!(principal.issuer, None);
    assert_eq!(principal.on_behalf_of, None);
    let authentication = &principal.authentication;
    assert_eq!(authentication.method, AuthenticationMethod::ApiKey);
    assert_eq!(authentication.expires_at, Some(at(NOW + 100)));
    assert_eq!(
        authentication.credential_id.as_deref(),
        Some(created.key.id().as_str())
    );
}

#[tokio::test]
async fn a_key_has_no_scope_unless_it_is_given_one() {
    let bench = bench();
    let created = bench.create(request()).await;
    let principal = bench.verify(created.key.text().expose()).await.unwrap();
    assert!(principal.scopes.is_empty());
}

#[tokio::test]
async fn what_is_stored_holds_nothing_of_the_secret() {
    let bench = bench();
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    let secret = &text[21..];
    let stored = format!("{:?} {}", created.record, created.record.digest.to_stored());
    for window in secret.as_bytes().windows(8) {
        let window = core::str::from_utf8(window).unwrap();
        assert!(!stored.contains(window), "{window}");
    }
    assert!(!format!("{created:?} {:?}", bench.keys).contains(secret));
    let masked = bench.keys.masked(created.key.id());
    assert!(masked.contains(created.key.id().as_str()) && !masked.contains(&secret[..4]));
}

#[tokio::test]
async fn a_rotation_gives_a_like_key_and_ends_the_old_one_after_its_grace() {
    let bench = bench();
    let request = request()
        .scopes([scope("runs:read")])
        .expires_at(at(NOW + 1000));
    let old = bench.create(request).await;
    bench.clock.advance(Duration::from_secs(10));
    let by = Subject::new("user-2").unwrap();
    let grace = Duration::from_secs(60);
    let new = bench
        .keys
        .rotate(&tenant("acme"), old.key.id(), by.clone(), grace)
        .await
        .unwrap();
    assert_eq!(new.record.scopes, old.record.scopes);
    assert_eq!(new.record.name, old.record.name);
    assert_eq!(new.record.expires_at, Some(at(NOW + 1010)));
    assert_eq!(new.record.created_by, by);
    assert_ne!(new.key.text().expose(), old.key.text().expose());
    let (old, new) = (old.key.text().expose(), new.key.text().expose());
    assert!(bench.verify(new).await.is_ok());
    assert!(bench.verify(old).await.is_ok());
    bench.clock.advance(Duration::from_secs(59));
    assert!(
        bench.verify(old).await.is_ok(),
        "a second before the end of the grace"
    );
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.verify(old).await, Err(ApiKeyRefusal::Rotated));
    assert!(bench.verify(new).await.is_ok());
}

#[tokio::test]
async fn a_rotation_without_grace_ends_the_old_key_at_once_also_when_it_is_in_memory() {
    let bench = bench();
    let old = bench.create(request()).await;
    assert!(bench.verify(old.key.text().expose()).await.is_ok());
    let new = bench
        .keys
        .rotate(&tenant("acme"), old.key.id(), user(), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        bench.verify(old.key.text().expose()).await,
        Err(ApiKeyRefusal::Rotated)
    );
    assert!(bench.verify(new.key.text().expose()).await.is_ok());
    let again = bench
        .keys
        .rotate(&tenant("acme"), old.key.id(), user(), Duration::ZERO)
        .await;
    assert!(
        matches!(again, Err(ApiKeyManagementError::Conflict)),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_grace_has_an_end() {
    let bench = bench();
    let old = bench.create(request()).await;
    let long = ringwall_authn::api_key::MAX_ROTATION_GRACE + Duration::from_secs(1);
    let answer = bench
        .keys
        .rotate(&tenant("acme"), old.key.id(), user(), long)
        .await;
    assert!(matches!(answer, Err(ApiKeyManagementError::Refused(_))));
}

#[tokio::test]
async fn a_revocation_reaches_what_is_in_memory_at_once() {
    let bench = bench();
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    assert!(bench.verify(text).await.is_ok());
    bench
        .keys
        .revoke(&tenant("acme"), created.key.id())
        .await
        .unwrap();
    assert_eq!(bench.verify(text).await, Err(ApiKeyRefusal::Revoked));
    assert!(bench.keys.recheck(created.key.id()).await.is_err());
}

#[tokio::test]
async fn all_keys_of_an_organisation_are_taken_back_in_one_call() {
    let bench = bench();
    let ours = [bench.create(request()).await, bench.create(request()).await];
    let theirs = ApiKeyRequest::new("x", tenant("other"), user()).unwrap();
    let theirs = bench.create(theirs).await;
    for created in ours.iter().chain([&theirs]) {
        assert!(bench.verify(created.key.text().expose()).await.is_ok());
    }
    let whose = ApiKeysOf::Org(OrgId::new("acme").unwrap());
    assert_eq!(bench.keys.revoke_all(&whose).await.unwrap(), 2);
    for created in &ours {
        assert_eq!(
            bench.verify(created.key.text().expose()).await,
            Err(ApiKeyRefusal::Revoked)
        );
    }
    assert!(bench.verify(theirs.key.text().expose()).await.is_ok());
}

#[tokio::test]
async fn nobody_manages_the_keys_of_somebody_else() {
    let bench = bench();
    let theirs = bench.create(request()).await;
    let in_project = ApiKeyRequest::new("x", project("acme", "p1"), user()).unwrap();
    let in_project = bench.create(in_project).await;
    let cases = [
        (tenant("other"), &theirs),
        (project("other", "p1"), &in_project),
        (project("acme", "p2"), &in_project),
        // A project does not reach what belongs to the whole organisation.
        (project("acme", "p1"), &theirs),
    ];
    for (who, what) in cases {
        let id = what.key.id();
        let got = bench.keys.get(&who, id).await;
        assert!(
            matches!(got, Err(ApiKeyManagementError::NotFound)),
            "{who:?}"
        );
        let revoked = bench.keys.revoke(&who, id).await;
        assert!(
            matches!(revoked, Err(ApiKeyManagementError::NotFound)),
            "{who:?}"
        );
        let rotated = bench.keys.rotate(&who, id, user(), Duration::ZERO).await;
        assert!(
            matches!(rotated, Err(ApiKeyManagementError::NotFound)),
            "{who:?}"
        );
        assert!(bench.verify(what.key.text().expose()).await.is_ok());
    }
    assert!(
        bench
            .keys
            .get(&tenant("acme"), in_project.key.id())
            .await
            .is_ok()
    );
    assert!(
        bench
            .keys
            .revoke(&project("acme", "p1"), in_project.key.id())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused_before_anything_is_stored() {
    let store = Arc::new(MemoryApiKeys::new(1000));
    let bench = bench_with(store, |builder| {
        builder
            .scopes([scope("agent:read"), scope("agent:write")])
            .max_lifetime(Duration::from_secs(100))
    });
    let bounded = || request().expires_at(at(NOW + 100));
    let refused = [
        bounded().scopes([scope("admin")]),
        bounded().scopes([scope("*")]),
        request(),
        request().expires_at(at(NOW)),
        request().expires_at(at(NOW + 101)),
        bounded().networks(vec!["192.0.2.1".parse().unwrap(); 65]),
        bounded().origins(vec!["https://a.example".parse().unwrap(); 65]),
    ];
    for request in refused {
        let answer = bench.keys.create(request.clone()).await;
        assert!(
            matches!(answer, Err(ApiKeyManagementError::Refused(_))),
            "{request:?}"
        );
    }
    let created = bench.create(bounded().scopes([scope("agent:*")])).await;
    assert_eq!(
        created.record.scopes,
        [scope("agent:read"), scope("agent:write")]
    );
    let listed = bench
        .keys
        .list(ApiKeyQuery::new(OrgId::new("acme").unwrap()))
        .await
        .unwrap();
    assert_eq!(listed, [created.record]);
}

#[tokio::test]
async fn an_old_key_is_imported_used_and_rotated_into_a_new_one() {
    const OLD: &str = "pak_4f1c0a9be27d3856f0a1b2c3d4e5f60718293a4b5c6d7e8f9091a2b3c4d5e6f7";
    let bench = bench_with(
        Arc::new(MemoryApiKeys::new(10)),
        ApiKeysBuilder::accept_imported,
    );
    assert_eq!(bench.verify(OLD).await, Err(ApiKeyRefusal::Unknown));
    let text = SecretString::new(OLD.to_owned());
    let record = bench
        .keys
        .import(&text, request().scopes([scope("runs:read")]))
        .await
        .unwrap();
    assert!(
        bench.verify(OLD).await.is_ok(),
        "the refusal of a moment ago is forgotten"
    );
    let twice = bench.keys.import(&text, request()).await;
    assert!(matches!(twice, Err(ApiKeyManagementError::Conflict)));
    let changed = OLD.replace("4f1c", "4f1d");
    assert_eq!(bench.verify(&changed).await, Err(ApiKeyRefusal::Unknown));
    let found = bench
        .keys
        .review(&record.tenant.org, ApiKeyReviewLimits::default())
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, ApiKeyFinding::Imported);
    let new = bench
        .keys
        .rotate(&tenant("acme"), &record.id, user(), Duration::ZERO)
        .await
        .unwrap();
    assert!(!new.key.id().is_imported());
    assert_eq!(bench.verify(OLD).await, Err(ApiKeyRefusal::Rotated));
    assert!(bench.verify(new.key.text().expose()).await.is_ok());
}

#[tokio::test]
async fn old_keys_are_refused_where_nobody_said_that_they_are_accepted() {
    const OLD: &str = "pak_4f1c0a9be27d3856f0a1b2c3d4e5f60718293a4b5c6d7e8f9091a2b3c4d5e6f7";
    let bench = bench();
    let text = SecretString::new(OLD.to_owned());
    bench.keys.import(&text, request()).await.unwrap();
    assert_eq!(bench.verify(OLD).await, Err(ApiKeyRefusal::Imported));
}

#[tokio::test]
async fn a_review_names_the_keys_that_somebody_should_look_at() {
    const DAY: i64 = 24 * 3600;
    let bench = bench();
    let org = OrgId::new("acme").unwrap();
    let soon = bench.create(request().expires_at(at(NOW + 95 * DAY))).await;
    let used = bench.create(request()).await;
    let revoked = bench.create(request()).await;
    bench
        .keys
        .revoke(&tenant("acme"), revoked.key.id())
        .await
        .unwrap();
    let review = async || {
        let found = bench
            .keys
            .review(&org, ApiKeyReviewLimits::default())
            .await
            .unwrap();
        let mut found: Vec<_> = found
            .into_iter()
            .map(|(record, finding)| (record.id, finding))
            .collect();
        found.sort_by_key(|(id, finding)| (id.clone(), *finding as u8));
        found
    };
    assert!(review().await.is_empty());
    bench.clock.advance(Duration::from_secs(89 * 24 * 3600));
    assert!(bench.verify(used.key.text().expose()).await.is_ok());
    bench.keys.flush_uses().await.unwrap();
    bench.clock.advance(Duration::from_secs(24 * 3600));
    let mut expected = vec![
        (soon.key.id().clone(), ApiKeyFinding::ExpiresSoon),
        (soon.key.id().clone(), ApiKeyFinding::RotationDue),
        (soon.key.id().clone(), ApiKeyFinding::Unused),
        (used.key.id().clone(), ApiKeyFinding::RotationDue),
    ];
    expected.sort_by_key(|(id, finding)| (id.clone(), *finding as u8));
    assert_eq!(review().await, expected);
}

#[tokio::test]
async fn uses_are_written_down_in_batches_and_never_by_a_request() {
    let store = Arc::new(scripted_store::ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| {
        builder.use_interval(Duration::from_secs(60))
    });
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    for _ in 0..100 {
        assert!(bench.verify(text).await.is_ok());
    }
    assert_eq!(store.writes_of_uses(), 0);
    assert_eq!(bench.keys.flush_uses().await.unwrap(), 1);
    assert_eq!(bench.keys.flush_uses().await.unwrap(), 0);
    assert_eq!(store.writes_of_uses(), 1);
    let last = || async {
        bench
            .keys
            .get(&tenant("acme"), created.key.id())
            .await
            .unwrap()
            .last_used_at
    };
    assert_eq!(last().await, Some(at(NOW)));
    bench.clock.advance(Duration::from_secs(59));
    assert!(bench.verify(text).await.is_ok());
    assert_eq!(
        bench.keys.flush_uses().await.unwrap(),
        0,
        "within the interval"
    );
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.verify(text).await.is_ok());
    // What could not be written down waits for the next time.
    store.fail(true);
    assert!(bench.keys.flush_uses().await.is_err());
    store.fail(false);
    assert_eq!(bench.keys.flush_uses().await.unwrap(), 1);
    assert_eq!(last().await, Some(at(NOW + 60)));
    assert_eq!(bench.keys.dropped_uses(), 0);
}

#[tokio::test]
async fn a_rotation_takes_no_key_past_the_longest_lifetime() {
    let bench = bench();
    let limited = ApiKeys::builder(bench.store.clone(), SecretHasher::sha256())
        .clock(bench.clock.clone())
        .max_lifetime(Duration::from_secs(100))
        .build();
    for (end, expected) in [(None, 100), (Some(1000), 100), (Some(40), 40)] {
        let request = match end {
            Some(end) => request().expires_at(at(NOW + end)),
            None => request(),
        };
        let old = bench.create(request).await;
        let new = limited
            .rotate(&tenant("acme"), old.key.id(), user(), Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(new.record.expires_at, Some(at(NOW + expected)), "{end:?}");
    }
}
