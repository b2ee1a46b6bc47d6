//! A server on loopback that answers what it is told to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Clone, Default)]
struct Script {
    answer: String,
    last: String,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

pub(crate) async fn start() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Arc::new(Mutex::new(Script::default()));
    let shared = Arc::clone(&script);
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // Until the body of the form has arrived.
            while !String::from_utf8_lossy(&request).contains("token_type_hint=access_token") {
                match stream.read(&mut buffer).await {
                    Ok(count) if count > 0 => request.extend(buffer.iter().take(count)),
                    Ok(_) | Err(_) => break,
                }
            }
            let answer = {
                let mut script = shared.lock().unwrap();
                script.last = String::from_utf8_lossy(&request).into_owned();
                script.answer.clone()
            };
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    Server { port, script, task }
}

impl Server {
    pub(crate) fn answers(&self, status: &str, kind: &str, body: &str) {
        let length = body.len();
        self.script.lock().unwrap().answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n{body}"
        );
    }

    pub(crate) fn last_request(&self) -> String {
        self.script.lock().unwrap().last.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
