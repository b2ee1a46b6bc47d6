//! API keys from end to end: made, presented, judged, rotated, taken back.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::type_complexity,
    reason = "tests fail by panicking"
)]

mod answers;
mod life;
mod scripted_store;
mod staleness;
mod threats;

use std::sync::Arc;

use ringwall_authn::api_key::{ApiKeyRefusal, ApiKeyStore, ApiKeyUse, CreatedApiKey};
use ringwall_authn::{ApiKeyRequest, ApiKeys, ApiKeysBuilder, MemoryApiKeys, SecretHasher};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::principal::{OrgId, ProjectId, Scope, Subject, Tenant, VerifiedPrincipal};
use ringwall_core::request::HeaderValues;

const NOW: i64 = 1_767_225_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn tenant(org: &str) -> Tenant {
    Tenant {
        org: OrgId::new(org).unwrap(),
        project: None,
    }
}

fn project(org: &str, project: &str) -> Tenant {
    Tenant {
        project: Some(ProjectId::new(project).unwrap()),
        ..tenant(org)
    }
}

fn user() -> Subject {
    Subject::new("user-1").unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::new(text).unwrap()
}

fn request() -> ApiKeyRequest {
    ApiKeyRequest::new("a key", tenant("acme"), user()).unwrap()
}

struct Bench {
    keys: ApiKeys,
    clock: Arc<ManualClock>,
    store: Arc<dyn ApiKeyStore>,
}

fn bench() -> Bench {
    bench_with(Arc::new(MemoryApiKeys::new(1000)), |builder| builder)
}

fn bench_with(
    store: Arc<dyn ApiKeyStore>,
    options: impl FnOnce(ApiKeysBuilder) -> ApiKeysBuilder,
) -> Bench {
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let builder = ApiKeys::builder(Arc::clone(&store), SecretHasher::sha256())
        .clock(clock.clone())
        .monotonic_clock(clock.clone());
    Bench {
        keys: options(builder).build(),
        clock,
        store,
    }
}

const ANYWHERE: ApiKeyUse<'static> = ApiKeyUse {
    address: None,
    origin: HeaderValues::Absent,
};

impl Bench {
    async fn create(&self, request: ApiKeyRequest) -> CreatedApiKey {
        self.keys.create(request).await.unwrap()
    }

    async fn verify(&self, text: &str) -> Result<VerifiedPrincipal, ApiKeyRefusal> {
        self.verify_from(text, ANYWHERE).await
    }

    async fn verify_from(
        &self,
        text: &str,
        usage: ApiKeyUse<'_>,
    ) -> Result<VerifiedPrincipal, ApiKeyRefusal> {
        let answer = self.keys.verify(text.as_bytes(), usage).await;
        answer.map_err(|error| error.refusal())
    }
}

#[tokio::test]
async fn the_memory_store_keeps_its_contract() {
    ringwall_authn::api_key::conformance::run(|| async {
        Arc::new(MemoryApiKeys::new(1000)) as Arc<dyn ApiKeyStore>
    })
    .await;
}
