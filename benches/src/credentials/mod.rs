//! The cases of the area `credentials`, a file each.

pub mod api_keys;
pub mod dpop;
pub mod events;
pub mod replay;
