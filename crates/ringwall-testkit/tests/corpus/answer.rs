//! What a server answered.

/// One answer, as it came over the network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) end: End,
    /// 0 when there was none.
    pub(crate) status: u16,
    /// In the order received, names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection was closed, or the stream reset, before an answer came.
    #[default]
    Nothing,
    /// The server neither answered nor closed.
    Silence,
    /// The answer broke off.
    Cut,
    /// The answer is whole.
    Whole,
}

impl Answer {
    /// The values of the header field `name`, trailers included.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let all = self.fields.iter().chain(&self.trailers);
        all.filter(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
