//! axum routers, called in process.

use core::fmt;
use core::future::Future;
use core::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::Request;
use ringwall_transport::Peer;
use tower::util::ServiceExt as _;

use crate::app::{App, Protocol, Reply, Transport};
use crate::body;
use crate::kit::Kit;
use crate::sweep::{ListedRoute, RouteList};

/// An axum router, called in process.
#[derive(Clone)]
pub struct Axum(Router);

impl Kit {
    /// An axum router that is called in process. Build it with [`gate`](Self::gate), by the function that
    /// `main` calls too.
    ///
    /// Connections leave what `into_make_service_with_connect_info` would, so handlers may ask for
    /// `ConnectInfo<SocketAddr>`.
    pub fn axum(&self, router: Router) -> App<Axum> {
        self.app(Axum(router))
    }
}

impl Transport for Axum {
    type Future = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn call(&self, mut request: Request<Bytes>) -> Self::Future {
        let router = self.0.clone();
        if let Some(address) = request.extensions().get().map(Peer::address) {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        Box::pin(async move {
            let response = match router.oneshot(request.map(Body::from)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            body::read(response).await
        })
    }

    fn protocol(&self) -> Protocol {
        Protocol::Http
    }
}

impl fmt::Debug for Axum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Axum")
    }
}

impl RouteList for ringwall_axum::Routes {
    fn listed(&self) -> Vec<ListedRoute> {
        let list = |entry: &ringwall_axum::RouteEntry| {
            let name = format!("{} {}", entry.method, entry.path);
            ListedRoute::new(&name, entry.access.clone())
                .with_login(entry.authentication.clone())
                .with_demand(entry.demand.clone())
        };
        self.iter().map(list).collect()
    }
}
