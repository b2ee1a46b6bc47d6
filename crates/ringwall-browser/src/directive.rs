//! What a rule of a Content-Security-Policy is about.

use core::fmt;

use crate::source::{Kind, Source};

/// What a rule of a [`ContentSecurityPolicy`](crate::ContentSecurityPolicy) is about (CSP3 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Directive {
    /// `default-src`: everything that a page loads, where no other directive says more.
    DefaultSrc,
    /// `script-src`
    ScriptSrc,
    /// `style-src`
    StyleSrc,
    /// `img-src`
    ImgSrc,
    /// `font-src`
    FontSrc,
    /// `connect-src`: `fetch`, WebSocket, beacons.
    ConnectSrc,
    /// `media-src`
    MediaSrc,
    /// `object-src`: plug-ins.
    ObjectSrc,
    /// `frame-src`: what the page shows in frames.
    FrameSrc,
    /// `worker-src`
    WorkerSrc,
    /// `manifest-src`
    ManifestSrc,
    /// `base-uri`: where `<base>` may lead.
    BaseUri,
    /// `form-action`: where forms may be sent.
    FormAction,
    /// `frame-ancestors`: who may show the page in a frame.
    FrameAncestors,
}

impl Directive {
    /// The name in the field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DefaultSrc => "default-src",
            Self::ScriptSrc => "script-src",
            Self::StyleSrc => "style-src",
            Self::ImgSrc => "img-src",
            Self::FontSrc => "font-src",
            Self::ConnectSrc => "connect-src",
            Self::MediaSrc => "media-src",
            Self::ObjectSrc => "object-src",
            Self::FrameSrc => "frame-src",
            Self::WorkerSrc => "worker-src",
            Self::ManifestSrc => "manifest-src",
            Self::BaseUri => "base-uri",
            Self::FormAction => "form-action",
            Self::FrameAncestors => "frame-ancestors",
        }
    }

    /// Whether the directive is about images, sounds and fonts: what runs nothing.
    const fn is_passive(self) -> bool {
        matches!(self, Self::ImgSrc | Self::FontSrc | Self::MediaSrc)
    }

    /// Whether `source` has a meaning here that does not undo the directive. `data:` in a directive of
    /// scripts is `'unsafe-inline'` by another name.
    pub(crate) fn takes(self, source: &Source) -> bool {
        let is_about_documents = matches!(
            self,
            Self::BaseUri | Self::FormAction | Self::FrameAncestors
        );
        let runs_scripts = matches!(self, Self::ScriptSrc | Self::DefaultSrc);
        match source.kind() {
            Kind::SelfOrigin | Kind::Origin(_) | Kind::Https => true,
            Kind::WebSocket(_) => matches!(self, Self::ConnectSrc | Self::DefaultSrc),
            Kind::Data => self.is_passive() || self == Self::ConnectSrc,
            Kind::Blob => !is_about_documents && self != Self::ManifestSrc,
            Kind::Hash(_) | Kind::Nonce | Kind::UnsafeInline => {
                runs_scripts || self == Self::StyleSrc
            }
            Kind::StrictDynamic | Kind::UnsafeEval | Kind::WasmUnsafeEval => runs_scripts,
        }
    }

    /// Whether `source` stands for more than its owner can know.
    pub(crate) fn is_broad(self, source: &Source) -> bool {
        !self.is_passive() && matches!(source.kind(), Kind::Https | Kind::Blob)
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
