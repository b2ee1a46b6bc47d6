//! Why metrics could not be put together.

/// A setting is out of its bounds. Nothing was built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number of sources that a [`BoundedEvents`](crate::BoundedEvents) cannot remember.
    #[error("events can be bounded for 1 to {limit} sources, not for {given}")]
    Sources {
        /// What was asked for.
        given: usize,
        /// The most.
        limit: usize,
    },
    /// More names than one label may take: each is a time series for ever.
    #[error("at most {limit} names can be watched for one metric")]
    TooMany {
        /// The most.
        limit: usize,
    },
    /// Two things of one kind have the same name, so their series could not be told apart.
    #[error("{name:?} is watched twice")]
    Repeated {
        /// The name, as the operator wrote it.
        name: String,
    },
    /// A name is empty or too long.
    #[error("a name has 1 to {limit} bytes")]
    Name {
        /// The most bytes.
        limit: usize,
    },
}
