//! What is accepted as a URL can be asked safely, and an issuer's metadata is on the issuer's host.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_core::profile::Profile;
use ringwall_jwks_client::{Endpoint, IssuerUrl};
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for profile in [Profile::Production, Profile::Development] {
        if let Ok(endpoint) = Endpoint::new(text, profile) {
            judge(text, &endpoint, profile);
            // What production accepts, development does.
            assert!(Endpoint::new(text, Profile::Development).is_ok());
        }
        if let Ok(issuer) = IssuerUrl::new(text, profile) {
            assert!(Endpoint::new(text, profile).is_ok());
            assert_eq!(
                &**issuer.as_str(),
                text,
                "an issuer is compared byte for byte"
            );
            stays_at_home(&issuer, profile);
        }
    }
});

fn judge(text: &str, endpoint: &Endpoint, profile: Profile) {
    assert!(text.len() <= Endpoint::MAX_BYTES);
    let url = Url::parse(endpoint.as_str()).expect("what was written is read again");
    assert_eq!(Url::parse(text).as_ref(), Ok(&url));
    let is_loopback = match url.host().expect("a host") {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    assert_eq!(endpoint.is_this_machine(), is_loopback);
    match url.scheme() {
        "https" => {}
        "http" => assert!(profile.is_development() && is_loopback),
        scheme => panic!("{scheme} was accepted"),
    }
    assert!(url.username().is_empty() && url.password().is_none());
    assert!(url.fragment().is_none());
    // Everybody who reads the text finds the host where we do.
    let (scheme, rest) = text.split_once("://").expect("an authority");
    assert!(scheme.eq_ignore_ascii_case(url.scheme()));
    assert!(!rest.starts_with('/') && !rest.contains('\\'));
    // What was accepted is accepted as it is written.
    if endpoint.as_str().len() <= Endpoint::MAX_BYTES {
        assert_eq!(
            Endpoint::new(endpoint.as_str(), profile).as_ref(),
            Ok(endpoint)
        );
    }
    // The query may be a secret of ours at the provider.
    if let Some(query) = url.query().filter(|query| query.len() > 8) {
        let mut shown = url.clone();
        shown.set_query(None);
        if !shown.as_str().contains(query) {
            assert!(!format!("{endpoint:?}").contains(query));
        }
    }
}

fn stays_at_home(issuer: &IssuerUrl, profile: Profile) {
    let home = Url::parse(issuer.as_str()).expect("an issuer is a URL");
    let Ok(locations) = issuer.metadata_locations() else {
        return;
    };
    for location in locations {
        let url = Url::parse(location.as_str()).expect("a location is a URL");
        assert_eq!(url.origin(), home.origin(), "{issuer:?} {location:?}");
        assert_eq!(location.profile(), profile);
        assert!(url.query().is_none());
    }
}
