//! The suites of the traits.

use std::sync::{Arc, Mutex};

use ringwall_authn::{api_key, revocation};
use ringwall_authz::{SubjectDirectory, directory as subjects};

use crate::setting::{directory, fresh, keys, revocations};

#[tokio::test(flavor = "multi_thread")]
async fn keys_conform() {
    // Files live until the suite has ended.
    let places = Mutex::new(Vec::new());
    api_key::conformance::run(async || {
        let place = fresh().await;
        let store = keys(&place.address).await;
        places.lock().expect("no panic").push(place);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_conform() {
    let places = Mutex::new(Vec::new());
    revocation::conformance::run(async || {
        let place = fresh().await;
        let store = revocations(&place.address).await;
        places.lock().expect("no panic").push(place);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_conform() {
    let places = Mutex::new(Vec::new());
    subjects::conformance::run(async || {
        let place = fresh().await;
        let store: Arc<dyn SubjectDirectory> = directory(&place.address).await;
        places.lock().expect("no panic").push(place);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_conform() {
    let places = Mutex::new(Vec::new());
    subjects::listing_conformance::run(async || {
        let place = fresh().await;
        let store = directory(&place.address).await;
        places.lock().expect("no panic").push(place);
        store
    })
    .await;
}
