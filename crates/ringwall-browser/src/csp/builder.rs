//! Collecting what a policy for pages allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::{ContentSecurityPolicy, Policy};
use crate::directive::Directive;
use crate::error::Error;
use crate::nonce::CspNonce;
use crate::source::{Kind, Source};

/// The most sources of one directive.
const MAX_SOURCES: usize = 64;

/// The longest value, in bytes. Proxies take 8 KiB for all fields of an answer together (nginx,
/// `proxy_buffer_size`), and less on some machines.
const MAX_POLICY: usize = 4096;

/// The longest address for reports, in bytes.
const MAX_ENDPOINT: usize = 512;

/// Collects what a [`ContentSecurityPolicy`] allows. Each method adds to what was allowed before; an
/// empty list stands for `'none'`.
#[derive(Clone, Debug)]
#[must_use = "a policy does nothing until it is built and sent"]
pub struct ContentSecurityPolicyBuilder {
    lists: BTreeMap<Directive, Vec<Source>>,
    report: Option<(String, String)>,
    report_only: bool,
    trusted_types: bool,
    upgrade: bool,
    error: Option<Error>,
}

impl ContentSecurityPolicyBuilder {
    pub(super) fn new() -> Self {
        let closed = [
            Directive::DefaultSrc,
            Directive::BaseUri,
            Directive::FormAction,
            Directive::FrameAncestors,
        ];
        Self {
            lists: closed.map(|directive| (directive, Vec::new())).into(),
            report: None,
            report_only: false,
            trusted_types: false,
            upgrade: false,
            error: None,
        }
    }

    /// Adds sources to any directive: what the methods below do.
    pub fn allow(
        mut self,
        directive: Directive,
        sources: impl IntoIterator<Item = Source>,
    ) -> Self {
        let list = self.lists.entry(directive).or_default();
        for source in sources {
            if !directive.takes(&source) {
                self.error.get_or_insert(Error::SourceOutOfPlace);
            } else if list.len() >= MAX_SOURCES {
                self.error.get_or_insert(Error::TooMany);
            } else if !list.contains(&source) {
                list.push(source);
            }
        }
        self
    }

    /// Everything that a page loads, where no other directive says more.
    pub fn default_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::DefaultSrc, sources)
    }

    /// Scripts.
    pub fn script_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::ScriptSrc, sources)
    }

    /// Styles.
    pub fn style_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::StyleSrc, sources)
    }

    /// Images.
    pub fn img_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::ImgSrc, sources)
    }

    /// Fonts.
    pub fn font_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::FontSrc, sources)
    }

    /// Where scripts may connect to: `fetch`, WebSocket, beacons. No model providers: the server calls
    /// those.
    pub fn connect_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::ConnectSrc, sources)
    }

    /// Sounds and films.
    pub fn media_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::MediaSrc, sources)
    }

    /// Plug-ins.
    pub fn object_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::ObjectSrc, sources)
    }

    /// What the page shows in frames.
    pub fn frame_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::FrameSrc, sources)
    }

    /// Workers.
    pub fn worker_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::WorkerSrc, sources)
    }

    /// The manifest of an app.
    pub fn manifest_src(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::ManifestSrc, sources)
    }

    /// Where a `<base>` of the page may lead. An injected one leads relative scripts astray.
    pub fn base_uri(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::BaseUri, sources)
    }

    /// Where forms may be sent, redirects after them included.
    pub fn form_action(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::FormAction, sources)
    }

    /// Who may show the page in a frame. `X-Frame-Options` says the same where it can, and is left out
    /// where it cannot.
    pub fn frame_ancestors(self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.allow(Directive::FrameAncestors, sources)
    }

    /// Runs scripts in the text of the page, attributes included, an attacker's too. A nonce or a hash
    /// beside it makes browsers ignore it.
    pub fn allow_unsafe_inline_scripts(self) -> Self {
        self.allow(Directive::ScriptSrc, [Source::new(Kind::UnsafeInline)])
    }

    /// Applies styles in the text of the page, attributes included, an attacker's too.
    pub fn allow_unsafe_inline_styles(self) -> Self {
        self.allow(Directive::StyleSrc, [Source::new(Kind::UnsafeInline)])
    }

    /// Lets scripts run text (`eval`).
    pub fn allow_unsafe_eval(self) -> Self {
        self.allow(Directive::ScriptSrc, [Source::new(Kind::UnsafeEval)])
    }

    /// Lets scripts compile WebAssembly.
    pub fn allow_wasm_unsafe_eval(self) -> Self {
        self.allow(Directive::ScriptSrc, [Source::new(Kind::WasmUnsafeEval)])
    }

    /// Demands a typed value, not a text, wherever a script puts HTML or scripts into the page
    /// (Trusted Types).
    pub const fn require_trusted_types(mut self) -> Self {
        self.trusted_types = true;
        self
    }

    /// Loads over TLS what old pages name by `http:`.
    pub const fn upgrade_insecure_requests(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// Sends reports of what was blocked to `endpoint`, an `https` URL or a path of this service
    /// (`/csp-reports`), under the name `name`: lower-case letters, digits, `-`, `_`. Both the newer form
    /// (`report-to` with `Reporting-Endpoints`) and the older (`report-uri`) are sent.
    ///
    /// Reports come from strangers, as many as they like: bound them, and do not believe them.
    pub fn report_to(mut self, name: &str, endpoint: &str) -> Self {
        if is_name(name) && is_endpoint(endpoint) {
            self.report = Some((name.to_owned(), endpoint.to_owned()));
        } else {
            self.error.get_or_insert(Error::InvalidReportEndpoint);
        }
        self
    }

    /// Reports, and blocks nothing: to try a policy out.
    pub const fn report_only(mut self) -> Self {
        self.report_only = true;
        self
    }

    /// Builds the policy.
    ///
    /// # Errors
    ///
    /// [`Error::SourceOutOfPlace`] for a source that means nothing in its directive or undoes it, and for
    /// `'strict-dynamic'` without a nonce or hash; [`Error::TooMany`] for more than 64 sources in one;
    /// [`Error::PolicyTooLong`]; [`Error::InvalidReportEndpoint`].
    pub fn build(self) -> Result<ContentSecurityPolicy, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for sources in self.lists.values() {
            let has =
                |wanted: fn(&Kind) -> bool| sources.iter().any(|source| wanted(source.kind()));
            let trusts = has(|kind| matches!(kind, Kind::Nonce | Kind::Hash(_)));
            if has(|kind| *kind == Kind::StrictDynamic) && !trusts {
                return Err(Error::SourceOutOfPlace);
            }
        }
        let policy = self.assemble();
        let parts = &policy.0.parts;
        let nonces = CspNonce::LEN.saturating_mul(parts.len().saturating_sub(1));
        let length = parts.iter().map(String::len).sum::<usize>();
        if length.saturating_add(nonces) > MAX_POLICY {
            return Err(Error::PolicyTooLong);
        }
        Ok(policy)
    }

    pub(super) fn assemble(self) -> ContentSecurityPolicy {
        let mut parts = vec![String::new()];
        let mut bare = String::new();
        for (directive, sources) in &self.lists {
            let mut before = if bare.is_empty() { "" } else { "; " }.to_owned();
            before.push_str(directive.as_str());
            bare.push_str(&before);
            push(&mut parts, &before);
            let mut is_bare = true;
            for source in sources {
                push(&mut parts, " ");
                if *source.kind() == Kind::Nonce {
                    push(&mut parts, "'nonce-");
                    parts.push("'".to_owned());
                    continue;
                }
                let text = source.to_string();
                push(&mut parts, &text);
                bare.push(' ');
                bare.push_str(&text);
                is_bare = false;
            }
            if is_bare {
                bare.push_str(" 'none'");
            }
            if sources.is_empty() {
                push(&mut parts, " 'none'");
            }
        }
        let mut tail = String::new();
        if self.trusted_types {
            tail.push_str("; require-trusted-types-for 'script'");
        }
        if self.upgrade {
            tail.push_str("; upgrade-insecure-requests");
        }
        if let Some((name, endpoint)) = &self.report {
            tail.push_str(&format!("; report-uri {endpoint}; report-to {name}"));
        }
        push(&mut parts, &tail);
        bare.push_str(&tail);
        ContentSecurityPolicy(Arc::new(Policy {
            lists: self.lists,
            report_only: self.report_only,
            reporting_endpoints: self
                .report
                .map(|(name, endpoint)| format!("{name}=\"{endpoint}\"")),
            bare,
            parts,
        }))
    }
}

fn push(parts: &mut [String], text: &str) {
    if let Some(last) = parts.last_mut() {
        last.push_str(text);
    }
}

/// A key of a structured dictionary (RFC 8941 §3.1.2), without what is of no use in a name.
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// Whatever ends a directive, a policy or a quoted string is refused rather than escaped.
fn is_endpoint(endpoint: &str) -> bool {
    let is_clean = endpoint
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\\'));
    let is_path = endpoint.starts_with('/') && !endpoint.starts_with("//");
    let is_https = || {
        endpoint.starts_with("https://")
            && Url::parse(endpoint).is_ok_and(|url| {
                url.has_host() && url.username().is_empty() && url.password().is_none()
            })
    };
    is_clean && endpoint.len() <= MAX_ENDPOINT && (is_path || is_https())
}
