//! What a failed assertion says.

use core::fmt::Write as _;
use core::panic::Location;

use crate::answer::Answer;
use crate::app::Protocol;
use crate::failure::fail;

/// How an entry goes on in its next line.
pub(crate) const NEXT_LINE: &str = "\n               ";

/// A failed assertion about one request.
pub(crate) struct Report<'a> {
    /// What is wrong, in one sentence.
    pub(crate) headline: String,
    /// Where the test asked, when the failure itself is raised elsewhere: in a future, a panic cannot
    /// point at its caller.
    pub(crate) asked_at: Option<&'static Location<'static>>,
    /// What should have come.
    pub(crate) expected: String,
    pub(crate) answer: &'a Answer,
    /// What may be the matter.
    pub(crate) hint: Option<String>,
}

impl Report<'_> {
    /// Fails the test.
    #[track_caller]
    pub(crate) fn fail(&self) -> ! {
        fail(&self.text())
    }

    /// In the words of the protocol: what is expected is written with the status of HTTP first.
    fn expected(&self) -> String {
        let spoken = [
            ("401 or 400", "UNAUTHENTICATED or INVALID_ARGUMENT"),
            ("401", "UNAUTHENTICATED"),
            ("403 or 308", "FAILED_PRECONDITION"),
            ("403", "PERMISSION_DENIED"),
            ("503", "UNAVAILABLE"),
        ];
        let translated = spoken.iter().find_map(|(status, name)| {
            let rest = self.expected.strip_prefix(status)?;
            Some(format!("{name}{rest}"))
        });
        match (self.answer.protocol(), translated) {
            (Protocol::Grpc, Some(translated)) => translated,
            (Protocol::Grpc, None) | (Protocol::Http, _) => self.expected.clone(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline);
        let mut entry = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            write!(text, "\n  {name:<12} {value}").ok();
        };
        if let Some(place) = self.asked_at {
            entry("asserted at", &place.to_string());
        }
        entry("sent", &self.answer.sent_in_words());
        entry("expected", &self.expected());
        entry("got", &self.answer.in_words());
        entry("kit saw", &self.answer.seen().to_string());
        if let Some(hint) = &self.hint {
            entry("perhaps", hint);
        }
        text.push('\n');
        text
    }
}
