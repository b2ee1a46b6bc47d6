//! What is read is what `serde_json` reads, and nothing is refused as syntax that it accepts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_jose::json::{Document, JsonError, Limits};

fuzz_target!(|data: &[u8]| {
    let theirs = serde_json::from_slice::<serde_json::Value>(data);
    match Document::parse(data.to_vec(), Limits::TOKEN) {
        Ok(document) => {
            let theirs = theirs.expect("nothing is accepted that serde_json refuses");
            let ours: serde_json::Value = document
                .root()
                .deserialize()
                .expect("every document is a value");
            assert_eq!(ours, theirs);
            assert_eq!(document.text().as_bytes(), data);
            if let Some(members) = document.root().as_object() {
                for (name, value) in members {
                    let found = document.root().get(name).expect("a member has its name");
                    assert_eq!(found.as_str(), theirs[name].as_str());
                    assert_eq!(value.as_u64(), theirs[name].as_u64());
                    assert_eq!(value.as_bool(), theirs[name].as_bool());
                    let length = value.as_array().map(Iterator::count);
                    assert_eq!(length, theirs[name].as_array().map(Vec::len));
                }
            }
        }
        Err(JsonError::Syntax | JsonError::Encoding) => assert!(theirs.is_err()),
        Err(_) => {}
    }
});
