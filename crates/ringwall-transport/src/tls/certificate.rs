//! The own certificate and its key.

use core::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;

use super::dates::{self, Dates};
use super::error::{TlsFault, TlsProblem};
use super::part::{Pace, Part};
use super::pem::{self, Content, MAX_CHAIN, MAX_PEM_BYTES, Pem};

/// A chain, the key that belongs to its first certificate, and that certificate's dates.
pub(crate) struct OwnCertificate {
    key: Arc<CertifiedKey>,
    pub(crate) dates: Dates,
}

impl OwnCertificate {
    /// Reads a chain and its key. A certificate outside its dates is refused, unless it is the one
    /// that is `in_use`: time alone must not keep other changes from being taken over.
    pub(crate) fn parse(
        contents: &[Content],
        (chain_source, key_source): (&Pem, &Pem),
        provider: &CryptoProvider,
        now: i64,
        in_use: Option<&Self>,
    ) -> Result<Self, Vec<TlsProblem>> {
        let [chain, key] = contents else {
            return Err(Vec::new()); // a part reads as many contents as it has sources
        };
        let about_chain = |fault| TlsProblem::new(chain_source.name(), fault);
        let about_key = |fault| TlsProblem::new(key_source.name(), fault);
        let mut problems = Vec::new();
        let chain = match pem::certificates(chain.expose(), MAX_CHAIN) {
            Ok(chain) => Some(chain),
            Err(fault) => {
                problems.push(about_chain(fault));
                None
            }
        };
        let key = pem::key(key.expose()).and_then(|key| {
            provider
                .key_provider
                .load_private_key(key)
                .map_err(|_| TlsFault::UnusableKey)
        });
        let key = match key {
            Ok(key) => Some(key),
            Err(fault) => {
                problems.push(about_key(fault));
                None
            }
        };
        let dates = chain.as_deref().and_then(<[_]>::first).and_then(|leaf| {
            let facts = dates::facts(leaf);
            if facts.is_none() {
                problems.push(about_chain(TlsFault::MalformedCertificate));
            }
            facts.map(|facts| facts.dates)
        });
        if let Some(dates) = dates
            && in_use.is_none_or(|used| chain.as_ref() != Some(&used.key.cert))
        {
            if now > dates.not_after {
                problems.push(about_chain(TlsFault::Expired));
            }
            if now < dates.not_before {
                problems.push(about_chain(TlsFault::NotYetValid));
            }
        }
        let (Some(chain), Some(key), Some(dates)) = (chain, key, dates) else {
            return Err(problems);
        };
        let key = CertifiedKey::new(chain, key);
        // A key that cannot say its public part is not ours to guess about: ring's always can.
        if key.keys_match().is_err() {
            problems.push(about_key(TlsFault::KeyMismatch));
        }
        if problems.is_empty() {
            Ok(Self {
                key: Arc::new(key),
                dates,
            })
        } else {
            Err(problems)
        }
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }

    /// Presents this certificate whatever the other end asks for.
    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.key)))
    }
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificate")
            .field("dates", &self.dates)
            .finish_non_exhaustive()
    }
}

/// Where the own certificate and its key come from.
pub(crate) struct CertificatePart {
    chain: Pem,
    key: Pem,
    part: Part,
}

impl CertificatePart {
    pub(crate) fn new(chain: Pem, key: Pem) -> Self {
        let part = Part::new(vec![
            (chain.clone(), MAX_PEM_BYTES),
            (key.clone(), MAX_PEM_BYTES),
        ]);
        Self { chain, key, part }
    }

    pub(crate) const fn chain(&self) -> &Pem {
        &self.chain
    }

    pub(crate) const fn key(&self) -> &Pem {
        &self.key
    }

    /// The certificate, when the files are not what they were. What is wrong goes to `problems`.
    pub(crate) fn renewed(
        &mut self,
        pace: Pace,
        problems: &mut Vec<TlsProblem>,
        provider: &CryptoProvider,
        now: i64,
        in_use: Option<&OwnCertificate>,
    ) -> Option<OwnCertificate> {
        let (chain, key) = (&self.chain, &self.key);
        self.part.renewed(pace, problems, |contents| {
            OwnCertificate::parse(contents, (chain, key), provider, now, in_use)
        })
    }
}
