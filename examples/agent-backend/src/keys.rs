//! The keys of the outside issuer, which are never those of a development issuer.

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::step::Step;
use ringwall_jose::{Health, KeySet, KeySetRef, KeySource, KeysUnavailable};

use crate::dev_issuer;

/// When a caller may come back while a development key lies among the outside ones.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Keys from a watched file or from afar, as long as no development key is among them.
///
/// A service does not start on such keys. When the key arrives later, with a copied file or an
/// issuer that publishes it, it is too late to stop quietly: nobody's token is judged until the
/// keys are right again, every request is answered 503, and the readiness probe says so.
#[derive(Clone, Debug)]
pub(crate) struct OutsideKeys(Arc<dyn KeySource>);

impl OutsideKeys {
    pub(crate) fn new(keys: impl KeySource + 'static) -> Self {
        Self(Arc::new(keys))
    }

    fn checked(&self) -> Result<KeySetRef, KeysUnavailable> {
        let keys = self.0.keys()?;
        if is_development(&keys) {
            return Err(KeysUnavailable {
                retry_after: RETRY_AFTER,
            });
        }
        Ok(keys)
    }
}

/// Whether the key of some development issuer is in the set, by the id that all of them have.
pub(crate) fn is_development(keys: &KeySet) -> bool {
    keys.find(Some(dev_issuer::KEY_ID)).is_some()
}

impl KeySource for OutsideKeys {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        self.checked()
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        self.checked().map(|keys| keys.generation())
    }

    fn refresh(&self, missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        // What was looked for may not be there, and the development key may be there now.
        match self.0.refresh(missing) {
            Step::Done(found) => Step::Done(self.checked().and(found)),
            Step::Wait(looking) => {
                let keys = self.clone();
                Step::wait(async move {
                    let found = looking.await;
                    keys.checked().and(found)
                })
            }
        }
    }

    fn health(&self) -> Health {
        match self.checked() {
            Ok(_) => self.0.health(),
            Err(_) => Health::Unavailable,
        }
    }
}

/// No keys at all: for a policy that is judged before there are any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoKeys;

impl NoKeys {
    const UNAVAILABLE: KeysUnavailable = KeysUnavailable {
        retry_after: RETRY_AFTER,
    };
}

impl KeySource for NoKeys {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        Err(Self::UNAVAILABLE)
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        Err(Self::UNAVAILABLE)
    }

    fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        Step::Done(Err(Self::UNAVAILABLE))
    }

    fn health(&self) -> Health {
        Health::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use ringwall_authn::{SigningKey, TokenIssuer};
    use ringwall_jose::{Algorithm, FileKeys};

    use super::*;

    #[test]
    fn a_development_key_that_arrives_later_stops_everything_until_it_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::Es256).expect("random bytes");
        let key = SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8).expect("a key");
        let outside = TokenIssuer::new("https://issuer.example", key).jwks();
        let development = dev_issuer::open_or_create(dir.path()).expect("made").jwks();
        let path = dir.path().join("jwks.json");
        std::fs::write(&path, &outside).expect("written");
        let file = FileKeys::builder(&path).open().expect("good keys");
        let keys = OutsideKeys::new(file.clone());
        assert_eq!(keys.health(), Health::Fresh);

        std::fs::write(&path, &development).expect("written");
        file.reload().expect("well-formed keys");
        assert!(keys.keys().is_err() && keys.generation().is_err());
        assert_eq!(keys.health(), Health::Unavailable);

        std::fs::write(&path, &outside).expect("written");
        file.reload().expect("good keys");
        assert!(keys.keys().is_ok());
        assert_eq!(keys.health(), Health::Fresh);
    }
}
