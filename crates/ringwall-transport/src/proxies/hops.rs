//! The way from the socket back to the client, one hop after the other.

use core::net::IpAddr;

use ringwall_core::request::HeaderLookup;

use super::networks::Networks;

/// The most entries that are read, and so the most field lines that are kept: each has one entry at
/// least, be it an empty one.
pub(super) const MAX_HOPS: usize = 32;

/// One entry of a forwarding field: what one proxy said of the peer that it spoke with.
pub(super) trait Hop<'a>: Sized {
    /// The longest entry in bytes, the white space around it included.
    const MAX_BYTES: usize;

    /// Where the comma before the last entry stands in `tail`, the last bytes of a field line.
    fn comma(tail: &[u8]) -> Option<usize>;

    /// Reads an entry, without white space around it. `None` when its form is not permitted.
    fn read(entry: &'a [u8]) -> Option<Self>;

    /// The address of the peer that the proxy spoke with, if the entry says it.
    fn address(&self) -> Option<IpAddr>;
}

/// Where the way ends.
pub(super) enum End<H> {
    /// There is no way: the field is absent.
    Absent,
    /// At the entry that names the client, or that should.
    Client(H),
    /// Nobody knows: the entry that should name the client is malformed, or too far away.
    Unknown,
}

/// Walks from the right end to the first entry that is not itself a trusted proxy. What stands left of
/// it is not looked at, whatever it is.
pub(super) fn walk<'a, H: Hop<'a>>(
    networks: &Networks,
    headers: &'a dyn HeaderLookup,
    name: &str,
) -> End<H> {
    let lines = Lines::of(headers, name);
    let mut end = End::Absent;
    let mut hops: usize = 0;
    for line in lines.last_first() {
        let mut rest = Some(line);
        while let Some(text) = rest {
            hops = hops.saturating_add(1);
            if hops > MAX_HOPS {
                return End::Unknown;
            }
            let Some((before, entry)) = split_last::<H>(text) else {
                return End::Unknown;
            };
            let Some(hop) = H::read(trimmed(entry)) else {
                return End::Unknown;
            };
            let is_proxy = hop
                .address()
                .is_some_and(|address| networks.contains(address));
            if !is_proxy {
                return End::Client(hop);
            }
            end = End::Client(hop);
            rest = before;
        }
    }
    // More lines than were kept are more entries than are read.
    if lines.are_cut { End::Unknown } else { end }
}

/// Splits the last entry off. `None` when it is longer than permitted: a comma is not searched for
/// further left than that, however long the line is.
fn split_last<'a, H: Hop<'a>>(text: &'a [u8]) -> Option<(Option<&'a [u8]>, &'a [u8])> {
    let skipped = text
        .len()
        .saturating_sub(H::MAX_BYTES)
        .saturating_sub(','.len_utf8());
    let (head, tail) = text.split_at_checked(skipped)?;
    match H::comma(tail) {
        Some(comma) => {
            let (before, from_comma) = text.split_at_checked(head.len().checked_add(comma)?)?;
            let (_, entry) = from_comma.split_first()?;
            Some((Some(before), entry))
        }
        None if text.len() <= H::MAX_BYTES => Some((None, text)),
        None => None,
    }
}

/// Without optional white space around it, which is spaces and tabs (RFC 9110 §5.6.3).
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut text = text;
    while let Some((first, rest)) = text.split_first()
        && is_blank(first)
    {
        text = rest;
    }
    while let Some((last, rest)) = text.split_last()
        && is_blank(last)
    {
        text = rest;
    }
    text
}

/// The last lines of a field, the very last first.
struct Lines<'a> {
    kept: [&'a [u8]; MAX_HOPS],
    count: usize,
    /// Whether there were more.
    are_cut: bool,
}

impl<'a> Lines<'a> {
    fn of(headers: &'a dyn HeaderLookup, name: &str) -> Self {
        let mut lines = Self {
            kept: [&[]; MAX_HOPS],
            count: 0,
            are_cut: false,
        };
        headers.visit(name, &mut |value| {
            if lines.count == MAX_HOPS {
                lines.are_cut = true;
            } else {
                lines.count = lines.count.saturating_add(1);
            }
            // The first of them falls off at the end.
            lines.kept.rotate_right(1);
            if let Some(place) = lines.kept.first_mut() {
                *place = value;
            }
        });
        lines
    }

    fn last_first(&self) -> impl Iterator<Item = &'a [u8]> {
        self.kept.iter().take(self.count).copied()
    }
}
