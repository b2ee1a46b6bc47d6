//! What the owner should read at start.

use core::fmt;
use std::sync::Arc;

use crate::directive::Directive;
use crate::field::SecurityField;
use crate::origin::Origin;
use crate::pattern::OriginPattern;

/// Something that the owner loosened by name, or that is not easily undone: for the log of a start
/// (its `Display` is a sentence without a period).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loosened {
    /// Pages of any origin may read the answers.
    AnyOrigin,
    /// Pages of an origin without TLS may read the answers.
    PlainOrigin(Origin),
    /// Pages of this machine may read the answers: of the user's, whatever runs there.
    LoopbackOrigin(Origin),
    /// Pages of every name below a domain may act as the user.
    WildcardWithCredentials(OriginPattern),
    /// Scripts in the text of a page are run, an attacker's too.
    UnsafeInlineScripts,
    /// Styles in the text of a page are applied, an attacker's too.
    UnsafeInlineStyles,
    /// Scripts may run text.
    UnsafeEval,
    /// Scripts may compile WebAssembly.
    WasmUnsafeEval,
    /// A source stands for any host, or for what scripts make up.
    BroadSource {
        /// The directive.
        directive: Directive,
        /// The source, as it is sent.
        source: Arc<str>,
    },
    /// A source has no TLS.
    PlainSource {
        /// The directive.
        directive: Directive,
        /// The source, as it is sent.
        source: Arc<str>,
    },
    /// Pages may call a model provider. Whatever key they use is the user's to read: let the server
    /// call it.
    ModelProvider {
        /// The host of the provider.
        host: &'static str,
    },
    /// Some may show the page in a frame.
    Framed,
    /// The Content-Security-Policy reports, and blocks nothing.
    ReportOnly,
    /// Browsers may come back over plain HTTP in less than a year.
    ShortHsts,
    /// The domain and all below it ask to be built into browsers as TLS only; to leave takes months.
    HstsPreload,
    /// A page keeps its window in common with pages of other origins.
    SharedWindow,
    /// Any page may embed the answers.
    AnyEmbedder,
    /// The edge is trusted to set a field.
    LeftToTheEdge(SecurityField),
}

impl fmt::Display for Loosened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyOrigin => f.write_str("pages of any origin may read the answers"),
            Self::PlainOrigin(origin) => {
                write!(f, "pages of {origin}, without TLS, may read the answers")
            }
            Self::LoopbackOrigin(origin) => write!(
                f,
                "whatever runs at {origin} on a user's machine may read the answers"
            ),
            Self::WildcardWithCredentials(pattern) => {
                write!(f, "every page of {pattern} may act as the user")
            }
            Self::UnsafeInlineScripts => f.write_str("scripts in the text of pages are run"),
            Self::UnsafeInlineStyles => f.write_str("styles in the text of pages are applied"),
            Self::UnsafeEval => f.write_str("scripts of pages may run text"),
            Self::WasmUnsafeEval => f.write_str("scripts of pages may compile WebAssembly"),
            Self::BroadSource { directive, source } => {
                write!(f, "{directive} takes anything from {source}")
            }
            Self::PlainSource { directive, source } => {
                write!(f, "{directive} takes what comes without TLS from {source}")
            }
            Self::ModelProvider { host } => write!(
                f,
                "pages may call the model provider {host}: whatever key they use is theirs to read"
            ),
            Self::Framed => f.write_str("pages may be shown in frames"),
            Self::ReportOnly => {
                f.write_str("the content security policy reports, and blocks nothing")
            }
            Self::ShortHsts => {
                f.write_str("browsers may come back over plain HTTP in less than a year")
            }
            Self::HstsPreload => f.write_str(
                "the domain and all names below it ask to be built into browsers as TLS only, which takes \
                 months to undo",
            ),
            Self::SharedWindow => {
                f.write_str("pages keep their window in common with pages of other origins")
            }
            Self::AnyEmbedder => f.write_str("pages of any origin may embed the answers"),
            Self::LeftToTheEdge(field) => write!(f, "the edge is trusted to set {field}"),
        }
    }
}
