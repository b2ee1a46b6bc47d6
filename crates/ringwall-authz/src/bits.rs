//! Small sets of numbers.

/// A set of numbers below 64 × `WORDS`, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits<const WORDS: usize>([u64; WORDS]);

/// Roles of a policy.
pub(crate) type RoleBits = Bits<4>;

/// Scopes of a policy.
pub(crate) type ScopeBits = Bits<8>;

impl<const WORDS: usize> Bits<WORDS> {
    /// How many numbers there are.
    pub(crate) const CAPACITY: usize = WORDS * 64;

    pub(crate) const EMPTY: Self = Self([0; WORDS]);

    pub(crate) fn insert(&mut self, number: u16) {
        if let Some(word) = self.0.get_mut(usize::from(number >> 6)) {
            *word |= 1_u64 << (number & 63);
        }
    }

    pub(crate) fn remove(&mut self, number: u16) {
        if let Some(word) = self.0.get_mut(usize::from(number >> 6)) {
            *word &= !(1_u64 << (number & 63));
        }
    }

    pub(crate) fn contains(&self, number: u16) -> bool {
        self.0
            .get(usize::from(number >> 6))
            .is_some_and(|word| word & (1_u64 << (number & 63)) != 0)
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        self.zip(other, |left, right| left | right)
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |left, right| left & right)
    }

    pub(crate) fn contains_all(&self, other: &Self) -> bool {
        self.intersection(other) == *other
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(crate) fn first(&self) -> Option<u16> {
        self.iter().next()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        (0_u16..).zip(self.0).flat_map(|(index, word)| {
            let mut word = word;
            core::iter::from_fn(move || {
                if word == 0 {
                    return None;
                }
                let bit = u16::try_from(word.trailing_zeros()).unwrap_or(0);
                word &= word.wrapping_sub(1);
                Some((index << 6) | bit)
            })
        })
    }

    fn zip(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        let mut out = [0; WORDS];
        for ((out, left), right) in out.iter_mut().zip(self.0).zip(other.0) {
            *out = with(left, right);
        }
        Self(out)
    }
}

impl<const WORDS: usize> Default for Bits<WORDS> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const WORDS: usize> FromIterator<u16> for Bits<WORDS> {
    fn from_iter<I: IntoIterator<Item = u16>>(numbers: I) -> Self {
        let mut bits = Self::EMPTY;
        for number in numbers {
            bits.insert(number);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_put_in_and_nothing_else() {
        let numbers = [0, 1, 63, 64, 128, 255];
        let bits: RoleBits = numbers.into_iter().collect();
        assert_eq!(bits.iter().collect::<Vec<_>>(), numbers);
        assert!((0..300).all(|number| bits.contains(number) == numbers.contains(&number)));
        assert_eq!((bits.len(), bits.first()), (6, Some(0)));
        let other: RoleBits = [1, 2].into_iter().collect();
        assert_eq!(bits.intersection(&other).iter().collect::<Vec<_>>(), [1]);
        assert!(!bits.contains_all(&other) && bits.union(&other).contains_all(&other));
    }
}
