//! What came back.

const METADATA: &str = "resource_metadata";

/// An answer, or why there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// Zero when there was no answer.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Why there was no answer.
    pub(crate) failure: Option<String>,
}

impl Answer {
    pub(crate) fn failed(failure: impl Into<String>) -> Self {
        Self {
            failure: Some(failure.into()),
            ..Self::default()
        }
    }

    /// Reads what a bare socket received: one answer and then the end, or the beginning of one.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&*text, ""));
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let Some(status) = status else {
            return Self::failed("the connection was closed");
        };
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self {
            status,
            headers,
            body: body.to_owned(),
            failure: None,
        }
    }

    /// The value of a header; the first when there are several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(own, _)| own == name)?;
        Some(value)
    }

    /// The body as JSON; `null` when it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text of the body's JSON, by its pointer (RFC 6901).
    pub(crate) fn text(&self, pointer: &str) -> String {
        let json = self.json();
        let text = json.pointer(pointer).and_then(serde_json::Value::as_str);
        text.unwrap_or_default().to_owned()
    }

    /// The challenge in few words: `bare`, or its error with what it asks for. Where it leads to
    /// is [`Answer::leads_to`].
    pub(crate) fn challenge(&self) -> String {
        let Some(value) = self.header("www-authenticate") else {
            return "no challenge".to_owned();
        };
        let Some(rest) = value.strip_prefix("Bearer realm=\"agent-backend\"") else {
            return format!("another challenge: {value}");
        };
        let words: Vec<_> = rest
            .split(", ")
            .filter_map(|part| part.split_once('='))
            .filter(|(name, _)| *name != METADATA)
            .map(|(name, value)| match name {
                "error" => value.trim_matches('"').to_owned(),
                _ => format!("{name}={}", value.trim_matches('"')),
            })
            .collect();
        if words.is_empty() && (rest.is_empty() || self.leads_to().is_some()) {
            "bare challenge".to_owned()
        } else {
            words.join(" ")
        }
    }

    /// The URL of the metadata that the challenge names (RFC 9728 §5.1).
    pub(crate) fn leads_to(&self) -> Option<&str> {
        let value = self.header("www-authenticate")?;
        let mut parts = value.split(", ");
        let url = parts.find_map(|part| part.strip_prefix(METADATA)?.strip_prefix('='))?;
        Some(url.trim_matches('"'))
    }
}
