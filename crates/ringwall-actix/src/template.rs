//! Route templates: the same language, and the same precedence, as behind the other adapters.
//!
//! actix-web's own router takes regular expressions, takes the first template that matches, and
//! compares a path of which escapes were undone (`/%61dmin` is `/admin`). Each of that can make a
//! request end at another policy than the same request does behind another adapter, or than the
//! program seems to say. So templates have whole segments that are a text, `{name}`, or, at the end,
//! `{*name}`; a text goes before a parameter, whatever the order of registration; and a path is
//! compared as received.

use actix_web::dev::{ResourceDef, Url};
use actix_web::guard::{Guard, GuardContext};
use actix_web::http::Uri;

use crate::error::Error;

/// The most parameters of one template: actix-web's router panics at more.
const MAX_PARAMETERS: usize = 16;

/// A template that was checked. In its order, what is more definite comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template {
    shape: Vec<Segment>,
    text: String,
}

/// One segment, without the name of a parameter. The order is that in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Text(String),
    Parameter,
    /// All that follows, which is not nothing.
    Rest,
    /// All that follows, and nothing too.
    Mount,
}

impl Template {
    /// A template that matches whole paths.
    pub(crate) fn path(text: &str) -> Result<Self, Error> {
        match parse(text) {
            Some(shape) => Ok(Self {
                shape,
                text: text.to_owned(),
            }),
            None => Err(Error::InvalidPath {
                path: text.to_owned(),
            }),
        }
    }

    /// A template that matches a prefix of whole segments. The root is none: what is below it is
    /// everything, and has a fallback.
    pub(crate) fn prefix(text: &str) -> Result<Self, Error> {
        let mut template = Self::path(text)?;
        if text.ends_with('/') || template.shape.contains(&Segment::Rest) {
            return Err(Error::InvalidPath {
                path: template.text,
            });
        }
        template.shape.push(Segment::Mount);
        Ok(template)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether both match the same paths.
    pub(crate) fn is_same_shape(&self, other: &Self) -> bool {
        self.shape == other.shape
    }

    /// The definition that actix-web's router takes.
    pub(crate) fn definition(&self) -> ResourceDef {
        let text = self.text.as_str();
        match self.shape.last() {
            Some(Segment::Mount) => ResourceDef::prefix(text),
            Some(Segment::Rest) => match text.trim_end_matches('}').rsplit_once("{*") {
                Some((before, name)) => ResourceDef::new(format!("{before}{{{name}:.+}}")),
                None => ResourceDef::new(text),
            },
            Some(Segment::Text(_) | Segment::Parameter) | None => ResourceDef::new(text),
        }
    }

    /// Lets through what the template matches as received.
    pub(crate) fn as_received(&self) -> AsReceived {
        let goes_on = matches!(self.shape.last(), Some(Segment::Rest | Segment::Mount));
        AsReceived {
            definition: self.definition(),
            segments: (!goes_on).then_some(self.shape.len()),
        }
    }
}

fn parse(text: &str) -> Option<Vec<Segment>> {
    let mut shape = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut segments = text.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let inner = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let Some(inner) = inner else {
            let is_text = segment.bytes().all(is_literal) && !segment.starts_with(':');
            if !is_text || (segment.is_empty() && !is_last) {
                return None;
            }
            shape.push(Segment::Text(segment.to_owned()));
            continue;
        };
        let (name, kind) = match inner.strip_prefix('*') {
            Some(_) if !is_last => return None,
            Some(name) => (name, Segment::Rest),
            None => (inner, Segment::Parameter),
        };
        if !is_name(name) || names.contains(&name) || names.len() >= MAX_PARAMETERS {
            return None;
        }
        names.push(name);
        shape.push(kind);
    }
    Some(shape)
}

/// What a path may hold unencoded (RFC 3986 §3.3), but for `*`, which actix-web's router gives a
/// meaning.
const fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

/// A name of a group in a regular expression, as which actix-web keeps it.
fn is_name(name: &str) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.as_bytes().first().is_some_and(is_first)
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Compares the path as it was received, where actix-web compared one of which escapes were undone.
pub(crate) struct AsReceived {
    definition: ResourceDef,
    /// How many segments the template has; `None` when it goes on.
    segments: Option<usize>,
}

impl AsReceived {
    /// The router has matched the decoded path already, below whatever scope the app stands in. The
    /// template has to match the same segments as received: the last ones, as many as it has; or, where
    /// it goes on, those from where it matches first. Decoding adds no segment: `%2F` is left alone.
    fn is_match(&self, uri: &Uri) -> bool {
        let path = uri.path();
        if !path.contains('%') {
            return true;
        }
        let matches_at = |path: &str, at: usize| {
            let tail = path.get(at..);
            tail.is_some_and(|tail| self.definition.is_match(tail))
        };
        if let Some(before) = self.segments.and_then(|count| count.checked_sub(1)) {
            let begin = path.rmatch_indices('/').nth(before);
            return begin.is_some_and(|(at, _)| matches_at(path, at));
        }
        let decoded = Url::new(uri.clone());
        let begins = decoded
            .path()
            .match_indices('/')
            .zip(path.match_indices('/'));
        begins
            .map(|((in_decoded, _), (at, _))| (in_decoded, at))
            .find(|(in_decoded, _)| matches_at(decoded.path(), *in_decoded))
            .is_some_and(|(_, at)| matches_at(path, at))
    }
}

impl Guard for AsReceived {
    fn check(&self, context: &GuardContext<'_>) -> bool {
        self.is_match(&context.head().uri)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_whole_segments_and_a_rest_at_the_end() {
        for text in [
            "/",
            "/a",
            "/a/",
            "/{id}",
            "/a.b/{x}/c",
            "/{*rest}",
            "/a/{x}/{*rest}",
            "/a:b;c",
        ] {
            assert!(Template::path(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_would_match_something_else_or_panic_in_the_router() {
        let many = "/{a}".repeat(17);
        let cases = [
            "",
            "a",
            "{a}",
            "//",
            "/a//b",
            "/:id",
            "/*rest",
            "/a*",
            "/{}",
            "/{*}",
            "/{1}",
            "/{a-b}",
            "/{a",
            "/a}",
            "/{a}b",
            "/b{a}",
            "/{a}{b}",
            "/{id:\\d+}",
            "/{tail:.*}",
            "/{tail}*",
            "/{*rest}/a",
            "/{a}/{a}",
            "/{a}/{*a}",
            "/ä",
            "/a b",
            "/%61",
            "/a?b",
            "/a#b",
            "/a\\b",
            &many,
        ];
        for text in cases {
            let path = text.to_owned();
            assert_eq!(Template::path(text), Err(Error::InvalidPath { path }));
        }
        for text in ["/", "/a/", "/{*rest}", "/a/{*rest}", ""] {
            assert!(Template::prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_more_definite_is_tried_first() {
        let mut templates: Vec<_> = ["/{*r}", "/{x}", "/a/{*r}", "/a/{x}", "/a/b", "/a", "/{x}/b"]
            .into_iter()
            .map(|text| Template::path(text).expect("a template"))
            .chain([Template::prefix("/a").expect("a prefix")])
            .collect();
        templates.sort();
        let texts: Vec<_> = templates.iter().map(Template::text).collect();
        let expected = [
            "/a", "/a/b", "/a/{x}", "/a/{*r}", "/a", "/{x}", "/{x}/b", "/{*r}",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn the_router_s_definition_matches_what_the_template_says() {
        let cases: [(&str, &[&str], &[&str]); 4] = [
            (
                "/a/{x}",
                &["/a/b", "/a/b.c"],
                &["/a", "/a/", "/a/b/", "/a/b/c"],
            ),
            (
                "/a/{*rest}",
                &["/a/b", "/a/b/c", "/a/b/"],
                &["/a", "/a/", "/ab"],
            ),
            ("/a.b", &["/a.b"], &["/axb", "/a.b/"]),
            ("/", &["/"], &["", "/a"]),
        ];
        for (text, matching, others) in cases {
            let definition = Template::path(text).expect("a template").definition();
            for path in matching {
                assert!(definition.is_match(path), "{text} {path}");
            }
            for path in others {
                assert!(!definition.is_match(path), "{text} {path}");
            }
        }
        let prefix = Template::prefix("/a").expect("a prefix").definition();
        assert!(prefix.is_match("/a") && prefix.is_match("/a/") && prefix.is_match("/a/b"));
        assert!(!prefix.is_match("/ab") && !prefix.is_match("/"));
    }

    #[test]
    fn escapes_are_not_undone_to_match_a_text() {
        let uri = |path: &str| path.parse().expect("a URI");
        let check = |text: &str, path: &str| {
            let template = Template::path(text).expect("a template");
            template.as_received().is_match(&uri(path))
        };
        assert!(check("/a/{x}", "/a/%62"));
        assert!(check("/a/{*x}", "/a/%62/c"));
        assert!(check("/a/{*x}", "/a/%61/c"));
        assert!(!check("/a/{x}", "/%61/b"));
        assert!(!check("/a/{*x}", "/%61/b"));
        assert!(!check("/a/{*x}", "/%61/a/b"));
        assert!(!check("/a", "/%61"));
        // Below a scope, of which the template knows nothing.
        assert!(check("/a/{x}", "/%6frg/a/b"));
        assert!(check("/a/{*x}", "/%6frg/a/b"));
        assert!(!check("/a/{x}", "/org/%61/b"));
        assert!(!check("/a/{*x}", "/org/%61/b"));
        let prefix = Template::prefix("/a").expect("a prefix").as_received();
        assert!(prefix.is_match(&uri("/a/%61")) && !prefix.is_match(&uri("/%61/b")));
    }

    /// Which template is taken, as actix-web's router goes through those that we hand to it.
    fn taken<'a>(sorted: &'a [Template], path: &str) -> Option<&'a str> {
        let decoded = Url::new(path.parse().expect("a URI"));
        let found = sorted.iter().find(|template| {
            template.definition().is_match(decoded.path())
                && template.as_received().is_match(decoded.uri())
        });
        found.map(Template::text)
    }

    const SEGMENTS: [&str; 6] = ["a", "b", "{x}", "{y}", "a.b", "ab"];
    const ASKED: [&str; 8] = ["a", "b", "a.b", "ab", "z", "%61", "a%20b", ""];

    proptest! {
        /// axum's router is matchit: the same request ends at the same route behind both adapters.
        #[test]
        fn property_the_same_template_is_taken_as_behind_axum(
            registered in prop::collection::vec(
                (prop::collection::vec(0..SEGMENTS.len(), 0..4), prop::bool::weighted(0.3)),
                1..10,
            ),
            asked in prop::collection::vec(prop::collection::vec(0..ASKED.len(), 1..5), 1..12),
        ) {
            let mut templates: Vec<Template> = Vec::new();
            let mut theirs = matchit::Router::new();
            for (segments, has_rest) in registered {
                let mut text = String::new();
                for (at, segment) in segments.iter().enumerate() {
                    text.push('/');
                    // Each parameter of a template has a name of its own.
                    text.push_str(&SEGMENTS[*segment].replace('}', &format!("{at}}}")));
                }
                if has_rest {
                    text.push_str("/{*rest}");
                } else if text.is_empty() {
                    text.push('/');
                }
                let template = Template::path(&text).expect("a template");
                let is_new = !templates.iter().any(|other| other.is_same_shape(&template));
                let is_taken = theirs.insert(text.clone(), text).is_ok();
                // What collides for us collides for them, and they refuse a little more.
                prop_assert!(is_new || !is_taken);
                if is_taken {
                    templates.push(template);
                }
            }
            templates.sort();
            for segments in asked {
                let path: String = segments.iter().flat_map(|at| ["/", ASKED[*at]]).collect();
                // Refused at every door, whoever takes it.
                if path.contains("//") {
                    continue;
                }
                let expected = theirs.at(&path).ok().map(|found| found.value.as_str());
                prop_assert_eq!(taken(&templates, &path), expected, "{}", path);
            }
        }
    }
}
