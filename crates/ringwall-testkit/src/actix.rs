//! actix-web applications, called in process.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use std::rc::Rc;

use actix_service::IntoServiceFactory;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Service, ServiceFactory, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage as _, test};
use bytes::Bytes;
use ringwall_transport::Peer;

use crate::app::{App, Protocol, Reply, Transport};
use crate::failure::{fail, must};
use crate::kit::Kit;
use crate::sweep::{ListedRoute, RouteList};

/// A future of one thread, as actix-web's are.
type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// An actix-web application, called in process.
#[derive(Clone)]
pub struct Actix(Rc<dyn Fn(actix_http::Request) -> LocalFuture<ServiceResponse<BoxBody>>>);

impl Kit {
    /// An actix-web application that is called in process. Build it with [`gate`](Self::gate), by the
    /// function that `main` calls too.
    ///
    /// Requests carry their [`Peer`] among their extensions, where the gate looks for it, and not among
    /// the data of a connection: there is none.
    ///
    /// # Panics
    ///
    /// When the application cannot be made.
    pub async fn actix<R, S, B, E>(&self, app: R) -> App<Actix>
    where
        R: IntoServiceFactory<S, actix_http::Request>,
        S: ServiceFactory<
                actix_http::Request,
                Config = AppConfig,
                Response = ServiceResponse<B>,
                Error = E,
            >,
        S::InitError: fmt::Debug,
        S::Service: 'static,
        B: MessageBody + 'static,
        E: Into<actix_web::Error> + fmt::Debug + 'static,
    {
        let made = app.into_factory().new_service(AppConfig::default()).await;
        let service = match made {
            Ok(service) => Rc::new(service),
            Err(error) => fail(&format!("the application cannot be made: {error:?}")),
        };
        self.app(Actix(Rc::new(move |request| {
            // An error is rendered as the server would. The head of the request is needed for nothing
            // but that.
            let head = test::TestRequest::default().to_http_request();
            let answer = service.call(request);
            Box::pin(async move {
                match answer.await {
                    Ok(response) => response.map_into_boxed_body(),
                    Err(error) => ServiceResponse::from_err(error, head),
                }
            })
        })))
    }
}

impl Transport for Actix {
    type Future = LocalFuture<Reply>;

    fn call(&self, request: http::Request<Bytes>) -> Self::Future {
        let answer = (self.0)(translated(request));
        Box::pin(async move { read(answer.await).await })
    }

    fn protocol(&self) -> Protocol {
        Protocol::Http
    }
}

impl fmt::Debug for Actix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Actix")
    }
}

impl RouteList for ringwall_actix::Routes {
    fn listed(&self) -> Vec<ListedRoute> {
        let list = |entry: &ringwall_actix::RouteEntry| {
            let name = format!("{} {}", entry.method, entry.path);
            ListedRoute::new(&name, entry.access.clone())
                .with_login(entry.authentication.clone())
                .with_demand(entry.demand.clone())
        };
        self.iter().map(list).collect()
    }
}

/// The same request in the words of actix-web, whose types are of another generation.
#[track_caller]
fn translated(request: http::Request<Bytes>) -> actix_http::Request {
    let (head, body) = request.into_parts();
    let what = "actix-web cannot express the request";
    let method = must(head.method.as_str().parse(), what);
    let mut translated = test::TestRequest::with_uri(&head.uri.to_string()).method(method);
    for (name, value) in &head.headers {
        let name = must(HeaderName::from_bytes(name.as_str().as_bytes()), what);
        let value = must(HeaderValue::from_bytes(value.as_bytes()), what);
        translated = translated.append_header((name, value));
    }
    if !body.is_empty() {
        translated = translated.set_payload(body);
    }
    let peer = head.extensions.get::<Peer>();
    if let Some(peer) = peer {
        translated = translated.peer_addr(peer.address());
    }
    let translated = translated.to_request();
    if let Some(peer) = peer {
        translated.extensions_mut().insert(peer.clone());
    }
    translated
}

/// The whole response.
async fn read(response: ServiceResponse<BoxBody>) -> Reply {
    let response = response.into_parts().1;
    let mut head = http::Response::builder().status(response.status().as_u16());
    for (name, value) in response.headers() {
        head = head.header(name.as_str(), value.as_bytes());
    }
    let mut body = response.into_body();
    let (mut bytes, mut broken) = (Vec::new(), None);
    while let Some(chunk) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => {
                broken = Some(error.to_string());
                break;
            }
        }
    }
    Reply {
        response: must(head.body(bytes.into()), "the response of actix-web"),
        trailers: http::HeaderMap::new(),
        broken,
    }
}
