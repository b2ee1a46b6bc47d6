//! The settings, as data: for the guide, for commands that explain them, for tests.

mod bound;
mod issuers;
mod keys;
mod limits;
mod rights;
mod service;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    name: &'static str,
    form: &'static str,
    unless_set: &'static str,
    meaning: &'static str,
}

impl Setting {
    /// The name, such as `tokens.issuer`. A level in capital letters stands for names that people choose.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What is written, such as `text` or `list of texts`.
    #[must_use]
    pub const fn form(&self) -> &'static str {
        self.form
    }

    /// What holds unless it is set.
    #[must_use]
    pub const fn unless_set(&self) -> &'static str {
        self.unless_set
    }

    /// What it is for.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Whether it is a secret.
    pub(super) fn is_secret(&self) -> bool {
        self.form == SECRET
    }

    /// The environment variable, such as `RINGWALL__TOKENS__ISSUER`.
    #[must_use]
    pub fn variable(&self, prefix: &str) -> String {
        let levels = self.name.split('.').map(str::to_ascii_uppercase);
        core::iter::once(prefix.to_owned())
            .chain(levels)
            .collect::<Vec<_>>()
            .join("__")
    }
}

const fn setting(
    name: &'static str,
    form: &'static str,
    unless_set: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting {
        name,
        form,
        unless_set,
        meaning,
    }
}

const TEXT: &str = "text";
const TEXTS: &str = "list of texts";
const FLAG: &str = "true or false";
const SECRET: &str = "secret";

/// Every setting, in the order of the guide.
pub const SETTINGS: &[Setting] = &joined::<COUNT>(&PARTS);

const PARTS: [&[Setting]; 6] = [
    service::SETTINGS,
    issuers::SETTINGS,
    bound::SETTINGS,
    keys::SETTINGS,
    rights::SETTINGS,
    limits::SETTINGS,
];

const COUNT: usize = count(&PARTS);

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated while this crate is compiled, of tables of ours; what is out of bounds does not compile"
)]
const fn count(parts: &[&[Setting]]) -> usize {
    let (mut part, mut count) = (0, 0);
    while part < parts.len() {
        count += parts[part].len();
        part += 1;
    }
    count
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated while this crate is compiled, of tables of ours; what is out of bounds does not compile"
)]
const fn joined<const N: usize>(parts: &[&[Setting]]) -> [Setting; N] {
    let mut all = [setting("", TEXT, "", ""); N];
    let (mut part, mut next) = (0, 0);
    while part < parts.len() {
        let mut place = 0;
        while place < parts[part].len() {
            all[next] = parts[part][place];
            place += 1;
            next += 1;
        }
        part += 1;
    }
    all
}
