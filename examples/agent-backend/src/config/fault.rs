//! What is wrong with a configuration.

use core::fmt;

/// One thing that is missing or wrong. The texts never hold a value: a secret that was written
/// into the wrong line must not end up in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The setting, such as `tokens.issuer`.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) problem: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// Everything that is missing or wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(Fault {
            field: field.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn none_or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    #[cfg(test)]
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.0.iter().map(|fault| fault.field.as_str()).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let things = if count == 1 { "thing is" } else { "things are" };
        write!(
            f,
            "the service cannot start, {count} {things} missing or wrong:"
        )?;
        for Fault {
            field,
            problem,
            remedy,
        } in &self.0
        {
            write!(f, "\n  {field}: {problem}; {remedy}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Faults {}
