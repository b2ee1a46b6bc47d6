//! Keys of development issuers, which are never among those of another one.

use ringwall_jose::KeySet;

use crate::dev_issuer;

/// Whether the key of some development issuer is in the set, by the id that all of them have.
///
/// A service does not start on such keys. When one arrives later, with a copied file or an issuer that
/// publishes it, it is too late to stop quietly: nobody's token is judged until the keys are right again,
/// every request is answered 503, and the readiness probe says so. The gate is told by
/// [`Services::key_guard`](ringwall_gate::config::Services::key_guard).
pub(crate) fn is_development(keys: &KeySet) -> bool {
    keys.find(Some(dev_issuer::KEY_ID)).is_some()
}
