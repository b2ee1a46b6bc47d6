//! A node of a cluster.

use ringwall_redis::{Error, RedisClient, RedisLimiter};

use crate::servers::redis;
use crate::setting::{config, eventually};
use crate::world::{Admin, bucket, check, hourly, passed, policies_of, secret};

#[tokio::test(flavor = "multi_thread")]
async fn all_limits_of_a_request_are_on_one_node_of_a_cluster() {
    let server = redis::start(&["cluster-enabled yes"]).expect("a server");
    let mut admin = Admin::of(&server);
    let _: String = admin.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let is_up = || async {
        let info: String = Admin::of(&server).run(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok")
    };
    eventually("a cluster", is_up).await;

    // Not by accident: another node may have the slot.
    let refused = RedisClient::connect(config(server.url())).await;
    assert!(matches!(refused, Err(Error::Unsafe(_))), "{refused:?}");

    let client = RedisClient::connect(config(server.url()).cluster_node()).await;
    let client = client.expect("it runs");
    let policies = policies_of(secret(), &[("org", hourly(5)), ("user", hourly(50))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let mut many = vec![bucket(&limiter, "org", "acme")];
    many.extend((0..5).map(|n| bucket(&limiter, "user", &n.to_string())));
    // One script with six keys: were they in several slots, it would be CROSSSLOT.
    assert_eq!(passed(&limiter, &many, 6).await, 5);
    let decision = check(&limiter, &many[1..], 1).await.expect("it answers");
    limiter_refund(&limiter, decision).await;

    // A node that does not serve the slot admits nothing.
    let _: String = admin.run(&["CLUSTER", "DELSLOTSRANGE", "0", "16383"]);
    let answer = check(&limiter, &many[1..], 1).await;
    assert!(answer.is_err(), "{answer:?}");
}

async fn limiter_refund(limiter: &RedisLimiter, decision: ringwall_rate_limit::Decision) {
    use ringwall_rate_limit::LimitStore as _;
    limiter
        .refund(crate::world::now(), decision)
        .await
        .expect("up");
}
