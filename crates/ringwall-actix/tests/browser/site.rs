//! An app on a socket, and a client that sends exactly what it is told.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::Request;
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response, ServerHandle};
use actix_web::{Error, HttpServer};
use ringwall_transport::Peer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::corpus::{Lines, Seen};

/// An app on a free port of this machine, until it is dropped.
pub(crate) struct Site {
    address: SocketAddr,
    server: ServerHandle,
}

impl Drop for Site {
    fn drop(&mut self) {
        tokio::spawn(self.server.stop(false));
    }
}

/// Serves the app to whoever connects, as if it were `peer`.
pub(crate) fn start<F, I, S, B>(factory: F, peer: Option<Peer>) -> Site
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: core::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = HttpServer::new(factory)
        .workers(1)
        .disable_signals()
        .on_connect(move |_, data| {
            if let Some(peer) = peer.clone() {
                data.insert(peer);
            }
        })
        .listen(listener)
        .expect("a server")
        .run();
    let site = Site {
        address,
        server: server.handle(),
    };
    tokio::spawn(server);
    site
}

impl Site {
    pub(crate) async fn send(&self, method: &str, lines: &Lines) -> Seen {
        let mut text = format!("{method} / HTTP/1.1\r\nhost: api.example.com\r\n");
        for (name, value) in lines {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("connection: close\r\n\r\n");
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(text.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await?;
            std::io::Result::Ok(bytes)
        };
        let bytes = timeout(Duration::from_secs(10), exchange).await;
        parse(&bytes.expect("an answer in time").expect("an answer"))
    }
}

fn parse(bytes: &[u8]) -> Seen {
    let text = core::str::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    Seen {
        status: status.and_then(|text| text.parse().ok()).expect("a status"),
        lines: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        is_empty: body.is_empty(),
    }
}
