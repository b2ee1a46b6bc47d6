//! Clients that connect and say nothing.

use tokio::net::TcpStream;

use crate::authority::Authority;
use crate::client::{Outcome, ask, config};
use crate::site::{ALL, Site};

const SILENT: usize = 1000;

/// Both ends of the silent connections are in this process.
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(16_384, |maximum| maximum.min(16_384));
    if limit.current.is_some_and(|current| current < enough) {
        let raised = Rlimit {
            current: Some(enough),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).expect("descriptors");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_clients_do_not_block_one_good_one() {
    raise_limit();
    let authority = Authority::new("authority");
    let good = config(&authority, Some(&authority.client()));
    for framework in ALL {
        let site = Site::start(framework, &authority, [authority.pem()]).await;
        let mut silent = Vec::with_capacity(SILENT);
        for _ in 0..SILENT {
            silent.push(
                TcpStream::connect(site.address)
                    .await
                    .expect("a connection"),
            );
        }
        for _ in 0..3 {
            assert_eq!(ask(&site, &good).await, Outcome::Admitted, "{framework:?}");
        }
        drop(silent);
    }
}
