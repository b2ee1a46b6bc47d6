//! Sets of header fields, told apart as careless readers tell them apart.

/// Names of header fields. Two names are the same to this set when they are to somebody who tells
/// neither letters by their case nor `_` from `-`.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldNames(Box<[Box<str>]>);

impl FieldNames {
    /// The names, each once. Every request is held against them, field by field, so they are put in
    /// order: looking one up takes the logarithm of their number.
    pub(crate) fn new(mut names: Vec<Box<str>>) -> Self {
        names.sort_unstable_by(|one, other| folded(one).cmp(folded(other)));
        names.dedup_by(|one, other| folded(one).eq(folded(other)));
        Self(names.into())
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.0
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        let place = self
            .0
            .binary_search_by(|known| folded(known).cmp(folded(name)));
        place.is_ok()
    }
}

fn folded(name: &str) -> impl Iterator<Item = u8> + '_ {
    name.bytes().map(|byte| match byte {
        b'_' => b'-',
        _ => byte.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_under_every_spelling_and_no_other_name_is() {
        let all = ["x_b-c", "x-a", "x-b-c", "x-b", "~", "x-bb", "X-A"];
        let names = FieldNames::new(all.map(Box::from).to_vec());
        assert_eq!(names.names().len(), 5);
        for name in ["x-a", "X_A", "x-b_c", "X-B-C", "x_b_c", "x-b", "x_bb", "~"] {
            assert!(names.contains(name), "{name}");
        }
        for name in ["", "x", "x-", "x-c", "x-b-", "x-b-cc", "x_aa", "\u{e4}"] {
            assert!(!names.contains(name), "{name}");
        }
        assert!(!FieldNames::default().contains("x-a"));
    }
}
