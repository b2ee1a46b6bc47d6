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

pub(crate) async fn run(
    tour: &mut Tour,
    service: Service,
    data_dir: &Path,
    forge: &Forge,
) -> Result<(), Box<dyn Error>> {
    tour.area("Stop and restart");
    let client = Client::new(service.address());
    let token = forge.good(&ALPHA);
    let (head, body) = halves(&client, &token);
    let mut stream = client.begin(head.as_bytes()).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    service.terminate()?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(body.as_bytes()).await?;
    let mut received = Vec::new();
    let reading = stream.read_to_end(&mut received);
    tokio::time::timeout(Duration::from_secs(5), reading).await??;
    let answer = Answer::read(&received);
    let expect = Expect::status(201).json("/title", "last");
    tour.compare(
        "SIGTERM in the middle of a request, which still ends well",
        &answer,
        &expect,
    );
    let refused = tokio::net::TcpStream::connect(client.address())
        .await
        .is_err();
    tour.note(
        "new connections meanwhile",
        "refused",
        if refused { "refused" } else { "accepted" },
    );
    let status = service.ended().await?;
    tour.note(
        "how the process ended",
        "0",
        status
            .code()
            .map_or_else(|| status.to_string(), |code| code.to_string()),
    );

    let service = tour.serve_dev(data_dir).await?;
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

fn halves(client: &Client, token: &str) -> (String, String) {
    let body = r#"{"title":"last","body":"b"}"#;
    let head = format!(
        "POST /api/cases HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        client.address(),
        body.len(),
    );
    (head, body.to_owned())
}
