//! A key set is read or refused, and says of each key what became of it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_jose::KeySet;

fuzz_target!(|data: &[u8]| {
    let Ok(builder) = KeySet::builder().document(data) else {
        return;
    };
    let Ok(set) = builder.build() else {
        return;
    };
    let document: serde_json::Value = serde_json::from_slice(data).expect("it was read");
    let keys = document["keys"].as_array().expect("it is a set");
    assert!(!set.is_empty());
    assert!(keys.len() <= KeySet::DEFAULT_MAX_KEYS);
    assert!(set.len() + set.refused().len() <= keys.len());
    assert!(set.refused().iter().all(|key| key.index < keys.len()));
    if let Some(sole) = set.find(None) {
        assert!(set.len() == 1 && set.refused().is_empty());
        assert!(!sole.algorithm().is_symmetric());
    }
    for key in keys {
        let Some(found) = key["kid"].as_str().and_then(|id| set.find(Some(id))) else {
            continue;
        };
        assert_eq!(found.id().map(|id| id.as_str()), key["kid"].as_str());
        assert!(!found.algorithm().is_symmetric());
    }
    let again = KeySet::builder()
        .document(data)
        .and_then(|builder| builder.build());
    let again = again.expect("the same document is read the same way");
    assert!(set.has_same_keys(&set) && set.has_same_keys(&again) && again.has_same_keys(&set));
    assert_eq!(set.refused(), again.refused());
    assert_ne!(set.generation(), again.generation());
});
