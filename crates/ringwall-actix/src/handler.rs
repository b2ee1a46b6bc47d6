//! A handler as a service.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::{Error, FromRequest, Handler, HttpMessage as _, HttpResponse, Responder};

use crate::extract::{Misuse, Unauthorized};
use crate::refusal::{mistake, refusal};

/// Runs the extractors and the handler, as actix-web does; and if one of them asks who is calling where nobody looked, or
/// the authorization policy refused the caller, the handler does not run, whatever `Option<T>` made of it. The guard sees
/// why, and answers.
pub(crate) async fn answer<H, Args>(
    handler: H,
    request: ServiceRequest,
) -> Result<ServiceResponse, Error>
where
    H: Handler<Args>,
    Args: FromRequest,
    H::Output: Responder,
{
    let (request, mut payload) = request.into_parts();
    let extracted = Args::from_request(&request, &mut payload).await;
    if request.extensions().contains::<Misuse>() {
        return Ok(ServiceResponse::new(request, mistake()));
    }
    let denied = request.extensions().get::<Unauthorized>().cloned();
    if let Some(Unauthorized(denial)) = denied {
        return Ok(ServiceResponse::new(request, refusal(&denial)));
    }
    if request.version() == Version::HTTP_2 {
        // A body that nobody took is let go before the handler runs, and not after it: h2 0.3 queues
        // empty frames of one without a bound (RUSTSEC-2026-0258).
        drop(payload.take());
    }
    let response = match extracted {
        Ok(args) => {
            let output = handler.call(args).await;
            output.respond_to(&request).map_into_boxed_body()
        }
        Err(error) => HttpResponse::from_error(error),
    };
    Ok(ServiceResponse::new(request, response))
}
