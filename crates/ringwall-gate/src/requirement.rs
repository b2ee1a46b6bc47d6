//! What the login behind a caller must be like.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Authentication, ContextClass};

use crate::error::Error;

/// The most context classes of one route: the challenge lists them all.
const MAX_CLASSES: usize = 16;

/// The shortest permitted age. Logins are told in whole seconds and tokens take a moment to travel,
/// so less than this would refuse each fresh login too, and send its client around for ever.
const LEAST_MAX_AGE: Duration = Duration::from_secs(1);

/// The longest permitted age, the same as the longest life of a token: above it the limit says
/// nothing.
const MOST_MAX_AGE: Duration = Duration::from_secs(366 * 24 * 3600);

/// How far ahead of ours an issuer's clock may be when it tells the time of a login. Beyond that
/// the time says nothing about how long ago it was.
const SKEW: Duration = Duration::from_secs(60);

/// How well and how recently the person behind a caller must have been authenticated (RFC 9470).
///
/// It names authentication context classes of which any one will do, or how long ago the login may
/// be, or both. A requirement that demands nothing cannot be made.
///
/// What a credential does not say satisfies nothing: a token without `acr` has no class, one
/// without `auth_time` no age. Tokens that a service got for itself, API keys and certificates have
/// neither, since nobody logged in.
///
/// ```
/// use std::time::Duration;
/// use ringwall_gate::AuthenticationRequirement;
///
/// # fn main() -> Result<(), ringwall_gate::Error> {
/// // A second factor, used within the last five minutes.
/// let requirement = AuthenticationRequirement::acr_values(["urn:example:mfa"])?
///     .with_max_age(Duration::from_secs(300))?;
/// assert_eq!(requirement.to_string(), "acr urn:example:mfa, at most 300 s old");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationRequirement {
    classes: Arc<[ContextClass]>,
    max_age: Option<Duration>,
}

/// Why a caller does not meet a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// No decision could be reached.
    Clock,
    /// A fresh login can help. The cause is for operators.
    Login(&'static str),
}

impl AuthenticationRequirement {
    /// Demands one of these authentication context classes, whichever: they are compared byte for
    /// byte, since only the issuer knows which of its classes is the stronger one. At most 16, the
    /// preferred one first.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidContextClass`] when a text is not one, [`Error::ContextClasses`] when there
    /// is none, or more than 16.
    pub fn acr_values<I>(classes: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        let classes = classes
            .into_iter()
            .take(MAX_CLASSES.saturating_add(1))
            .map(|class| ContextClass::new(class).map_err(|_| Error::InvalidContextClass))
            .collect::<Result<Arc<[_]>, _>>()?;
        if classes.is_empty() || classes.len() > MAX_CLASSES {
            return Err(Error::ContextClasses);
        }
        Ok(Self {
            classes,
            max_age: None,
        })
    }

    /// Demands a login that is at most `max_age` ago: whole seconds, a fraction is cut off, so that
    /// what the challenge says is what is enforced.
    ///
    /// # Errors
    ///
    /// [`Error::MaxAge`] below one second or above 366 days.
    pub fn max_age(max_age: Duration) -> Result<Self, Error> {
        Self {
            classes: [].into(),
            max_age: None,
        }
        .with_max_age(max_age)
    }

    /// Demands, beside its class, that the login is at most `max_age` ago.
    ///
    /// # Errors
    ///
    /// As [`AuthenticationRequirement::max_age`].
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, Error> {
        if max_age < LEAST_MAX_AGE || max_age > MOST_MAX_AGE {
            return Err(Error::MaxAge);
        }
        self.max_age = Some(Duration::from_secs(max_age.as_secs()));
        Ok(self)
    }

    /// The context classes of which any one will do. Empty when every class will.
    #[must_use]
    pub fn context_classes(&self) -> &[ContextClass] {
        &self.classes
    }

    /// How long ago the login may be. `None` when its age does not matter.
    #[must_use]
    pub const fn longest_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Whether the login meets this. The time is asked for only when it matters.
    pub(crate) fn check(
        &self,
        login: &Authentication,
        now: impl FnOnce() -> Option<Timestamp>,
    ) -> Result<(), Shortfall> {
        let demands_class = !self.classes.is_empty();
        let has_class = login
            .context_class
            .as_ref()
            .is_some_and(|class| self.classes.contains(class));
        if demands_class && !has_class {
            return Err(Shortfall::Login(
                "the caller's login is not of a context class that the route demands",
            ));
        }
        let Some(max_age) = self.max_age else {
            return Ok(());
        };
        let Some(login) = login.authenticated_at else {
            return Err(Shortfall::Login(
                "the route limits the age of logins, and the caller's is not known",
            ));
        };
        let now = now().ok_or(Shortfall::Clock)?;
        if login.saturating_since(now) > SKEW {
            return Err(Shortfall::Login("the caller's login lies in the future"));
        }
        if now.saturating_since(login) > max_age {
            return Err(Shortfall::Login(
                "the caller's login is longer ago than the route permits",
            ));
        }
        Ok(())
    }
}

/// Such as `acr gold silver, at most 300 s old`.
impl fmt::Display for AuthenticationRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.classes.is_empty() {
            f.write_str("acr")?;
        }
        for class in &*self.classes {
            write!(f, " {class}")?;
        }
        let Some(max_age) = self.max_age else {
            return Ok(());
        };
        if !self.classes.is_empty() {
            f.write_str(", ")?;
        }
        write!(f, "at most {} s old", max_age.as_secs())
    }
}
