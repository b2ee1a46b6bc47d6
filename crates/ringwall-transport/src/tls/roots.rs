//! Roots and revocation lists: what another's certificate is checked against.

use core::fmt;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use super::dates;
use super::error::{TlsFault, TlsProblem};
use super::pem::{self, Content, MAX_LIST_BYTES, MAX_LISTS, MAX_PEM_BYTES, MAX_ROOTS, Pem};

/// Where roots and revocation lists come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct RootSources {
    pub(crate) roots: Vec<Pem>,
    pub(crate) lists: Vec<Pem>,
    pub(crate) revocation: Revocation,
}

/// What is loosened by name about revocation lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// A list counts although its next update is overdue.
    pub(crate) outdated: bool,
    /// A certificate counts although no list of its issuer is there.
    pub(crate) missing: bool,
}

impl RootSources {
    /// Each source with the bytes that it may have: the roots first.
    pub(crate) fn sources(&self) -> Vec<(Pem, usize)> {
        let roots = self.roots.iter().map(|pem| (pem.clone(), MAX_PEM_BYTES));
        let lists = self.lists.iter().map(|pem| (pem.clone(), MAX_LIST_BYTES));
        roots.chain(lists).collect()
    }
}

/// Roots and revocation lists, parsed. Two are equal when they accept the same certificates.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Roots {
    roots: BTreeSet<Vec<u8>>,
    lists: BTreeSet<Vec<u8>>,
    pub(crate) revocation: Revocation,
    /// The seconds from which on a list is out of date, if that counts.
    pub(crate) edges: Vec<i64>,
    /// Whether a root is outside its dates now.
    pub(crate) has_old_root: bool,
}

impl Roots {
    /// Reads what `contents` holds for `sources`, in the same order.
    pub(crate) fn parse(
        sources: &RootSources,
        contents: &[Content],
        now: i64,
    ) -> Result<Self, Vec<TlsProblem>> {
        let mut problems = Vec::new();
        let mut parsed = Self {
            roots: BTreeSet::new(),
            lists: BTreeSet::new(),
            revocation: sources.revocation,
            edges: Vec::new(),
            has_old_root: false,
        };
        if sources.roots.is_empty() {
            problems.push(TlsProblem::new("roots", TlsFault::NoRoots));
        }
        let (roots, lists) = contents
            .split_at_checked(sources.roots.len())
            .unwrap_or((contents, &[]));
        for (source, content) in sources.roots.iter().zip(roots) {
            if let Err(fault) = parsed.add_roots(content.expose(), now) {
                problems.push(TlsProblem::new(source.name(), fault));
            }
        }
        for (source, content) in sources.lists.iter().zip(lists) {
            if let Err(fault) = parsed.add_lists(content.expose()) {
                problems.push(TlsProblem::new(source.name(), fault));
            }
        }
        if problems.is_empty() {
            Ok(parsed)
        } else {
            Err(problems)
        }
    }

    fn add_roots(&mut self, text: &[u8], now: i64) -> Result<(), TlsFault> {
        let room = MAX_ROOTS.saturating_sub(self.roots.len());
        for root in pem::certificates(text, room)? {
            let facts = dates::facts(&root).ok_or(TlsFault::MalformedCertificate)?;
            // Webpki does not look: it takes the key of any root for that of an authority. A leaf
            // pinned as a root could issue certificates for whomever it likes.
            if !facts.is_authority {
                return Err(TlsFault::NotAnAuthority);
            }
            RootCertStore::empty()
                .add(root.clone())
                .map_err(|_| TlsFault::MalformedCertificate)?;
            if now > facts.dates.not_after || now < facts.dates.not_before {
                self.has_old_root = true;
            }
            self.roots.insert(root.to_vec());
        }
        Ok(())
    }

    fn add_lists(&mut self, text: &[u8]) -> Result<(), TlsFault> {
        let room = MAX_LISTS.saturating_sub(self.lists.len());
        for list in pem::revocation_lists(text, room)? {
            // Rustls refuses lists without a next update, as RFC 5280 §5.1.2.5 does.
            let end = dates::next_update(&list).ok_or(TlsFault::MalformedRevocationList)?;
            if !self.revocation.outdated {
                self.edges.push(end);
            }
            self.lists.insert(list.to_vec());
        }
        Ok(())
    }

    /// The roots as rustls keeps them.
    pub(crate) fn store(&self) -> Arc<RootCertStore> {
        let mut store = RootCertStore::empty();
        // Each was added alone before.
        let roots = self
            .roots
            .iter()
            .map(|root| CertificateDer::from(root.as_slice()));
        store.add_parsable_certificates(roots);
        Arc::new(store)
    }

    /// The revocation lists as rustls takes them.
    pub(crate) fn lists(&self) -> impl Iterator<Item = CertificateRevocationListDer<'static>> {
        self.lists
            .iter()
            .map(|list| CertificateRevocationListDer::from(list.clone()))
    }

    /// When the first of the lists is out of date, if that counts.
    pub(crate) fn first_edge(&self) -> Option<i64> {
        self.edges.iter().min().copied()
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots")
            .field("roots", &self.roots.len())
            .field("lists", &self.lists.len())
            .field("revocation", &self.revocation)
            .finish_non_exhaustive()
    }
}
