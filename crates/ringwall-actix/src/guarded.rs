//! An app that was built, ready for each worker.

use core::fmt;
use core::future::ready;
use std::sync::Arc;

use actix_web::dev::{AppService, HttpServiceFactory, ServiceRequest, fn_service};
use actix_web::web::{self, ServiceConfig};
use ringwall_core::denial::Denial;
use ringwall_gate::Door;

use crate::dispatch::Methods;
use crate::endpoint::Verb;
use crate::guard::{Factory, Guard, refuse};
use crate::template::Template;

/// Routes that were built, every one of them behind its door: what
/// [`GuardedApp::build`](crate::GuardedApp::build) gives. Build it once, hand it to each worker, and
/// register it there by [`configure`](Self::configure). Cloning shares it.
#[derive(Clone)]
pub struct Guarded(Arc<Plan>);

/// What is registered, in the order in which it is tried.
pub(crate) struct Plan {
    pub(crate) places: Vec<Place>,
    pub(crate) fallback: Behind,
}

/// One path, or one prefix.
pub(crate) enum Place {
    Path {
        template: Template,
        endpoints: Vec<(Verb, Behind)>,
        rest: Behind,
    },
    Service {
        template: Template,
        behind: Behind,
    },
    Config {
        template: Template,
        door: Door,
        configure: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
    },
}

/// What makes a service behind a door, in each worker.
pub(crate) type Behind = Arc<dyn Fn() -> Factory + Send + Sync>;

/// What refuses whoever came through `door`: an unknown path, a method that the path does not have.
pub(crate) fn refuses(denial: Denial, door: Door) -> Behind {
    Arc::new(move || Guard(door.clone()).around(fn_service(refusing(denial.clone()))))
}

fn refusing(
    denial: Denial,
) -> impl Fn(
    ServiceRequest,
) -> core::future::Ready<Result<actix_web::dev::ServiceResponse, actix_web::Error>>
+ Clone {
    move |request| ready(Ok(refuse(&denial, request)))
}

impl Guarded {
    pub(crate) fn new(plan: Plan) -> Self {
        Self(Arc::new(plan))
    }

    /// Registers all routes and the fallback, each behind its door, in one worker:
    /// `App::new().configure(guarded.configure())`.
    ///
    /// What is registered beside it (`App::route`, `App::service`) is *not* behind a door and serves
    /// everybody, and a `default_service` that is set afterwards takes the place of the fallback.
    /// Middleware of the `App` is welcome, and sees requests before the gate does; one that needs to
    /// know who is calling belongs behind the door ([`Endpoint::wrap`](crate::Endpoint::wrap)).
    pub fn configure(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let plan = Arc::clone(&self.0);
        move |config| {
            config.default_service((plan.fallback)());
            config.service(Registered(plan));
        }
    }
}

/// The plan as something that actix-web registers.
struct Registered(Arc<Plan>);

impl HttpServiceFactory for Registered {
    fn register(self, app: &mut AppService) {
        for place in &self.0.places {
            place.register(app);
        }
    }
}

impl Place {
    pub(crate) const fn template(&self) -> &Template {
        match self {
            Self::Path { template, .. }
            | Self::Service { template, .. }
            | Self::Config { template, .. } => template,
        }
    }

    fn register(&self, app: &mut AppService) {
        let template = self.template();
        match self {
            Self::Path {
                endpoints, rest, ..
            } => {
                let make = |(verb, behind): &(Verb, Behind)| (*verb, behind());
                let methods = Methods {
                    endpoints: endpoints.iter().map(make).collect(),
                    rest: rest(),
                };
                let guards = vec![Box::new(template.as_received()) as _];
                app.register_service(template.definition(), Some(guards), methods, None);
            }
            Self::Service { behind, .. } => {
                let guards = vec![Box::new(template.as_received()) as _];
                app.register_service(template.definition(), Some(guards), behind(), None);
            }
            Self::Config {
                door, configure, ..
            } => {
                // The scope's own fallback, or a request for nothing would go through the door of
                // the unknown paths too, and be recorded twice.
                web::scope(template.text())
                    .guard(template.as_received())
                    .default_service(fn_service(refusing(Denial::NotFound)))
                    .configure(|config| configure(config))
                    .wrap(Guard(door.clone()))
                    .register(app);
            }
        }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.0.places.iter().map(|place| place.template().text());
        f.debug_struct("Guarded")
            .field("paths", &texts.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
