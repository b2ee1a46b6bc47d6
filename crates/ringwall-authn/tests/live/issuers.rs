//! Issuers that are added and removed while requests run.

use std::sync::Arc;

use ringwall_authn::TokenIssuer;
use ringwall_authn::jose::KeySource as _;
use ringwall_core::event::MemoryEvents;
use ringwall_core::profile::Profile;
use ringwall_jwks_client::JwksClient;

use crate::load::{Expected, Load, Tally};
use crate::rotations::report;
use crate::server::{Answer, Behaviour, Server};
use crate::support::*;

/// Tenants that share a server, each with a path of its own.
const TENANTS: usize = 8;

/// A tenant whose keys the server has under a path: every other one is found by its metadata.
async fn tenant(world: &World, server: &Server, label: &str) -> Arc<Tenant> {
    let name = server.url(&format!("/{label}"));
    let issuer = TokenIssuer::new(&name, new_key());
    let keys = format!("/{label}{JWKS}");
    server.set_path(&keys, served(&issuer));
    let metadata = format!(
        r#"{{"issuer":"{name}","jwks_uri":"{}"}}"#,
        server.url(&keys)
    );
    server.set_path(
        &format!("/{label}/.well-known/openid-configuration"),
        Behaviour::Serve(Answer::json(metadata)),
    );
    let fetcher = Arc::clone(&world.fetcher);
    let builder = if label.ends_with(['0', '2', '4', '6', '8']) {
        JwksClient::discover(&name, fetcher)
    } else {
        JwksClient::builder(&server.url(&keys), fetcher)
    };
    let events = Arc::new(MemoryEvents::new(1000));
    let client = builder
        .profile(Profile::Development)
        .policy(brisk())
        .events(Arc::<MemoryEvents>::clone(&events))
        .start()
        .unwrap();
    let tenant = Tenant::new(label, issuer, client, events);
    tenant.ready().await;
    Arc::new(tenant)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issuers_come_and_go_under_load_and_a_removed_one_is_refused_at_once_and_asks_no_more() {
    let _alone = alone().await;
    let world = World::new();
    let stays = world.site("stays", brisk()).await;
    let shared = Server::start(Behaviour::Close).await;
    let doors = Doors::of([&stays.tenant]);
    let steady = Load::start(&doors, [&stays.tenant], 1500);
    let mut asked = 0;
    for round in 0..3 {
        let mut guests = Vec::new();
        for number in 0..TENANTS {
            guests.push(tenant(&world, &shared, &format!("t{round}{number}")).await);
        }
        for guest in &guests {
            doors.add(guest);
        }
        let load = Load::start(&doors, &guests, 400);
        all_judged(&guests, 100).await;
        let mut handles = Vec::new();
        for guest in &guests {
            guest.expect(Expected::Anything);
            let client = guest.release();
            assert!(client.keys().is_ok());
            handles.push(Arc::downgrade(&client));
            drop(client);
            doors.remove(guest);
            // Cached or not, from the moment on at which the call is back.
            guest.expect(Expected::Gone);
        }
        all_judged(&guests, 100).await;
        load.stop().await;
        for (guest, handle) in guests.iter().zip(&handles) {
            // With the verifier's hold goes the last one, and with it the task.
            eventually("an end of the client", || handle.upgrade().is_none()).await;
            assert!(Tally::count(&guest.tally.good) >= 100);
            assert!(Tally::count(&guest.tally.refused) >= 100);
        }
        eventually("an end of the connections", || {
            shared.open_connections() == 0
        })
        .await;
        asked = shared.request_count();
    }
    // While another client asks again and again, those that were removed do not.
    let before = stays.server.request_count();
    eventually("three more refreshes", || {
        stays.server.request_count() >= before + 3
    })
    .await;
    assert_eq!(shared.request_count(), asked);
    assert_eq!(doors.cached.health().len(), 1);
    steady.stop().await;
    report(&stays);
    say(&format!(
        "{} tenants came and went, {asked} requests",
        3 * TENANTS
    ));
    assert_eq!(Tally::count(&stays.tenant.tally.waited), 0);
}
