//! From when until when a certificate, a chain or a verdict holds.

use ringwall_core::clock::Timestamp;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

/// The dates of one certificate in seconds since the epoch, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Dates {
    /// The end as a time. Every date of a certificate (year 9999 at most) is in range.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp::from_unix_seconds(self.not_after)
            .unwrap_or(Timestamp::from_unix_micros(i64::MAX))
    }

    /// Whether less than a fifth of its life is left: certificates are renewed after half or two
    /// thirds of it, whether they live for an hour or for a year.
    pub(crate) fn is_ending(self, now: i64) -> bool {
        let life = self.not_after.saturating_sub(self.not_before);
        let left = self.not_after.saturating_sub(now);
        left.saturating_mul(5) < life
    }
}

/// What is read of a certificate beside rustls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) dates: Dates,
    /// Whether it says that it is an authority's.
    pub(crate) is_authority: bool,
}

/// `None` when it cannot be parsed.
pub(crate) fn facts(certificate: &[u8]) -> Option<Facts> {
    let (rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let validity = parsed.validity();
    Some(Facts {
        dates: Dates {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        },
        is_authority: parsed.is_ca(),
    })
}

/// When a revocation list is out of date, or `None` when it cannot be parsed or does not say so.
pub(crate) fn next_update(list: &[u8]) -> Option<i64> {
    let (_, parsed) = CertificateRevocationList::from_der(list).ok()?;
    parsed.next_update().map(|time| time.timestamp())
}

/// The seconds at which a verdict about `chain` may change: when a certificate begins, and the first
/// second after it ended (RFC 5280 §4.1.2.5: both dates are inclusive). `None` when a certificate of
/// it cannot be parsed, so that nobody can tell.
pub(crate) fn edges(chain: &[Vec<u8>]) -> Option<Box<[i64]>> {
    let mut edges = Vec::with_capacity(chain.len().saturating_mul(2));
    for certificate in chain {
        let dates = facts(certificate)?.dates;
        edges.push(dates.not_before);
        edges.push(dates.not_after.saturating_add(1));
    }
    Some(edges.into())
}

/// Seconds within which a verdict stays the same: `from` inclusive, `until` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Window {
    /// The seconds around `now` up to the nearest edge on either side.
    pub(crate) fn around<'a>(now: i64, edges: impl Iterator<Item = &'a i64>) -> Self {
        let mut window = Self {
            from: i64::MIN,
            until: i64::MAX,
        };
        for &edge in edges {
            if edge <= now {
                window.from = window.from.max(edge);
            } else {
                window.until = window.until.min(edge);
            }
        }
        window
    }

    /// The second `now` alone.
    pub(crate) const fn only(now: i64) -> Self {
        Self {
            from: now,
            until: now.saturating_add(1),
        }
    }

    pub(crate) const fn covers(self, now: i64) -> bool {
        self.from <= now && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_the_nearest_edges() {
        let edges = [10, 20, 30];
        for (now, from, until) in [
            (9, i64::MIN, 10),
            (10, 10, 20),
            (19, 10, 20),
            (20, 20, 30),
            (30, 30, i64::MAX),
        ] {
            let window = Window::around(now, edges.iter());
            assert_eq!(window, Window { from, until }, "{now}");
            assert!(window.covers(now));
            assert!(!window.covers(until) && !window.covers(from.saturating_sub(1)) || now == 9);
        }
        assert!(Window::only(5).covers(5) && !Window::only(5).covers(6));
    }

    #[test]
    fn a_certificate_is_ending_in_the_last_fifth_of_its_life() {
        let dates = Dates {
            not_before: 0,
            not_after: 100,
        };
        assert!(!dates.is_ending(80) && dates.is_ending(81) && dates.is_ending(200));
    }

    #[test]
    fn bytes_after_a_certificate_make_it_none() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        let mut der = params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .to_vec();
        assert!(facts(&der).is_some());
        der.push(0);
        assert!(facts(&der).is_none());
    }

    #[test]
    fn what_cannot_be_parsed_has_no_dates() {
        assert!(facts(b"no certificate").is_none());
        assert!(edges(&[b"no certificate".to_vec()]).is_none());
        assert!(next_update(b"no list").is_none());
    }
}
