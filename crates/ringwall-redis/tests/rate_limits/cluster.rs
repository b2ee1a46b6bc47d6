//! A node of a cluster.

use std::net::TcpListener;
use std::time::Duration;

use ringwall_redis::{Error, RedisClient, RedisLimiter};

use crate::servers::{self, Server};
use crate::setting::{config, eventually};
use crate::world::{Admin, bucket, check, hourly, passed, policies_of, secret};

#[tokio::test(flavor = "multi_thread")]
async fn all_limits_of_a_request_are_on_one_node_of_a_cluster() {
    let (server, _) = node();
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

/// A node, and the port at which others of its cluster reach it. That would be the client's and 10,000, which may be
/// none.
fn node() -> (Server, u16) {
    let start = || {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|bus| bus.local_addr());
        let bus = free.expect("a port").port();
        let port = format!("cluster-port {bus}");
        let server = servers::redis::start(&["cluster-enabled yes", &port]);
        server.map(|server| (server, bus))
    };
    // The port may be another test's by the time the server wants it.
    let again = |_| start();
    start().or_else(again).or_else(again).expect("a server")
}

/// Two nodes that know each other; the first has the slot of the limits.
struct Pair {
    nodes: [Server; 2],
    ids: [String; 2],
}

const SLOT: &str = "2716";

impl Pair {
    async fn start() -> Self {
        let ((one, _), (other, bus)) = (node(), node());
        let password = one.url().split([':', '@']).nth(2).expect("a password");
        let _: String = Admin::of(&other).run(&["CONFIG", "SET", "requirepass", password]);
        let mut admin = Admin::of(&one);
        let _: String = admin.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
        let port = other.port().to_string();
        let _: String = admin.run(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus.to_string()]);
        let url = format!("redis://:{password}@127.0.0.1:{port}");
        let mut second = Admin::new(&url);
        let _: String = second.run(&["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
        let ids = [
            admin.run(&["CLUSTER", "MYID"]),
            second.run(&["CLUSTER", "MYID"]),
        ];
        let pair = Self {
            nodes: [one, other],
            ids,
        };
        let is_up = || async {
            let all = pair.admins().map(|mut admin| {
                let info: String = admin.run(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
            });
            all == [true, true]
        };
        eventually("a cluster", is_up).await;
        pair
    }

    fn password(&self) -> &str {
        let password = self.nodes[0].url().split([':', '@']).nth(2);
        password.expect("a password")
    }

    fn url(&self, node: usize) -> String {
        let port = self.nodes[node].port();
        format!("redis://:{}@127.0.0.1:{port}", self.password())
    }

    fn admins(&self) -> [Admin; 2] {
        [0, 1].map(|node| Admin::new(&self.url(node)))
    }

    /// The slot of the limits, with nothing in it, goes to this node.
    fn give(&self, node: usize) {
        for mut admin in self.admins() {
            let _: String = admin.run(&["FLUSHALL"]);
            let _: String = admin.run(&["CLUSTER", "SETSLOT", SLOT, "NODE", &self.ids[node]]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_of_the_slot_is_found_and_followed() {
    let pair = Pair::start().await;
    // Any node is named, and the other one has the slot.
    let config = config(&pair.url(1)).cluster("limits");
    let client = RedisClient::connect(config).await.expect("it runs");
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let limiter = RedisLimiter::builder(&client, policies.clone())
        .remember_denials(Duration::ZERO)
        .build()
        .expect("valid");
    let ten = [bucket(&limiter, "ten", "a")];
    assert_eq!(passed(&limiter, &ten, 20).await, 10);
    let keys = |node: usize| -> u64 { Admin::new(&pair.url(node)).run(&["DBSIZE"]) };
    assert_eq!((keys(0), keys(1)), (1, 0));
    for node in [1, 0] {
        pair.give(node);
        eventually("the other node", || async {
            check(&limiter, &ten, 1)
                .await
                .is_ok_and(|decision| decision.is_allowed())
        })
        .await;
        // The one token, and what the bucket of the other node has beside it.
        assert_eq!(passed(&limiter, &ten, 20).await, 9);
        assert_eq!((keys(node), keys(1 - node)), (1, 0));
    }
    #[cfg(all(feature = "replay", feature = "revocations"))]
    others_are_refused(&client);
    // Another service's tag is another slot.
    let other = RedisLimiter::builder(&client, policies)
        .tag("other")
        .build();
    assert!(matches!(other, Err(Error::Configuration(_))));
}

/// What is in all slots, or in another one, is nobody's to ask at the node of one.
#[cfg(all(feature = "replay", feature = "revocations"))]
fn others_are_refused(client: &RedisClient) {
    let replay = ringwall_redis::RedisReplay::builder(client).build();
    assert!(matches!(replay, Err(Error::Configuration(_))));
    let revocations = ringwall_redis::RedisRevocations::with_prefix(client, "test:");
    assert!(matches!(revocations, Err(Error::Configuration(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_named_node_is_gone_the_others_are_asked() {
    let mut pair = Pair::start().await;
    // A slot whose node is down is nobody's business but its own.
    for mut admin in pair.admins() {
        let _: String = admin.run(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let config = config(&pair.url(1)).cluster("limits");
    let client = RedisClient::connect(config).await.expect("it runs");
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let ten = [bucket(&limiter, "ten", "a")];
    assert_eq!(passed(&limiter, &ten, 3).await, 3);
    pair.nodes[1].kill();
    // The one that serves breaks off, and comes back.
    let mut admin = Admin::new(&pair.url(0));
    let _: u64 = admin.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    eventually("a connection", || async {
        check(&limiter, &ten, 1).await.is_ok()
    })
    .await;
    let rest = passed(&limiter, &ten, 20).await;
    assert!((5..=6).contains(&rest), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_on_another_machine_is_not_spoken_to_in_the_clear() {
    let pair = Pair::start().await;
    for mut admin in pair.admins() {
        let _: String = admin.run(&[
            "CONFIG",
            "SET",
            "cluster-preferred-endpoint-type",
            "hostname",
            "cluster-announce-hostname",
            "redis.example.com",
        ]);
    }
    let is_told = || async {
        let mut admin = Admin::new(&pair.url(1));
        let slots: redis::Value = admin.run(&["CLUSTER", "SLOTS"]);
        format!("{slots:?}").matches("redis.example.com").count() == 2
    };
    eventually("the name", is_told).await;
    let refused = RedisClient::connect(config(&pair.url(1)).cluster("limits")).await;
    assert!(
        matches!(refused, Err(Error::Configuration(_))),
        "{refused:?}"
    );
    // The slot's own node was named, and is on this machine.
    let found = RedisClient::connect(config(&pair.url(0)).cluster("limits")).await;
    assert!(found.is_ok(), "{found:?}");
    let key: i64 = Admin::new(&pair.url(0)).run(&["CLUSTER", "KEYSLOT", "{limits}"]);
    assert_eq!(key.to_string(), SLOT);
}
