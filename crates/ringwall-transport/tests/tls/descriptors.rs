//! A server that has fewer descriptors than silent clients.

#![cfg(unix)]

use core::net::SocketAddr;
use core::time::Duration;
use std::process::{Child, Command, Stdio};

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, HandshakeAcceptor};
use tokio::net::TcpStream;

use crate::bench::{Bench, Echo, is_served, soon, until};

/// The folder in which the server writes what its clients need, if this process is one.
const FOLDER: &str = "RINGWALL_FEW_DESCRIPTORS";

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn silent_clients_give_their_descriptors_to_a_good_one() {
    let mut bench = Bench::new();
    let program = std::env::current_exe().expect("this program");
    let server = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(program)
        .args([
            "--ignored",
            "--exact",
            "descriptors::server_with_few_descriptors",
        ])
        .env(FOLDER, bench.path(""))
        .stdout(Stdio::null())
        .spawn();
    let _server = Killed(server.expect("a process"));
    let address = bench.path("address");
    until(|| address.exists()).await;
    let address = std::fs::read_to_string(address).expect("text");
    let address: SocketAddr = address.parse().expect("an address");
    bench.servers.pem = std::fs::read_to_string(bench.path("root.pem")).expect("text");

    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(
            soon(TcpStream::connect(address))
                .await
                .expect("a connection"),
        );
    }
    assert!(is_served(address, &bench.client().config()).await);
    until(|| bench.path("told").exists()).await;
}

#[tokio::test]
#[ignore = "runs in a process of its own, which has few descriptors"]
async fn server_with_few_descriptors() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return; // somebody runs ignored tests: without its clients it is none
    };
    let folder = std::path::PathBuf::from(folder);
    let put = |name: &str, text: &str| {
        std::fs::write(folder.join("written"), text).expect("a file");
        std::fs::rename(folder.join("written"), folder.join(name)).expect("a name");
    };
    let bench = Bench::new();
    let acceptor = HandshakeAcceptor::builder(&bench.load(ClientTrust::none()))
        .time_limit(Duration::from_secs(3600))
        .build();
    let echo = Echo::of(acceptor).await;
    put("root.pem", &bench.servers.pem);
    put("address", &echo.address.to_string());
    until(|| bench.count(EventKind::ConnectionsDropped) > 0).await;
    assert_eq!(
        bench.causes(EventKind::ConnectionsDropped).first(),
        Some(&"the system gives no more connections: accepting pauses")
    );
    soon(async {
        // It has a descriptor for this as soon as some were shed.
        while std::fs::write(folder.join("told"), "").is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    std::future::pending::<()>().await;
}
