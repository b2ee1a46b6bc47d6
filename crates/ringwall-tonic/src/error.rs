//! Why routes cannot be built.

/// Why routes cannot be built. Every variant is a fault of the program, found at start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that was to be a scope is none (RFC 6749 §3.3).
    #[error("the method {method} demands a scope that cannot exist")]
    InvalidScope {
        /// The method.
        method: String,
    },
    /// A method was told two things that exclude each other, such as to be public and to demand a
    /// scope or a login.
    #[error("the method {method} contradicts itself about who may use it")]
    Contradiction {
        /// The method.
        method: String,
    },
    /// A method was given two policies, or a service two policies for all its methods.
    #[error("the method {method} is registered twice")]
    Duplicate {
        /// The method.
        method: String,
    },
    /// A text is not the bare name of a method: it is empty, or has other characters than ASCII
    /// letters, digits, `_`, `-` and `.`.
    #[error("{name:?} is not the name of a method")]
    InvalidMethod {
        /// The text.
        name: String,
    },
    /// A service's name would not be matched letter by letter.
    #[error("{name:?} is not the name of a service")]
    InvalidService {
        /// The name.
        name: String,
    },
    /// Two services have the same name.
    #[error("the service {service} is registered twice")]
    DuplicateService {
        /// The name.
        service: String,
    },
    /// A method is bound to rate limits that cannot hold for it (its tier does not exist, or counts nobody whom the
    /// method is open to), or demands of the gate's authorization policy what cannot be asked of it.
    #[error("the method {method}: {fault}")]
    Limits {
        /// The method.
        method: String,
        /// Why.
        fault: ringwall_gate::Error,
    },
}
