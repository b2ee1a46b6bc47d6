//! Bodies of `http`, as axum and tonic have them.

use core::fmt;

use bytes::{Buf as _, Bytes};
use http::Response;
use http_body::Body;
use http_body_util::BodyExt as _;

use crate::app::Reply;

/// The whole response, or as much of it as came.
pub(crate) async fn read<B>(response: Response<B>) -> Reply
where
    B: Body<Error: fmt::Display>,
{
    let (head, body) = response.into_parts();
    let mut body = core::pin::pin!(body);
    let mut bytes = Vec::new();
    let mut trailers = http::HeaderMap::new();
    let mut broken = None;
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(mut data)) => {
                let length = data.remaining();
                bytes.extend_from_slice(&data.copy_to_bytes(length));
            }
            Ok(Err(frame)) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            Err(error) => {
                broken = Some(error.to_string());
                break;
            }
        }
    }
    Reply {
        response: Response::from_parts(head, Bytes::from(bytes)),
        trailers,
        broken,
    }
}
