//! The service that is guarded.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use ringwall_tonic::{CurrentPrincipal, GuardedServer, guard, optional, public, require_scope};
use ringwall_tonic::{authenticated, require_any_scope};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::generated::Text;
use crate::generated::cases_server::{Cases, CasesServer};

pub(crate) const PREFIX: &str = "/test.v1.Cases/";

/// Writes down which of its methods were reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    reached: Arc<Mutex<Vec<&'static str>>>,
    parts: Arc<AtomicUsize>,
}

pub(crate) type Texts = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;

pub(crate) fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

impl Desk {
    pub(crate) fn server(&self) -> CasesServer<Self> {
        CasesServer::new(self.clone())
    }

    /// The policies that most tests use. `Forgotten` has none.
    pub(crate) fn guarded(&self) -> GuardedServer<CasesServer<Self>> {
        guard(self.server())
            .method("Version", public())
            .method("Greet", optional())
            .method("Whoami", authenticated())
            .method("Read", require_scope("cases:read"))
            .method(
                "Write",
                require_scope("cases:read").require_scope("cases:write"),
            )
            .method("Watch", require_any_scope(["cases:admin", "cases:read"]))
            .method("Upload", require_scope("cases:read").streaming())
            .method("Talk", require_scope("cases:read").streaming())
    }

    pub(crate) fn reached(&self) -> Vec<&'static str> {
        self.reached.lock().expect("no panic").clone()
    }

    /// How many parts of uploads were read since the last [`forget`](Self::forget).
    pub(crate) fn parts(&self) -> usize {
        self.parts.load(Ordering::SeqCst)
    }

    pub(crate) fn forget(&self) {
        self.parts.store(0, Ordering::SeqCst);
    }

    fn reach(&self, method: &'static str) {
        self.reached.lock().expect("no panic").push(method);
    }
}

/// One value of the metadata, or why there is none.
fn metadata<T>(request: &Request<T>, name: &str) -> String {
    let values = request.metadata().get_all(name);
    let values: Vec<_> = values
        .iter()
        .map(|value| value.to_str().unwrap_or("?"))
        .collect();
    values.join("|")
}

#[tonic::async_trait]
impl Cases for Desk {
    async fn version(&self, request: Request<Text>) -> Result<Response<Text>, Status> {
        self.reach("Version");
        let said = &request.get_ref().text;
        Ok(Response::new(match said.strip_prefix("metadata ") {
            Some(name) => text(metadata(&request, name)),
            None => text(format!("version {said}")),
        }))
    }

    async fn greet(&self, request: Request<Text>) -> Result<Response<Text>, Status> {
        self.reach("Greet");
        let caller = CurrentPrincipal::optional(&request)?;
        Ok(Response::new(text(
            caller.map_or("nobody".to_owned(), |who| who.0.subject.to_string()),
        )))
    }

    async fn whoami(&self, request: Request<Text>) -> Result<Response<Text>, Status> {
        self.reach("Whoami");
        let CurrentPrincipal(caller) = CurrentPrincipal::from_request(&request)?;
        Ok(Response::new(text(caller.subject.as_str())))
    }

    async fn read(&self, request: Request<Text>) -> Result<Response<Text>, Status> {
        self.reach("Read");
        match &*request.get_ref().text {
            "absent" => return Err(Status::not_found("no such case")),
            "fall" => panic!("the handler falls"),
            "sleep" => tokio::time::sleep(Duration::from_secs(60)).await,
            "nap" => tokio::time::sleep(Duration::from_millis(700)).await,
            _ => {}
        }
        Ok(Response::new(text(format!(
            "read {}",
            request.get_ref().text
        ))))
    }

    async fn write(&self, request: Request<Text>) -> Result<Response<Text>, Status> {
        self.reach("Write");
        Ok(Response::new(text(format!(
            "wrote {} bytes",
            request.get_ref().text.len()
        ))))
    }

    type WatchStream = Texts;

    /// `count N`: N texts at once. `first`: one text, and then nothing for ever. `silent`: nothing for
    /// ever. `busy`: texts without a pause. `fail`: one text and a status.
    async fn watch(&self, request: Request<Text>) -> Result<Response<Texts>, Status> {
        self.reach("Watch");
        let said = request.into_inner().text;
        let one = tokio_stream::iter([Ok(text("one"))]);
        Ok(Response::new(match &*said {
            "first" => Box::pin(one.chain(tokio_stream::pending())) as Texts,
            "silent" => Box::pin(tokio_stream::pending()),
            "busy" => Box::pin(Busy),
            "fail" => Box::pin(tokio_stream::iter([
                Ok(text("one")),
                Err(Status::data_loss("lost")),
            ])),
            counted => {
                let count: u64 = counted
                    .strip_prefix("count ")
                    .and_then(|count| count.parse().ok())
                    .ok_or_else(|| Status::invalid_argument("what?"))?;
                Box::pin(tokio_stream::iter(
                    (0..count).map(|number| Ok(text(number.to_string()))),
                ))
            }
        }))
    }

    async fn upload(&self, request: Request<Streaming<Text>>) -> Result<Response<Text>, Status> {
        self.reach("Upload");
        let mut stream = request.into_inner();
        let mut length = 0_usize;
        while let Some(part) = stream.message().await? {
            self.parts.fetch_add(1, Ordering::SeqCst);
            length = length.saturating_add(part.text.len());
        }
        self.reach("Upload, whole");
        Ok(Response::new(text(length.to_string())))
    }

    type TalkStream = Texts;

    /// Repeats what it hears; with `x-apart`, hears it elsewhere and says nothing.
    async fn talk(&self, request: Request<Streaming<Text>>) -> Result<Response<Texts>, Status> {
        self.reach("Talk");
        if request.metadata().contains_key("x-apart") {
            let (desk, mut stream) = (self.clone(), request.into_inner());
            tokio::spawn(async move {
                while let Ok(Some(_)) = stream.message().await {}
                desk.reach("Talk, over");
            });
            return Ok(Response::new(Box::pin(tokio_stream::pending())));
        }
        Ok(Response::new(Box::pin(request.into_inner())))
    }

    async fn forgotten(&self, _request: Request<Text>) -> Result<Response<Text>, Status> {
        self.reach("Forgotten");
        Ok(Response::new(text("what nobody may see")))
    }
}

/// Always has another text, and never gives way.
struct Busy;

impl Stream for Busy {
    type Item = Result<Text, Status>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(Ok(text("x".repeat(20_000)))))
    }
}
