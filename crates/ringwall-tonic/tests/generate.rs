//! The generated code of `tests/proto/cases.proto` is committed, so that nobody needs a `protoc`, and
//! this holds it against what the generator makes of the file today.
//!
//! After a change of the file or of the generator, `RINGWALL_REGENERATE=1 cargo test -p ringwall-tonic
//! --test generate` writes it anew.

use std::path::Path;

#[test]
fn the_committed_code_is_what_the_generator_makes() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let committed = here.join("service/generated.rs");
    let proto = here.join("proto");
    let files = protox::compile([proto.join("cases.proto")], [proto]).expect("the file compiles");
    let folder = tempfile::tempdir().expect("a folder");
    tonic_prost_build::configure()
        .out_dir(folder.path())
        .compile_fds(files)
        .expect("code");
    let made = std::fs::read_to_string(folder.path().join("test.v1.rs")).expect("a file");
    if std::env::var_os("RINGWALL_REGENERATE").is_some() {
        std::fs::write(&committed, &made).expect("written");
    }
    let text = std::fs::read_to_string(&committed).expect("a file");
    assert!(
        text == made,
        "tests/service/generated.rs is not what the generator makes: run this test with \
         RINGWALL_REGENERATE=1 and commit the file"
    );
}
