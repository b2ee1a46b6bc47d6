//! The cases of the area `credentials`, a file each.

pub mod replay;
