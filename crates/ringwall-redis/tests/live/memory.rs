//! What a server may have forgotten is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use ringwall_redis::{RedisClient, RedisReplay};
use ringwall_replay::{Claim, ClaimRequest, ReplayStore as _};
use tokio::net::{TcpListener, TcpStream};

use crate::servers::redis;
use crate::setting::{config, eventually, now, ready, request};

/// As old as a credential can be that was made before.
fn older(name: &str, by: Duration) -> ClaimRequest {
    let request = request(name);
    let valid_from = request.valid_from.checked_sub(by).expect("in range");
    ClaimRequest {
        valid_from,
        ..request
    }
}

#[tokio::test]
async fn what_can_have_been_claimed_before_the_servers_start_is_refused() {
    let mut server = redis::start(&["appendonly no"]).expect("a server");
    let client = RedisClient::connect(config(server.url()))
        .await
        .expect("it runs");
    let store = RedisReplay::new(&client);
    // Its start is told in whole seconds.
    let first = || async { store.claim(request("new")).await.is_ok() };
    eventually("a claim that is new enough", first).await;
    let claimed = request("claimed");
    assert_eq!(store.claim(claimed).await, Ok(Claim::First));
    assert!(
        store
            .claim(older("old", Duration::from_secs(60)))
            .await
            .is_err()
    );

    // It forgets everything, and the claim is not granted again.
    server.kill();
    server.start_again().expect("it starts");
    eventually("the loss", || async { store.claim(claimed).await.is_err() }).await;
    ready(&client).await;
    let again = ClaimRequest {
        now: now(),
        ..claimed
    };
    assert!(store.claim(again).await.is_err());
    let first = || async { store.claim(request("newer")).await == Ok(Claim::First) };
    eventually("a claim that is new enough", first).await;
    assert!(store.claim(again).await.is_err());
}

/// A name that can point to another server: a load balancer, or DNS.
async fn balancer(target: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let port = target.load(Ordering::SeqCst);
            tokio::spawn(async move {
                if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::io::copy_bidirectional(&mut near, &mut far)
                        .await
                        .ok();
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_over_may_lack_the_last_claims() {
    let mut primary = redis::start(&[]).expect("a server");
    let password = primary
        .url()
        .split([':', '@'])
        .nth(2)
        .expect("a password")
        .to_owned();
    let follow = format!("replicaof 127.0.0.1 {}", primary.port());
    let authenticate = format!("masterauth {password}");
    let replica = redis::start(&[&follow, &authenticate]).expect("a server");
    let admin = |words: &[&str]| {
        let client = ::redis::Client::open(replica.url()).expect("valid");
        let mut connection = client.get_connection().expect("up");
        let mut command = ::redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query::<::redis::Value>(&mut connection)
            .expect("up")
    };

    let target = Arc::new(AtomicU16::new(primary.port()));
    let port = balancer(Arc::clone(&target)).await;
    let url = format!("redis://:{password}@127.0.0.1:{port}");
    // Even an operator who trusts the disk cannot trust a failover.
    let connect = || async { RedisClient::connect(config(&url).survives_restarts()).await };
    let client = connect().await.expect("it runs");
    let store = RedisReplay::new(&client);
    assert_eq!(
        store.claim(older("old", Duration::from_secs(60))).await,
        Ok(Claim::First)
    );
    // The replica was there before, as replicas are.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let synced = || async {
        let info = admin(&["INFO", "replication"]);
        format!("{info:?}").contains("master_link_status:up")
    };
    eventually("a replica that follows", synced).await;
    let lost = request("lost");
    admin(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(store.claim(lost).await, Ok(Claim::First));
    admin(&["CONFIG", "SET", "requirepass", &password]);
    target.store(replica.port(), Ordering::SeqCst);
    primary.kill();

    // Until the loss is noticed, the primary's own answer stands, or none.
    let refused = || async {
        let answer = store.claim(lost).await;
        assert_ne!(answer, Ok(Claim::First), "the replica never knew it");
        answer.is_err()
    };
    eventually("the loss", refused).await;
    let first = || async { store.claim(request("new")).await == Ok(Claim::First) };
    eventually("the next connection", first).await;
    assert!(refused().await);

    // A process that begins now does not know when the replica took over.
    let another = connect().await.expect("it runs");
    assert!(RedisReplay::new(&another).claim(lost).await.is_err());
    assert_eq!(
        RedisReplay::new(&another).claim(request("newer")).await,
        Ok(Claim::First)
    );
}
