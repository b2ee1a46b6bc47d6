//! Attributes that somebody told, by their places in the policy.

use core::fmt;

use crate::bits::Bits;
use crate::compile::shapes::MAX_ATTRIBUTES;
use crate::truth::Truth;
use crate::value::{Datum, Level, Mismatch, Type, Value};

/// An attribute that was told in a way that the policy does not know. It counts as unknown, so that a permit that
/// needs it does not apply, and a forbid that asks for it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeError {
    /// Whose: `subject`, `resource` or `context`.
    pub of: &'static str,
    /// Its name.
    pub attribute: Box<str>,
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Undeclared,
    Mismatch(Mismatch),
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ", self.of, self.attribute.escape_debug())?;
        match self.why {
            Why::Undeclared => f.write_str("is no attribute of this policy"),
            Why::Mismatch(mismatch) => fmt::Display::fmt(&mismatch, f),
        }
    }
}

impl std::error::Error for AttributeError {}

// Each attribute has its bit.
const _: () = assert!(MAX_ATTRIBUTES <= Bits::<1>::CAPACITY);

/// One value for each attribute that the policy has.
#[derive(Clone, Debug)]
pub(crate) struct Slots<'a> {
    values: Vec<Datum<'a>>,
    pub(crate) errors: Vec<AttributeError>,
    /// Those of which the last that was told is none of their type.
    broken: Bits<1>,
    /// Whether something was told that is no attribute: perhaps one of those that were not told, by a name that was
    /// misspelt.
    has_undeclared: bool,
    /// Those that were told, null or not.
    told: Bits<1>,
    /// What was told and does not fit this policy: it may fit another.
    misfits: Vec<(Box<str>, Value<'a>)>,
}

impl<'a> Slots<'a> {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            values: vec![Datum::Unknown; number],
            errors: Vec::new(),
            broken: Bits::EMPTY,
            has_undeclared: false,
            told: Bits::EMPTY,
            misfits: Vec::new(),
        }
    }

    pub(crate) fn misfits(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        self.misfits.iter().map(|(name, value)| (&**name, *value))
    }

    pub(crate) fn get(&self, place: u16) -> Datum<'_> {
        let value = self.values.get(usize::from(place));
        value.copied().unwrap_or(Datum::Unknown)
    }

    /// Whether there is a value: perhaps, when what was told is none of the type, and when nothing was told beside something
    /// that is no attribute.
    pub(crate) fn is_set(&self, place: u16) -> Truth {
        if self.get(place).is_known() {
            Truth::True
        } else if self.broken.contains(place) || (self.has_undeclared && !self.told.contains(place))
        {
            Truth::Unknown
        } else {
            Truth::False
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Whether it was told last as something of its type, or null.
    pub(crate) fn is_told_well(&self, place: u16) -> bool {
        self.told.contains(place) && !self.broken.contains(place)
    }

    /// Whether one of these was not told, unless by a name that was misspelt.
    pub(crate) fn has_perhaps(&self, asked: &Bits<1>) -> bool {
        self.has_undeclared && asked.iter().any(|place| !self.told.contains(place))
    }

    pub(crate) fn set(
        &mut self,
        of: &'static str,
        name: &str,
        found: Option<(u16, Type)>,
        levels: &[Level],
        value: Value<'a>,
    ) {
        if let Some((place, _)) = found {
            self.broken.remove(place);
            self.told.insert(place);
        }
        let outcome = match found {
            None => Err(Why::Undeclared),
            Some((place, kind)) => match Datum::new(value, kind, levels) {
                Ok(datum) => {
                    // A text that names no level of this policy; of another it may.
                    if !datum.is_known() && value != Value::Null {
                        self.broken.insert(place);
                        self.misfits.push((name.into(), value));
                    }
                    if let Some(slot) = self.values.get_mut(usize::from(place)) {
                        *slot = datum;
                    }
                    Ok(())
                }
                Err(mismatch) => {
                    // What stood there before is not what was told last.
                    if let Some(slot) = self.values.get_mut(usize::from(place)) {
                        *slot = Datum::Unknown;
                    }
                    self.broken.insert(place);
                    Err(Why::Mismatch(mismatch))
                }
            },
        };
        if let Err(why) = outcome {
            self.has_undeclared |= why == Why::Undeclared;
            self.misfits.push((name.into(), value));
            self.errors.push(AttributeError {
                of,
                attribute: name.into(),
                why,
            });
        }
    }
}
