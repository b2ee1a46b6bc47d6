//! Metadata is read for the issuer that it is of and for no other, and a fault is named as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_core::profile::Profile;
use ringwall_jwks_client::{Endpoint, IssuerUrl, MetadataError, ProviderMetadata};
use serde_json::Value;

/// Asked for too, whatever the document says: the issuer of most seeds.
const CONFIGURED: &str = "https://issuer.example";

/// A document that is written anew can be longer than it was. Ours is read up to 256 KiB.
const MAX_AGAIN: usize = 128 * 1024;

fuzz_target!(|data: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(data).ok();
    let claimed = theirs
        .as_ref()
        .and_then(|document| document["issuer"].as_str());
    let claimed = claimed.unwrap_or_default().to_owned();
    let with_a_slash = format!("{claimed}/");
    for name in [CONFIGURED, &claimed, &with_a_slash] {
        for profile in [Profile::Production, Profile::Development] {
            if let Ok(issuer) = IssuerUrl::new(name, profile) {
                judge(data, theirs.as_ref(), &issuer, profile);
            }
        }
    }
});

fn judge(data: &[u8], theirs: Option<&Value>, issuer: &IssuerUrl, profile: Profile) {
    let verdict = ProviderMetadata::parse(data.to_vec(), issuer);
    if verdict == Err(MetadataError::Json) {
        // More is refused than `serde_json` does: members that are there twice, for one.
        return;
    }
    let theirs = theirs.expect("nothing is read that serde_json refuses");
    let is_its_own = theirs["issuer"].as_str() == Some(&**issuer.as_str());
    // What development permits is for issuers on this machine.
    let home = Endpoint::new(issuer.as_str(), profile).expect("an issuer is a URL");
    let reach = match home.is_this_machine() {
        true => profile,
        false => Profile::Production,
    };
    let url = theirs["jwks_uri"]
        .as_str()
        .and_then(|url| Endpoint::new(url, reach).ok());
    match (&verdict, url) {
        (Ok(metadata), Some(url)) => {
            assert!(is_its_own, "metadata of another issuer");
            assert_eq!(*metadata.jwks_uri(), url);
            let text = url.as_str();
            let is_local = reach.is_development() && url.is_this_machine();
            assert!(text.starts_with("https://") || (is_local && text.starts_with("http://")));
            assert_eq!(Endpoint::new(text, reach).as_ref(), Ok(&url));
        }
        (Err(MetadataError::JwksUri), None) => assert!(is_its_own),
        (Err(MetadataError::Issuer), _) => assert!(!is_its_own),
        (verdict, url) => panic!("{verdict:?} of {url:?}"),
    }
    let again = serde_json::to_vec(theirs).expect("a value can be written");
    if again.len() <= MAX_AGAIN {
        assert_eq!(ProviderMetadata::parse(again, issuer), verdict);
    }
}
