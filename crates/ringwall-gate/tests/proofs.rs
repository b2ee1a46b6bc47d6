//! Proofs cannot be forged: what must not compile does not.

#[cfg(test)]
mod tests {
    #[test]
    fn proofs_cannot_be_made_outside_the_gate() {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    }
}
