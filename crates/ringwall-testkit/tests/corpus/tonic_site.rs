//! The methods of the corpus in tonic.
//!
//! The service is written as the generator writes it, without the generator: messages are plain bytes.

use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::net::SocketAddr;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::{Request as HttpRequest, Response as HttpResponse};
use ringwall_gate::authz::Duties;
use ringwall_gate::{Admitted, AuditScope, Gate};
use ringwall_tonic::{
    CurrentPrincipal, CurrentSubject, CurrentTenant, GuardedRoutes, GuardedServer, PermittedRows,
    authenticated, guard, optional, public, refusal, require_any_scope, require_scope,
};
use ringwall_transport::Peer;
use tokio::net::TcpListener;
use tokio_stream::{Stream, once};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, KeyAndValueRef};
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::{Request, Response, Status};
use tower::util::MapRequestLayer;
use tower_service::Service;

use crate::authorization::{Dossier, ROW, ReadDossier};
use crate::echo::{DENIAL, denial, echo, parts, said};
use crate::gates::{Bench, LARGE, step_up};

/// What gRPC puts in front of a message: it counts towards the limit of what a client may send.
pub(crate) const PREFIX: usize = 5;

/// Serves the methods behind the gate of `bench`.
pub(crate) async fn serve(bench: &Bench) -> SocketAddr {
    let routes = routes(&bench.gate).into_routes().expect("routes");
    let planted = bench.planted.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let plant = MapRequestLayer::new(move |mut request: HttpRequest<Body>| {
        let connection = request.extensions().get::<TcpConnectInfo>();
        let peer = connection.and_then(TcpConnectInfo::remote_addr);
        request.extensions_mut().insert(planted.clone());
        if let Some(peer) = peer {
            request.extensions_mut().insert(Peer::plain(peer));
        }
        request
    });
    let server = Server::builder().layer(plant).add_routes(routes);
    // Small frames that wait for each other would take most of the time.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

fn routes(gate: &Gate) -> GuardedRoutes {
    let probe = public().audit(AuditScope::DenialsOnly).permit_plain_http();
    let limit = u64::try_from(64_usize.saturating_add(PREFIX)).expect("fits");
    let cases = guard(Cases)
        .method("Get", require_scope("cases:read"))
        .method("List", require_scope("cases:read"))
        .method("Create", require_scope("cases:write").body_limit(limit))
        .method("Large", require_scope("cases:write").body_limit(LARGE))
        .method("Delete", require_scope("cases:delete").step_up(step_up()))
        .method("Either", require_any_scope(["cases:read", "cases:write"]))
        .method("Me", authenticated())
        .method("Optional", optional())
        .method("Public", public())
        .method("Health", probe)
        .method("Deny", public())
        .method("Misplaced", public())
        .method("Tenant", authenticated())
        .method("Watch", require_scope("cases:read"));
    let routes = GuardedRoutes::new(gate.clone());
    let routes = match gate.authorization() {
        Some(_) => routes.service(demanding()),
        None => routes,
    };
    routes
        .service(cases)
        .service(guard(Admin).every_method(require_scope("admin")))
        .public_service(Open)
}

/// The methods that demand something of the authorization policy.
fn demanding() -> GuardedServer<Ledgers> {
    guard(Ledgers)
        .method("Ledger", authenticated().require_role("manager"))
        .method(
            "Payments",
            authenticated().require_permission("read", "payment"),
        )
        .method(
            "Pay",
            authenticated().require_permission("write", "payment"),
        )
        .method(
            "Payroll",
            authenticated().require_permission("read", "payroll"),
        )
        .method("Vault", require_scope("vault:open").require_role("manager"))
        .method("Dossier", authenticated())
        .method("Feed", authenticated().require_role("manager"))
}

/// Every method that has a policy, and one that has none.
#[derive(Clone, Copy)]
struct Cases;

/// Methods for whoever the authorization policy permits.
#[derive(Clone, Copy)]
struct Ledgers;

/// Every method of its own is a plain one.
#[derive(Clone, Copy)]
struct Admin;

#[derive(Clone, Copy)]
struct Open;

impl NamedService for Cases {
    const NAME: &'static str = "corpus.v1.Cases";
}

impl NamedService for Admin {
    const NAME: &'static str = "corpus.v1.Admin";
}

impl NamedService for Ledgers {
    const NAME: &'static str = "corpus.v1.Ledgers";
}

impl NamedService for Open {
    const NAME: &'static str = "corpus.v1.Open";
}

type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

macro_rules! server {
    ($server:ident { $($path:literal => $method:ident,)+ }) => {
        impl Service<HttpRequest<Body>> for $server {
            type Response = HttpResponse<Body>;
            type Error = Infallible;
            type Future = Answering<Result<HttpResponse<Body>, Infallible>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
                Box::pin(async move {
                    Ok(match request.uri().path() {
                        $($path => Grpc::new(Plain).unary(Method::$method, request).await,)+
                        "/corpus.v1.Cases/Watch" | "/corpus.v1.Ledgers/Feed" => {
                            Grpc::new(Plain).server_streaming(Watch, request).await
                        }
                        _ => Status::unimplemented("").into_http(),
                    })
                })
            }
        }
    };
}

server!(Cases {
    "/corpus.v1.Cases/Get" => Show,
    "/corpus.v1.Cases/List" => Show,
    "/corpus.v1.Cases/Create" => Show,
    "/corpus.v1.Cases/Large" => Show,
    "/corpus.v1.Cases/Delete" => Show,
    "/corpus.v1.Cases/Either" => Show,
    "/corpus.v1.Cases/Me" => Me,
    "/corpus.v1.Cases/Optional" => Maybe,
    "/corpus.v1.Cases/Public" => Show,
    "/corpus.v1.Cases/Health" => Show,
    "/corpus.v1.Cases/Deny" => Deny,
    "/corpus.v1.Cases/Misplaced" => Me,
    "/corpus.v1.Cases/Tenant" => Tenant,
    "/corpus.v1.Cases/Forgotten" => Show,
});

server!(Ledgers {
    "/corpus.v1.Ledgers/Ledger" => Show,
    "/corpus.v1.Ledgers/Payments" => Show,
    "/corpus.v1.Ledgers/Pay" => Show,
    "/corpus.v1.Ledgers/Payroll" => Show,
    "/corpus.v1.Ledgers/Vault" => Show,
    "/corpus.v1.Ledgers/Dossier" => Dossier,
});

server!(Admin {
    "/corpus.v1.Admin/Show" => Show,
    "/corpus.v1.Admin/" => Show,
});

server!(Open {
    "/corpus.v1.Open/Show" => Show,
    "/corpus.v1.Open/a/b" => Show,
});

#[derive(Clone, Copy)]
enum Method {
    Show,
    Me,
    Maybe,
    Tenant,
    Deny,
    Dossier,
}

impl UnaryService<Bytes> for Method {
    type Response = String;
    type Future = Answering<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let method = *self;
        Box::pin(async move {
            if matches!(method, Self::Dossier) {
                dossier(&request).await?;
            }
            let mut answer = method.answer(&request).map(Response::new)?;
            for (name, value) in said(fields(&request)) {
                let name = AsciiMetadataKey::from_bytes(name.as_bytes()).expect("a name");
                let value = AsciiMetadataValue::try_from(value).expect("a value");
                answer.metadata_mut().append(name, value);
            }
            Ok(answer)
        })
    }
}

impl Method {
    fn answer(self, request: &Request<Bytes>) -> Result<String, Status> {
        match self {
            Self::Show | Self::Dossier => {}
            Self::Me => {
                let CurrentPrincipal(one) = CurrentPrincipal::from_request(request)?;
                let other = admitted(request)?.principal();
                if other.is_none_or(|other| other.subject != one.subject) {
                    return Err(Status::internal("two callers"));
                }
            }
            Self::Maybe => {
                let one = CurrentPrincipal::optional(request)?;
                let other = admitted(request)?.principal();
                if one.map(|one| one.0.subject.clone()) != other.map(|other| other.subject.clone())
                {
                    return Err(Status::internal("two callers"));
                }
            }
            Self::Tenant => {
                CurrentTenant::from_request(request)?;
            }
            Self::Deny => {
                let asked = request.metadata().get(DENIAL);
                return match asked.and_then(|value| denial(value.as_encoded_bytes())) {
                    Some(denial) => Err(refusal(&denial)),
                    None => Err(Status::internal("no such denial")),
                };
            }
        }
        Ok(echo(
            admitted(request)?,
            fields(request),
            request.get_ref().len(),
        ))
    }
}

/// Reads the row that the caller names, once the policy permits it.
async fn dossier(request: &Request<Bytes>) -> Result<(), Status> {
    let CurrentSubject(subject) = CurrentSubject::from_request(request).await?;
    let row = Dossier::named(
        request
            .metadata()
            .get(ROW)
            .map(|value| value.as_encoded_bytes()),
    );
    let PermittedRows(rows) = PermittedRows::<ReadDossier>::from_request(request).await?;
    let permit = subject.authorize::<ReadDossier>(&row, &Duties::none());
    permit.map_err(|denial| CurrentSubject::refuse(&denial))?;
    if rows.nothing().is_some() {
        return Err(Status::internal("a row is permitted, and no rows are"));
    }
    Ok(())
}

fn fields(request: &Request<Bytes>) -> impl Iterator<Item = (&str, &[u8])> {
    request.metadata().iter().map(|entry| match entry {
        KeyAndValueRef::Ascii(key, value) => (key.as_str(), value.as_encoded_bytes()),
        KeyAndValueRef::Binary(key, value) => (key.as_str(), value.as_encoded_bytes()),
    })
}

fn admitted(request: &Request<Bytes>) -> Result<&Admitted, Status> {
    let admitted = request.extensions().get::<Admitted>();
    admitted.ok_or_else(|| Status::internal("nobody was admitted"))
}

/// A method whose server streams.
#[derive(Clone, Copy)]
struct Watch;

impl ServerStreamingService<Bytes> for Watch {
    type Response = String;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;
    type Future = core::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let asked = request.metadata().get(DENIAL);
        let denial = asked.and_then(|value| denial(value.as_encoded_bytes()));
        let answer: Self::ResponseStream = match denial {
            None => Box::pin(parts()),
            // Not at once, but as what the stream ends with.
            Some(denial) => Box::pin(once(Err(refusal(&denial)))),
        };
        core::future::ready(Ok(Response::new(answer)))
    }
}

/// Messages that are plain bytes.
#[derive(Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = String;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}
