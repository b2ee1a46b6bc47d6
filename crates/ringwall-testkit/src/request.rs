//! A request on its way.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use pin_project_lite::pin_project;
use ringwall_transport::Peer;
use serde::Serialize;

use crate::answer::Answer;
use crate::app::{App, Protocol, Reply, Transport};
use crate::caller::{Caller, Credentials};
use crate::certificate::FakeCertificate;
use crate::exchange::{Before, Sent};
use crate::failure::{fail, must};
use crate::impersonation::HEADER as PRINCIPAL;
use crate::token::Token;

/// For whom requests are, unless they say another `Host`.
const AUTHORITY: &str = "api.test";

/// From where requests come: an address that can belong to nobody (RFC 5737).
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000);

/// A request of an [`App`]. It is sent by awaiting it, and asked what its route demands by methods
/// such as [`needs_scope`](Self::needs_scope).
///
/// It comes from nobody until [`as_user`](Self::as_user) or [`with`](Self::with) says from whom, over TLS
/// and from 192.0.2.1.
#[must_use = "a request does nothing until it is awaited"]
pub struct TestRequest<'a, T> {
    pub(crate) app: &'a App<T>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// `None` until the test says one.
    pub(crate) body: Option<Bytes>,
    pub(crate) peer: Peer,
    /// Such as `over plain HTTP`.
    pub(crate) connection: Option<String>,
    /// Who sends it, and on whom the assertions build.
    pub(crate) caller: Caller,
    pub(crate) asked_at: &'static Location<'static>,
}

impl<'a, T: Transport> TestRequest<'a, T> {
    #[track_caller]
    pub(crate) fn new(app: &'a App<T>, method: Method, path: &str) -> Self {
        Self {
            app,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: None,
            peer: Peer::tls(CLIENT, None),
            connection: None,
            caller: Caller::new(app.kit()),
            asked_at: Location::caller(),
        }
    }

    /// Sends it as a person, by a good token with these scopes and no tenant.
    #[track_caller]
    pub fn as_user<'s>(self, subject: &str, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let token = self.app.kit().token(subject).scopes(scopes);
        self.with(token)
    }

    /// Sends it as a service, by a good token of its own with these scopes and no tenant.
    #[track_caller]
    pub fn as_service<'s>(self, subject: &str, scopes: impl IntoIterator<Item = &'s str>) -> Self {
        let token = self.app.kit().token(subject).of_a_service();
        self.with(token.scopes(scopes))
    }

    /// Sends it as an agent that acts for `subject`, by a good token with these scopes and no tenant.
    #[track_caller]
    pub fn as_agent<'s>(
        self,
        agent: &str,
        subject: &str,
        scopes: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        let token = self.app.kit().token(subject).actor(agent);
        self.with(token.scopes(scopes))
    }

    /// Sends it with these credentials: a [`TokenDraft`], a [`Token`], a [`PrincipalDraft`] or a
    /// [`VerifiedPrincipal`].
    ///
    /// A token goes into `Authorization: Bearer`. A principal takes a way that only a gate of this kit
    /// knows, so whatever reads claims has none.
    ///
    /// [`TokenDraft`]: crate::TokenDraft
    /// [`PrincipalDraft`]: crate::PrincipalDraft
    /// [`VerifiedPrincipal`]: ringwall_core::principal::VerifiedPrincipal
    pub fn with(mut self, credentials: impl Into<Credentials>) -> Self {
        self.caller = self.caller.with(credentials.into());
        self
    }

    /// Lets the caller act in this organisation.
    #[track_caller]
    pub fn in_org(mut self, org: &str) -> Self {
        self.caller = self.caller.in_org(org);
        self
    }

    /// Lets the caller act in this project of the organisation.
    #[track_caller]
    pub fn in_project(mut self, project: &str) -> Self {
        self.caller = self.caller.in_project(project);
        self
    }

    /// Adds a header field. Said twice, it stands there twice.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed = HeaderName::try_from(name);
        let name = must(parsed, &format!("the test says the header field {name:?}"));
        let value = must(HeaderValue::from_bytes(value.as_bytes()), "its value");
        self.headers.append(name, value);
        self
    }

    /// Sets the body, and the `Content-Length` to match unless another is said.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the body to `value` as JSON, and the `Content-Type` to say so.
    #[track_caller]
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        self.body = Some(must(serde_json::to_vec(value), "the body is no JSON").into());
        let json = HeaderValue::from_static("application/json");
        self.headers.insert(CONTENT_TYPE, json);
        self
    }

    /// Sends it from this address, over TLS.
    #[track_caller]
    pub fn from_address(self, address: &str) -> Self {
        let address: IpAddr = must(
            address.parse(),
            &format!("the test says the address {address:?}"),
        );
        let peer = Peer::tls(SocketAddr::new(address, CLIENT.port()), None);
        self.from_peer(peer)
    }

    /// Sends it over plain HTTP, from the address said before.
    pub fn over_plain_http(self) -> Self {
        let peer = Peer::plain(self.peer.address());
        self.from_peer(peer)
    }

    /// Sends it over TLS with a client certificate, from the address said before.
    pub fn with_certificate(self, certificate: &FakeCertificate) -> Self {
        let about = format!("with the {certificate}");
        let peer = Peer::tls(self.peer.address(), Some(certificate.peer()));
        let mut request = self.from_peer(peer);
        request.connection = Some(about);
        request
    }

    /// Sends it over a connection with this other end.
    pub fn from_peer(mut self, peer: Peer) -> Self {
        let over = match peer.scheme() {
            Some("https") => "over TLS",
            Some(_) => "over plain HTTP",
            None => "over a connection of which nothing is known",
        };
        self.connection = Some(format!("from {}, {over}", peer.address().ip()));
        self.peer = peer;
        self
    }

    /// Another one like it, for assertions that send many.
    pub(crate) fn again(&self) -> Self {
        Self {
            app: self.app,
            method: self.method.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            peer: self.peer.clone(),
            connection: self.connection.clone(),
            caller: self.caller.clone(),
            asked_at: self.asked_at,
        }
    }

    /// Such as `GET /cases`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Sends it as `credentials` say. The answer remembers what was sent.
    #[track_caller]
    pub(crate) fn send_as(&self, credentials: &Credentials) -> Sending<T::Future> {
        let mut headers = self.headers.clone();
        let mut about = Vec::new();
        match credentials {
            Credentials::Nobody => {}
            Credentials::Draft(draft) => about.push(present(&mut headers, &draft.issue())),
            Credentials::Token(token) => about.push(present(&mut headers, token)),
            Credentials::Principal(draft) => {
                let number = self.app.kit().register(draft.verified());
                headers.append(PRINCIPAL, HeaderValue::from(number));
                about.push(format!("as {draft} (vouched for by the test)"));
            }
            Credentials::Verified(principal) => {
                let number = self.app.kit().register(principal.clone());
                headers.append(PRINCIPAL, HeaderValue::from(number));
                let kind = principal.kind.as_str();
                about.push(format!(
                    "as {kind} {} (vouched for by the test)",
                    principal.subject
                ));
            }
        }
        self.send(headers, about)
    }

    /// Sends it with these header fields, which `about` puts into words.
    #[track_caller]
    pub(crate) fn send(
        &self,
        mut headers: HeaderMap,
        mut about: Vec<String>,
    ) -> Sending<T::Future> {
        let uri = match Uri::try_from(self.path.as_str()) {
            Ok(uri) if self.path.starts_with('/') => uri,
            Ok(_) | Err(_) => fail(&format!(
                "{:?} is not a path: it begins with `/` and holds no spaces",
                self.path
            )),
        };
        let shown = self
            .headers
            .iter()
            .filter(|(name, _)| *name != AUTHORIZATION);
        about.extend(
            shown.map(|(name, value)| {
                format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
            }),
        );
        if self.headers.contains_key(AUTHORIZATION) {
            about.push("authorization: (a value of the test's own)".to_owned());
        }
        about.extend(self.connection.clone());
        let protocol = self.app.transport().protocol();
        complete(&mut headers, self.body.as_ref(), protocol);
        let body = self.body.clone().unwrap_or_else(|| match protocol {
            Protocol::Http => Bytes::new(),
            // One message of which every field is unset.
            Protocol::Grpc => Bytes::from_static(&[0; 5]),
        });
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(self.peer.clone());
        let kit = self.app.kit();
        Sending {
            before: Some(Before::now(kit)),
            sent: Some(Sent {
                line: self.line(),
                about,
                protocol,
            }),
            kit: kit.clone(),
            reply: self.app.transport().call(request),
        }
    }
}

/// Adds what every client sends, unless the test said it.
fn complete(headers: &mut HeaderMap, body: Option<&Bytes>, protocol: Protocol) {
    let mut field = |name, value| {
        headers.entry(name).or_insert(value);
    };
    match protocol {
        Protocol::Http => {
            field(HOST, HeaderValue::from_static(AUTHORITY));
            if let Some(body) = body {
                field(CONTENT_LENGTH, HeaderValue::from(body.len()));
            }
        }
        Protocol::Grpc => {
            field(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            field(TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// Puts a token where clients put it; answers how that reads.
fn present(headers: &mut HeaderMap, token: &Token) -> String {
    // A token is base64url and dots.
    if let Ok(value) = HeaderValue::try_from(token.authorization()) {
        headers.append(AUTHORIZATION, value);
    }
    format!("authorization: Bearer ({})", token.about)
}

impl<'a, T: Transport> IntoFuture for TestRequest<'a, T> {
    type Output = Answer;
    type IntoFuture = Sending<T::Future>;

    #[track_caller]
    fn into_future(self) -> Sending<T::Future> {
        self.send_as(&self.caller.sends())
    }
}

impl<T> fmt::Debug for TestRequest<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A request that was sent: the future of its [`Answer`].
    #[must_use = "a request does nothing until it is awaited"]
    pub struct Sending<F> {
        #[pin]
        reply: F,
        kit: crate::Kit,
        before: Option<Before>,
        sent: Option<Sent>,
    }
}

impl<F: Future<Output = Reply>> Future for Sending<F> {
    type Output = Answer;

    /// Like a fused future, it stays pending after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let this = self.project();
        if this.sent.is_none() {
            return Poll::Pending;
        }
        let reply = ready!(this.reply.poll(context));
        match (this.sent.take(), this.before.take()) {
            (Some(sent), Some(before)) => {
                Poll::Ready(Answer::new(sent, reply, before.until_now(this.kit)))
            }
            (_, _) => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for Sending<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
