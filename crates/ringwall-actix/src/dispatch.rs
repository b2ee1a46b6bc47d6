//! The methods of one path.

use core::future::Future;
use core::pin::Pin;

use actix_service::boxed::BoxService;
use actix_web::Error;
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse, always_ready};

use crate::endpoint::Verb;
use crate::guard::Factory;

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// The guarded endpoints of one path, in one worker. The last one answers what is left.
pub(crate) struct Methods {
    pub(crate) endpoints: Vec<(Verb, Factory)>,
    pub(crate) rest: Factory,
}

/// Answers each request by the endpoint of its method: `HEAD` by that of `GET`, unless it has one of
/// its own.
pub(crate) struct Dispatch {
    endpoints: Box<[(&'static str, Guarded)]>,
    rest: Guarded,
}

type Guarded = BoxService<ServiceRequest, ServiceResponse, Error>;

impl ServiceFactory<ServiceRequest> for Methods {
    type Response = ServiceResponse;
    type Error = Error;
    type Config = ();
    type Service = Dispatch;
    type InitError = ();
    type Future = Local<Result<Dispatch, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let make = |(verb, factory): &(Verb, Factory)| (*verb, factory.new_service(()));
        let endpoints: Vec<_> = self.endpoints.iter().map(make).collect();
        let rest = self.rest.new_service(());
        Box::pin(async move {
            let mut made = Vec::with_capacity(endpoints.len());
            for (verb, service) in endpoints {
                made.push((verb.name(), service.await?));
            }
            Ok(Dispatch {
                endpoints: made.into(),
                rest: rest.await?,
            })
        })
    }
}

impl Dispatch {
    fn find(&self, method: &str) -> Option<&Guarded> {
        let found = self.endpoints.iter().find(|(name, _)| *name == method);
        found.map(|(_, service)| service)
    }
}

impl Service<ServiceRequest> for Dispatch {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = Local<Result<ServiceResponse, Error>>;

    always_ready!();

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let method = request.method().as_str();
        let of_get = || self.find("GET").filter(|_| method == "HEAD");
        let service = self.find(method).or_else(of_get).unwrap_or(&self.rest);
        service.call(request)
    }
}
