//! The response body: the service's own, or a refusal's.

use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use ringwall_gate::Lease;

use crate::leased::Leased;

/// Any error, as bodies have it.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

pin_project! {
    /// The body of a guarded service's response: the service's own, or a refusal's.
    #[derive(Debug)]
    pub struct GateBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProject]
    #[derive(Debug)]
    enum Kind<B> {
        Service { #[pin] body: B },
        Leased { #[pin] body: Leased<B> },
        Refusal { body: Full<Bytes> },
    }
}

impl<B: Body> GateBody<B> {
    /// The body of a service; one that goes on ends with `lease`.
    pub(crate) fn service(body: B, lease: Option<Lease>) -> Self {
        let kind = match lease {
            Some(lease) if Leased::is_needed(&body) => Kind::Leased {
                body: Leased::new(body, lease),
            },
            Some(_) | None => Kind::Service { body },
        };
        Self { kind }
    }
}

impl<B> GateBody<B> {
    pub(crate) fn refusal(body: Bytes) -> Self {
        Self {
            kind: Kind::Refusal {
                body: Full::new(body),
            },
        }
    }
}

impl<B> Default for GateBody<B> {
    /// No body: for a layer in front that answers by itself.
    fn default() -> Self {
        Self::refusal(Bytes::new())
    }
}

impl<B> Body for GateBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProject::Service { body } => body.poll_frame(context).map_err(Into::into),
            KindProject::Leased { body } => body.poll_frame(context),
            KindProject::Refusal { body } => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            Kind::Leased { body } => body.is_end_stream(),
            Kind::Refusal { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            Kind::Leased { body } => body.size_hint(),
            Kind::Refusal { body } => body.size_hint(),
        }
    }
}
