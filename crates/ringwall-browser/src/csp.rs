//! From where a page may load what.

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::directive::Directive;
use crate::loosened::Loosened;
use crate::nonce::CspNonce;
use crate::providers;
use crate::source::{Kind, Source};

mod builder;

pub use builder::ContentSecurityPolicyBuilder;

/// From where a page may load what: the `Content-Security-Policy` (CSP3).
///
/// It begins with nothing: `default-src 'none'`, no `<base>`, no forms, no frames around. What the page
/// needs is added by name. Model providers have no place in `connect-src`, whatever a checklist says: the
/// server calls them, since a key that a page uses is its user's to read;
/// [`loosened`](Self::loosened) reports the known ones.
///
/// ```
/// use ringwall_browser::{ContentSecurityPolicy, Source};
///
/// let policy = ContentSecurityPolicy::builder()
///     .script_src([Source::self_origin()])
///     .style_src([Source::self_origin()])
///     .img_src([Source::self_origin(), Source::data()])
///     .connect_src([Source::self_origin(), Source::origin("https://api.example.com")?])
///     .form_action([Source::self_origin()])
///     .build()?;
/// assert!(policy.loosened().is_empty());
/// assert!(policy.value(None).starts_with("default-src 'none'; script-src 'self'; "));
/// # Ok::<(), ringwall_browser::Error>(())
/// ```
///
/// Cloning shares it.
#[derive(Clone)]
pub struct ContentSecurityPolicy(Arc<Policy>);

struct Policy {
    lists: BTreeMap<Directive, Vec<Source>>,
    report_only: bool,
    reporting_endpoints: Option<String>,
    /// The whole value without any nonce.
    bare: String,
    /// What stands before, between and behind the nonces. One part alone when there are none.
    parts: Vec<String>,
}

impl ContentSecurityPolicy {
    /// For answers that are no pages: nothing may be loaded.
    #[must_use]
    pub fn none() -> Self {
        Self::builder().assemble()
    }

    /// Begins with nothing.
    pub fn builder() -> ContentSecurityPolicyBuilder {
        ContentSecurityPolicyBuilder::new()
    }

    /// The value of the field. Without a nonce, what would have needed one is blocked.
    #[must_use]
    pub fn value(&self, nonce: Option<&CspNonce>) -> Cow<'_, str> {
        match nonce {
            Some(nonce) if self.uses_nonce() => Cow::Owned(self.0.parts.join(nonce.as_str())),
            Some(_) | None => Cow::Borrowed(&self.0.bare),
        }
    }

    /// `content-security-policy`, or `content-security-policy-report-only`.
    #[must_use]
    pub fn field_name(&self) -> &'static str {
        if self.0.report_only {
            "content-security-policy-report-only"
        } else {
            "content-security-policy"
        }
    }

    /// Whether each answer needs a [`CspNonce`].
    #[must_use]
    pub fn uses_nonce(&self) -> bool {
        self.0.parts.len() > 1
    }

    /// Whether it blocks nothing.
    #[must_use]
    pub fn is_report_only(&self) -> bool {
        self.0.report_only
    }

    /// What the owner loosened by name.
    #[must_use]
    pub fn loosened(&self) -> Vec<Loosened> {
        let mut all = Vec::new();
        for (&directive, sources) in &self.0.lists {
            all.extend(
                sources
                    .iter()
                    .filter_map(|source| loosened(directive, source)),
            );
        }
        let connects = self.0.lists.get(&Directive::ConnectSrc);
        let connects = connects.or_else(|| self.0.lists.get(&Directive::DefaultSrc));
        all.extend(
            connects
                .into_iter()
                .flatten()
                .filter_map(providers::reached)
                .map(|host| Loosened::ModelProvider { host }),
        );
        if self.frame_options() != Some("DENY") {
            all.push(Loosened::Framed);
        }
        if self.0.report_only {
            all.push(Loosened::ReportOnly);
        }
        all
    }

    /// The same as `frame-ancestors` in the older `X-Frame-Options` (RFC 7034), where that can say it:
    /// one list decides both.
    pub(crate) fn frame_options(&self) -> Option<&'static str> {
        let ancestors = self.0.lists.get(&Directive::FrameAncestors);
        match ancestors.map(Vec::as_slice) {
            None | Some([]) => Some("DENY"),
            Some([only]) if *only.kind() == Kind::SelfOrigin => Some("SAMEORIGIN"),
            Some(_) => None,
        }
    }

    pub(crate) fn reporting_endpoints(&self) -> Option<&str> {
        self.0.reporting_endpoints.as_deref()
    }
}

fn loosened(directive: Directive, source: &Source) -> Option<Loosened> {
    match source.kind() {
        Kind::UnsafeInline if directive == Directive::StyleSrc => {
            Some(Loosened::UnsafeInlineStyles)
        }
        Kind::UnsafeInline => Some(Loosened::UnsafeInlineScripts),
        Kind::UnsafeEval => Some(Loosened::UnsafeEval),
        Kind::WasmUnsafeEval => Some(Loosened::WasmUnsafeEval),
        Kind::Https | Kind::Blob => directive.is_broad(source).then(|| Loosened::BroadSource {
            directive,
            source: source.to_string().into(),
        }),
        Kind::Origin(_) => source.is_plain().then(|| Loosened::PlainSource {
            directive,
            source: source.to_string().into(),
        }),
        Kind::SelfOrigin
        | Kind::WebSocket(_)
        | Kind::Data
        | Kind::Hash(_)
        | Kind::Nonce
        | Kind::StrictDynamic => None,
    }
}

impl fmt::Debug for ContentSecurityPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentSecurityPolicy")
            .field("value", &self.0.bare)
            .field("uses_nonce", &self.uses_nonce())
            .field("report_only", &self.0.report_only)
            .finish_non_exhaustive()
    }
}
