//! How the service ends, and begins again.

use core::time::Duration;
use std::error::Error;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::tour::Tour;
use crate::tour::answer::Answer;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};
use crate::tour::service::Service;
use crate::tour::steps::organisations;

/// The interim answer (RFC 9110 §15.2.1).
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

pub(crate) async fn run(
    tour: &mut Tour,
    mut service: Service,
    data_dir: &Path,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    tour.area("Stop and restart");
    let client = Client::new(service.address());
    let token = forge.good(&ALPHA);
    let (head, body) = halves(&client, &token);
    let mut stream = client.begin(head.as_bytes()).await?;
    // The service asks for the body, so it is in the middle of the request now.
    let mut interim = vec![0; CONTINUE.len()];
    stream.read_exact(&mut interim).await?;
    tour.note(
        "a request that waits for leave to send its body",
        CONTINUE.trim_end(),
        String::from_utf8_lossy(&interim).trim_end(),
    );
    service.terminate()?;
    let got = if refuses_soon(&client).await {
        "refused"
    } else {
        "accepted"
    };
    tour.note("new connections after a SIGTERM", "refused", got);
    stream.write_all(body.as_bytes()).await?;
    let mut received = Vec::new();
    let reading = stream.read_to_end(&mut received);
    tokio::time::timeout(Duration::from_secs(5), reading).await??;
    let answer = Answer::read(&received);
    let expect = Expect::status(201).json("/title", "last");
    tour.compare(
        "the request that was there before, which still ends well",
        &answer,
        &expect,
    );
    let status = service.ended().await?;
    tour.note(
        "how the process ended",
        "0",
        status
            .code()
            .map_or_else(|| status.to_string(), |code| code.to_string()),
    );

    let mut service = tour.serve_dev(data_dir).await?;
    let client = Client::new(service.address());
    let ask = Ask::get(format!("/api/cases/{}", answer.text("/id"))).bearer(&token);
    let kept = Expect::status(200).json("/title", "last");
    tour.ask(
        "after a restart the token and the case are still good",
        &client,
        ask,
        kept,
    )
    .await;
    organisations::after_restart(tour, &client, forge).await;
    service.terminate()?;
    let status = service.ended().await?;
    tour.note(
        "how it ended with nothing to do",
        "0",
        status
            .code()
            .map_or_else(|| status.to_string(), |code| code.to_string()),
    );
    Ok(())
}

async fn refuses_soon(client: &Client) -> bool {
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(client.address())
            .await
            .is_err()
        {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn halves(client: &Client, token: &str) -> (String, String) {
    let body = r#"{"title":"last","body":"b"}"#;
    let head = format!(
        "POST /api/cases HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        client.address(),
        body.len(),
    );
    (head, body.to_owned())
}
