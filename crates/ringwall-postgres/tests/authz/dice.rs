//! A generator of numbers, and the values that everything random is made of: the same for the same seed.

/// A small generator of numbers (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it fits")
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of `all`, or nothing a quarter of the time.
    pub(crate) fn some<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let value = *self.of(all);
        self.chance(75).then_some(value)
    }
}

pub(crate) const TEXTS: [&str; 9] = ["a", "b", "B", "ä", "", "a b", "o'x", "%", "\\"];
pub(crate) const LEVELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];
/// A level of the policy's own.
pub(crate) const TIERS: [&str; 3] = ["low", "mid", "high"];
pub(crate) const KINDS: [&str; 4] = ["user", "service", "agent", "api_key"];
pub(crate) const NUMBERS: [i64; 6] = [-1, 0, 1, 7, i64::MIN, i64::MAX];
pub(crate) const UUIDS: [&str; 3] = [
    "00000000-0000-0000-0000-000000000000",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];
pub(crate) const ROLES: [&str; 4] = ["admin", "manager", "analyst", "viewer"];
pub(crate) const ACTIONS: [&str; 4] = ["read", "create", "update", "delete"];

/// A time in microseconds, and as PostgreSQL reads it.
pub(crate) const TIMES: [(i64, &str); 6] = [
    (-1, "1969-12-31T23:59:59.999999Z"),
    (1_767_225_600_000_000, "2026-01-01T00:00:00Z"),
    (1_767_225_600_000_001, "2026-01-01T00:00:00.000001Z"),
    (1_906_545_600_000_000, "2030-06-01T12:00:00Z"),
    // RFC 3339 has a year 0000, and PostgreSQL has none.
    (-62_162_121_600_000_000, "0001-02-29T00:00:00Z BC"),
    (253_402_300_800_000_000, "10000-01-01T00:00:00Z"),
];
/// How many of them RFC 3339 can write, and PostgreSQL read.
pub(crate) const PLAIN_TIMES: usize = 4;
