//! Which paths are clear enough to decide about.
//!
//! A path that two programs may read in two ways is an old way around a gate: the proxy in front
//! normalises `/public/../admin`, the router behind does not, and each of them is sure that the
//! other one checked. This module removes the question instead of answering it: such a path is
//! refused (400) at every door, public ones included, whoever asks.
//!
//! | refused | because |
//! |---|---|
//! | no leading `/`; `?`, `#`, space, control or non-ASCII characters | not an absolute path (RFC 3986 §3.3) |
//! | an empty segment (`//`) | often merged on the way |
//! | `.` and `..` as segments, also `%2e`, also before a `;` | resolved on the way (RFC 3986 §5.2.4; `..;` by servlet containers) |
//! | `\` and `%5c` | read as `/` by some |
//! | `%2f` | read as `/` by some; the owner may permit it by name |
//! | `%00`–`%1f`, `%7f` | cut strings, split log lines |
//! | `%` without two hex digits, an invalid UTF-8 sequence once decoded | decoders disagree (overlong `%c0%af`) |
//! | any of the above encoded twice or thrice; anything encoded more often | somebody behind may decode twice |
//! | more than 8,192 bytes | bounded everything |
//!
//! A `;` by itself passes: no router that stands behind this gate gives it a meaning, so
//! `/admin;x` is another route than `/admin`, or none. A trailing `/` passes for the same reason.

/// The longest path, in bytes: what common proxies take for a whole request line.
const MAX_BYTES: usize = 8192;

/// How often an escape may be nested. Nobody honest nests at all; twice leaves room for values
/// that are themselves URLs.
const MAX_ROUNDS: usize = 3;

const NOT_ABSOLUTE: &str = "the path is not an absolute path";
const TOO_LONG: &str = "the path is too long";
const NOT_A_PATH_CHARACTER: &str = "the path holds a character that must be encoded";
const EMPTY_SEGMENT: &str = "the path has an empty segment";
const DOT_SEGMENT: &str = "the path has a dot segment";
const BACKSLASH: &str = "the path holds a backslash";
const ENCODED_SLASH: &str = "the path holds an encoded slash";
const ENCODED_CONTROL: &str = "the path holds an encoded control character";
const BAD_ESCAPE: &str = "the path holds a malformed escape";
const BAD_UTF8: &str = "the path is not UTF-8 once decoded";
const NESTED: &str = "the path is encoded too many times";

/// Checks `raw` as received; the error is the cause, for operators.
pub(crate) fn check(method: &str, raw: &str, encoded_slashes: bool) -> Result<(), &'static str> {
    if raw == "*" && method == "OPTIONS" {
        return Ok(()); // RFC 9110 §9.3.7: about the server as a whole
    }
    let Some(rest) = raw.strip_prefix('/') else {
        return Err(NOT_ABSOLUTE);
    };
    if raw.len() > MAX_BYTES {
        return Err(TOO_LONG);
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(EMPTY_SEGMENT);
        }
        check_segment(segment, encoded_slashes)?;
    }
    Ok(())
}

fn check_segment(segment: &str, encoded_slashes: bool) -> Result<(), &'static str> {
    let mut escaped = false;
    for byte in segment.bytes() {
        match byte {
            b'%' => escaped = true,
            b'\\' => return Err(BACKSLASH),
            b'?' | b'#' => return Err(NOT_A_PATH_CHARACTER),
            _ if byte.is_ascii_graphic() => {}
            _ => return Err(NOT_A_PATH_CHARACTER),
        }
    }
    if is_dots(segment.as_bytes()) {
        return Err(DOT_SEGMENT);
    }
    if escaped {
        check_escapes(segment, encoded_slashes)?;
    }
    Ok(())
}

/// Decodes until nothing changes, and judges every reading on the way.
fn check_escapes(segment: &str, encoded_slashes: bool) -> Result<(), &'static str> {
    let mut bytes = decode(segment.as_bytes(), true)?.ok_or(BAD_ESCAPE)?;
    core::str::from_utf8(&bytes).map_err(|_| BAD_UTF8)?;
    check_decoded(&bytes, encoded_slashes)?;
    for _ in 1..MAX_ROUNDS {
        match decode(&bytes, false)? {
            None => return Ok(()),
            Some(again) => bytes = again,
        }
        core::str::from_utf8(&bytes).map_err(|_| BAD_UTF8)?;
        check_decoded(&bytes, false)?;
    }
    match decode(&bytes, false)? {
        None => Ok(()),
        Some(_) => Err(NESTED),
    }
}

fn check_decoded(bytes: &[u8], encoded_slashes: bool) -> Result<(), &'static str> {
    for byte in bytes {
        match byte {
            0..=0x1f | 0x7f => return Err(ENCODED_CONTROL),
            b'\\' => return Err(BACKSLASH),
            b'/' if !encoded_slashes => return Err(ENCODED_SLASH),
            _ => {}
        }
    }
    if bytes.split(|byte| *byte == b'/').any(is_dots) {
        return Err(DOT_SEGMENT);
    }
    Ok(())
}

/// `.` or `..`, with or without parameters.
fn is_dots(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next();
    matches!(name, Some(b"." | b".."))
}

/// `None` when there was nothing to decode. In what was received (`strict`) every `%` must begin
/// an escape; in what came out of a decoder, one that does not is a plain percent sign.
fn decode(bytes: &[u8], strict: bool) -> Result<Option<Vec<u8>>, &'static str> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut changed = false;
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        if let [high, low, after @ ..] = tail
            && let Some(byte) = hex(*high, *low)
        {
            decoded.push(byte);
            rest = after;
            changed = true;
        } else if strict {
            return Err(BAD_ESCAPE);
        } else {
            decoded.push(b'%');
        }
    }
    Ok(changed.then_some(decoded))
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = (digit(high)? << 4) | digit(low)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(raw: &str) -> Option<&'static str> {
        check("GET", raw, false).err()
    }

    #[test]
    fn passes_ordinary_paths() {
        for raw in [
            "/",
            "/api/cases",
            "/api/cases/",
            "/a;v=1/b",
            "/.well-known/jwks.json",
            "/a/...",
            "/file%2etxt",
            "/a%20b",
            "/100%25",
            "/%E2%82%AC",
            "/a@b:c!$&'()*+,=~",
            "/%7Btemplate%7D",
            "/a%2541",
            "/a%25E2%2582%25AC",
        ] {
            assert_eq!(refused(raw), None, "{raw}");
        }
        assert_eq!(check("OPTIONS", "*", false), Ok(()));
    }

    #[test]
    fn refuses_what_two_programs_may_read_in_two_ways() {
        let cases = [
            ("", NOT_ABSOLUTE),
            ("*", NOT_ABSOLUTE),
            ("api", NOT_ABSOLUTE),
            ("http://x/", NOT_ABSOLUTE),
            ("//", EMPTY_SEGMENT),
            ("//api", EMPTY_SEGMENT),
            ("/api//cases", EMPTY_SEGMENT),
            ("/api//", EMPTY_SEGMENT),
            ("/.", DOT_SEGMENT),
            ("/..", DOT_SEGMENT),
            ("/a/./b", DOT_SEGMENT),
            ("/a/../b", DOT_SEGMENT),
            ("/a/..;/b", DOT_SEGMENT),
            ("/a/.;x=1/b", DOT_SEGMENT),
            ("/a/%2e%2E/b", DOT_SEGMENT),
            ("/a/.%2e", DOT_SEGMENT),
            ("/a/%2e", DOT_SEGMENT),
            ("/a/..%3b/b", DOT_SEGMENT),
            ("/a/%252e%252e/b", DOT_SEGMENT),
            ("/a/%25%32%65./b", DOT_SEGMENT),
            ("/a\\b", BACKSLASH),
            ("/a%5cb", BACKSLASH),
            ("/a%255Cb", BACKSLASH),
            ("/a%2fb", ENCODED_SLASH),
            ("/a%2Fb", ENCODED_SLASH),
            ("/a%252fb", ENCODED_SLASH),
            ("/a%25252fb", ENCODED_SLASH),
            ("/a%2525252fb", NESTED),
            ("/a%00", ENCODED_CONTROL),
            ("/a%0d%0aSet-Cookie:x", ENCODED_CONTROL),
            ("/a%7f", ENCODED_CONTROL),
            ("/a%2500", ENCODED_CONTROL),
            ("/a%", BAD_ESCAPE),
            ("/a%2", BAD_ESCAPE),
            ("/a%2g", BAD_ESCAPE),
            ("/a%u002f", BAD_ESCAPE),
            ("/a%c0%af", BAD_UTF8),
            ("/a%e0%80%af", BAD_UTF8),
            ("/a%ff", BAD_UTF8),
            ("/a%25c0%25af", BAD_UTF8),
            ("/a%2525c0%2525ae", BAD_UTF8),
            ("/a?b", NOT_A_PATH_CHARACTER),
            ("/a#b", NOT_A_PATH_CHARACTER),
            ("/a b", NOT_A_PATH_CHARACTER),
            ("/a\tb", NOT_A_PATH_CHARACTER),
            ("/a\u{0}", NOT_A_PATH_CHARACTER),
            ("/ä", NOT_A_PATH_CHARACTER),
        ];
        for (raw, cause) in cases {
            assert_eq!(refused(raw), Some(cause), "{raw:?}");
        }
        assert_eq!(refused(&format!("/{}", "a".repeat(8192))), Some(TOO_LONG));
        assert_eq!(refused(&format!("/{}", "a".repeat(8191))), None);
    }

    #[test]
    fn encoded_slashes_pass_by_name_and_nothing_hides_behind_them() {
        for raw in ["/a%2Fb", "/https%3A%2F%2Fexample.org%2F"] {
            assert_eq!(check("GET", raw, true), Ok(()), "{raw}");
        }
        for raw in ["/a%2f..%2fb", "/..%2f", "/a%252fb", "/a%5cb", "/a//b"] {
            assert!(check("GET", raw, true).is_err(), "{raw}");
        }
    }
}
