//! An application under test, called in process.

use core::fmt;
use core::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use crate::kit::Kit;
use crate::request::TestRequest;

/// Calls an application of one framework in process: what `Kit::axum`, `Kit::actix` and `Kit::tonic`
/// make. Write one for a framework that they do not know, and hand it to [`Kit::app`].
///
/// # Contract
///
/// - The application gets the request as it is: method, path and header fields are not tidied up, or
///   tests of hostile ones prove nothing.
/// - A [`Peer`](ringwall_transport::Peer) among the request's extensions is the other end of the
///   connection: it goes where the adapter of the framework looks for it.
/// - The answer is read to its end.
pub trait Transport {
    /// The answer, when it is there.
    type Future: Future<Output = Reply>;

    /// Sends one request.
    fn call(&self, request: http::Request<Bytes>) -> Self::Future;

    /// How its applications say no.
    fn protocol(&self) -> Protocol;
}

/// How an application says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// By the status of the response.
    Http,
    /// By `grpc-status`, in the trailers or among the header fields.
    Grpc,
}

/// What an application answered, read to its end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The response with its whole body.
    pub response: Response<Bytes>,
    /// What came after the body.
    pub trailers: HeaderMap,
    /// Why the body broke off, if it did; what had come until then is the body.
    pub broken: Option<String>,
}

impl From<Response<Bytes>> for Reply {
    /// A reply without trailers whose body came whole.
    fn from(response: Response<Bytes>) -> Self {
        Self {
            response,
            trailers: HeaderMap::new(),
            broken: None,
        }
    }
}

/// An application and the [`Kit`] that its gate came from. Cloning shares both.
///
/// Make it with `Kit::axum`, `Kit::actix`, `Kit::tonic`, or [`Kit::app`].
pub struct App<T>(Arc<Inner<T>>);

struct Inner<T> {
    kit: Kit,
    transport: T,
}

impl<T: Transport> App<T> {
    pub(crate) fn new(kit: Kit, transport: T) -> Self {
        Self(Arc::new(Inner { kit, transport }))
    }

    /// Begins a `GET`. The path is sent as it stands, with its query.
    #[track_caller]
    pub fn get(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::GET, path)
    }

    /// Begins a `HEAD`.
    #[track_caller]
    pub fn head(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::HEAD, path)
    }

    /// Begins a `POST`.
    #[track_caller]
    pub fn post(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::POST, path)
    }

    /// Begins a `PUT`.
    #[track_caller]
    pub fn put(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::PUT, path)
    }

    /// Begins a `PATCH`.
    #[track_caller]
    pub fn patch(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::PATCH, path)
    }

    /// Begins a `DELETE`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::DELETE, path)
    }

    /// Begins an `OPTIONS`.
    #[track_caller]
    pub fn options(&self, path: &str) -> TestRequest<'_, T> {
        self.request(Method::OPTIONS, path)
    }

    /// Begins a request of any method.
    #[track_caller]
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_, T> {
        TestRequest::new(self, method, path)
    }

    /// The kit.
    #[must_use]
    pub fn kit(&self) -> &Kit {
        &self.0.kit
    }

    pub(crate) fn transport(&self) -> &T {
        &self.0.transport
    }
}

impl<T> Clone for App<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for App<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("kit", &self.0.kit)
            .finish_non_exhaustive()
    }
}
