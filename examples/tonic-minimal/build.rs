//! Makes the code of `proto/cases.proto`. protox reads the file, so no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["proto/cases.proto"], ["proto"])?;
    Ok(tonic_prost_build::configure()
        .build_client(false)
        .compile_fds(files)?)
}
