//! Servers that lie, stall and vanish under load.

use std::time::Duration;

use ringwall_authn::jose::{Health, base64url};
use ringwall_core::event::EventKind;
use ringwall_jwks_client::{FetchErrorKind, RefreshPolicy};

use crate::load::{Batch, Expected, Load, Tally};
use crate::rotations::report;
use crate::server::{Answer, Behaviour, Identity, Length, Server};
use crate::support::*;

/// What is wrong with a server.
enum Sickness {
    Behaves(Behaviour),
    /// Its certificate was changed for this one.
    Certificate(Identity),
    /// Nothing listens on its port.
    Gone,
}

/// The sickness, and what operators are told; `None` when the answer itself was fine.
type Case = (&'static str, Sickness, Option<FetchErrorKind>);

fn cases(world: &World, elsewhere: &Server) -> Vec<Case> {
    use FetchErrorKind as K;
    let json = |text: &str| Behaviour::Serve(Answer::json(text));
    let good = || Answer::json(r#"{"keys":[]}"#).header("x-padding", &"x".repeat(300));
    let huge = |length| Behaviour::Huge {
        bytes: 10 * 1024 * 1024,
        length,
    };
    let behaviours = [
        ("stall", Behaviour::Stall, Some(K::TimedOut)),
        ("mute", Behaviour::Mute, Some(K::TimedOut)),
        (
            "drip",
            Behaviour::SlowDrip {
                answer: good(),
                bytes: 1,
                tick: millis(5),
            },
            Some(K::TimedOut),
        ),
        ("huge", huge(Length::Announced), Some(K::TooLarge)),
        ("chunked", huge(Length::Chunked), Some(K::TooLarge)),
        (
            "redirect",
            Behaviour::Redirect {
                status: 302,
                to: elsewhere.url(JWKS),
            },
            Some(K::Redirected),
        ),
        ("html", Behaviour::Html200, Some(K::ContentType)),
        (
            "text",
            Behaviour::Serve(good().content_type(Some("text/plain"))),
            Some(K::ContentType),
        ),
        ("gzip", Behaviour::Compressed, Some(K::ContentEncoding)),
        (
            "error",
            Behaviour::Serve(good().status(500)),
            Some(K::Status(500)),
        ),
        ("garbage", Behaviour::Garbage, Some(K::Interrupted)),
        ("closing", Behaviour::Close, Some(K::Interrupted)),
        ("cut", Behaviour::Truncate(good()), Some(K::Interrupted)),
        ("empty", Behaviour::Empty, None),
        ("no-keys", json(r#"{"keys":[]}"#), None),
        ("broken", json(r#"{"keys":[{"kty":"EC","kid":"a"}]}"#), None),
    ];
    let mut cases: Vec<Case> = behaviours
        .into_iter()
        .map(|(label, behaviour, kind)| (label, Sickness::Behaves(behaviour), kind))
        .collect();
    let expired = world.authority.expired(&["127.0.0.1"]);
    let stranger = Identity::self_signed(&["127.0.0.1"]);
    cases.extend([
        ("expired", Sickness::Certificate(expired), Some(K::Tls)),
        ("stranger", Sickness::Certificate(stranger), Some(K::Tls)),
        ("refuses", Sickness::Gone, Some(K::Connect)),
    ]);
    cases
}

async fn fall_ill(site: &mut Site, sickness: &Sickness) {
    match sickness {
        Sickness::Behaves(behaviour) => site.server.set(behaviour.clone()),
        Sickness::Certificate(identity) => site.server.set_identity(identity),
        Sickness::Gone => site.server.stop_listening().await,
    }
}

fn recover(site: &mut Site, sickness: &Sickness, world: &World) {
    match sickness {
        Sickness::Behaves(_) => site.publish(),
        Sickness::Certificate(_) => site.server.set_identity(&world.identity()),
        Sickness::Gone => site.server.listen_again(),
    }
}

/// All of them at once in one verifier, with issuers that are well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_37_line_38_no_sickness_of_a_server_refuses_a_good_token_and_none_is_contagious() {
    let _alone = alone().await;
    let world = World::new();
    let elsewhere = Server::start(Behaviour::Close).await;
    let cases = cases(&world, &elsewhere);
    let mut sick = Vec::new();
    for (label, sickness, _) in &cases {
        let is_tls = matches!(sickness, Sickness::Certificate(_));
        sick.push(if is_tls {
            world.tls_site(label, brisk()).await
        } else {
            world.site(label, brisk()).await
        });
    }
    let well = world.site("well", brisk()).await;
    let flapping = world.site("flapping", brisk()).await;
    let mixed = world.site("mixed", brisk()).await;
    let steady = [&well, &flapping, &mixed];
    let tenants: Vec<_> = sick
        .iter()
        .chain(steady)
        .map(|site| site.tenant.clone())
        .collect();
    let doors = Doors::of(&tenants);
    let load = Load::start(&doors, &tenants, 3000);

    // One key that cannot be used is left out, and the others are as good as ever.
    let one_is_bad = mixed.tenant.issuer.jwks().replacen(
        '[',
        r#"[{"kty":"EC","crv":"P-256","kid":"bad","x":"AA","y":"AA"},"#,
        1,
    );
    mixed.server.set(Behaviour::Serve(Answer::json(one_is_bad)));
    for (site, (_, sickness, _)) in sick.iter_mut().zip(&cases) {
        fall_ill(site, sickness).await;
    }
    let mut turn = 0_u32;
    for (site, (label, _, kind)) in sick.iter().zip(&cases) {
        let is_ill = || {
            let status = site.tenant.status();
            status.health == Health::Stale && status.failures >= 3
        };
        let falls_ill = tokio::time::timeout(PATIENCE, async {
            while !is_ill() {
                // Ill, well, ill: more often than the client asks.
                turn += 1;
                if turn.is_multiple_of(3) {
                    flapping.publish();
                } else {
                    flapping.server.set(Behaviour::Close);
                }
                tokio::time::sleep(millis(10)).await;
            }
        });
        let fell_ill = falls_ill.await.is_ok();
        assert!(fell_ill, "{label}: {:?}", site.tenant.status());
        // On a slow machine, what should fail at once may as well take too long.
        let error = site.tenant.status().last_error.unwrap().fetch_kind();
        assert!(
            error == *kind || error == Some(FetchErrorKind::TimedOut),
            "{label}: {error:?}"
        );
        assert_eq!(doors.health(&site.tenant), Health::Stale, "{label}");
    }
    all_judged(&tenants, 1000).await;

    for (site, (label, sickness, _)) in sick.iter_mut().zip(&cases) {
        recover(site, sickness, &world);
        let (attempts, late) = (site.tenant.status().attempts, site.tenant.time_outs());
        eventually(label, || site.tenant.status().health == Health::Fresh).await;
        // One may have been under way, and the one after the pause succeeds.
        let late = site.tenant.time_outs() - late;
        let attempts = site.tenant.status().attempts - attempts;
        assert!(attempts <= 1 + late, "{label}: {attempts}, {late} too late");
    }
    flapping.publish();
    all_judged(&tenants, 1000).await;
    load.stop().await;
    for site in sick.iter().chain(steady) {
        report(site);
        assert_eq!(Tally::count(&site.tenant.tally.waited), 0);
        assert_eq!(Tally::count(&site.tenant.tally.unavailable), 0);
        assert_eq!(site.tenant.events.count(EventKind::KeysUnavailable), 0);
    }
    assert_eq!(elsewhere.connections(), 0, "nobody follows a redirect");
    assert_eq!(mixed.tenant.status().refused_keys, 1);
    // What went wrong with those who were well was a machine's.
    for site in [&well, &mixed] {
        let failures = site.tenant.events.count(EventKind::KeysRefreshFailed);
        assert_eq!(u64::try_from(failures).unwrap(), site.tenant.time_outs());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_38_past_max_stale_it_is_503_and_never_401_until_the_server_is_back() {
    let _alone = alone().await;
    let world = World::new();
    let policy = RefreshPolicy {
        max_stale: millis(1000),
        ..brisk()
    };
    let mut down = world.site("down", policy).await;
    let up = world.site("up", brisk()).await;
    let tenants = [down.tenant.clone(), up.tenant.clone()];
    let doors = Doors::of(&tenants);
    let load = Load::start(&doors, &tenants, 2000);
    for _ in 0..2 {
        // Good to the last moment, and not a moment longer.
        down.tenant.expect(Expected::WhileKeysLast);
        down.server.stop_listening().await;
        let unknown = unknown_key(&down.tenant);
        eventually("keys past their time", || down.tenant.is_over()).await;
        down.tenant.expect(Expected::Unavailable);
        // Whether there is such a key, nobody can tell either.
        let unknown = down.tenant.present(unknown);
        down.tenant.judged(2000).await;
        assert_eq!(doors.health(&down.tenant), Health::Unavailable);
        assert!(doors.health(&up.tenant) != Health::Unavailable);
        assert!(down.tenant.client().prefetch().await.is_err());
        let lost = down.tenant.events.count(EventKind::KeysUnavailable);
        assert!(lost > 0);

        down.tenant.withdraw(&unknown);
        down.tenant.expect(Expected::Anything);
        down.server.listen_again();
        let (attempts, late) = (down.tenant.status().attempts, down.tenant.time_outs());
        eventually("the keys again", || !down.tenant.is_over()).await;
        let late = down.tenant.time_outs() - late;
        assert!(down.tenant.status().attempts - attempts <= 1 + late);
        down.tenant.expect(Expected::WhileKeysLast);
        down.tenant.judged(2000).await;
    }
    load.stop().await;
    for site in [&down, &up] {
        report(site);
        assert_eq!(Tally::count(&site.tenant.tally.refused), 0);
    }
    assert_eq!(Tally::count(&up.tenant.tally.waited), 0);
    assert_eq!(Tally::count(&up.tenant.tally.unavailable), 0);
    assert_eq!(up.tenant.events.count(EventKind::KeysUnavailable), 0);
}

/// Tokens with an id that no key has.
fn unknown_key(tenant: &Tenant) -> Batch {
    let header = base64url::encode(r#"{"alg":"EdDSA","kid":"nobody","typ":"at+jwt"}"#);
    let token = tenant.token();
    let rest = &token[token.find('.').unwrap()..];
    Batch::new(
        "nobody",
        vec![format!("{header}{rest}")],
        Expected::Unavailable,
    )
}

/// A server that dies in the middle of an answer and comes back on its port with other keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_38_a_server_that_comes_back_with_another_key_is_believed() {
    let _alone = alone().await;
    let world = World::new();
    let mut site = world.site("reborn", brisk()).await;
    let tenant = site.tenant.clone();
    let doors = Doors::of([&tenant]);
    let load = Load::start(&doors, [&tenant], 2000);
    site.server
        .set(Behaviour::Reset(Answer::json(tenant.issuer.jwks())));
    eventually("an answer cut off", || tenant.status().failures >= 1).await;
    site.server.stop_listening().await;
    eventually("an outage", || tenant.status().health == Health::Stale).await;
    let old = tenant.batches();
    let last = tenant.issuer.active_key_id();
    let key = new_key();
    let next = key.id().as_str().to_owned();
    tenant.issuer.announce(key).unwrap();
    tenant.issuer.activate(&next).unwrap();
    tenant.issuer.retire(&last).unwrap();
    for batch in &old {
        batch.expect(Expected::Anything);
    }
    site.publish();
    site.server.listen_again();
    eventually("the new key", || tenant.has_key(&next)).await;
    assert!(!tenant.has_key(&last));
    for batch in &old {
        batch.expect(Expected::Gone);
    }
    let new = tenant.hand_out(Expected::AtOnce);
    tenant.judged(1000).await;
    load.stop().await;
    report(&site);
    assert_eq!(new.key_id, next);
    assert!(tenant.status().expires_in > Duration::ZERO);
}
