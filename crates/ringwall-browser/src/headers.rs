//! The fields that make a browser careful.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::csp::ContentSecurityPolicy;
use crate::error::Error;
use crate::field::{ResponseFields, SecurityField};
use crate::hsts::Hsts;
use crate::isolation::{EmbedderPolicy, OpenerPolicy, ReferrerPolicy, ResourcePolicy};
use crate::loosened::Loosened;
use crate::nonce::CspNonce;
use crate::permissions::PermissionsPolicy;

/// The status of "use what you have".
const NOT_MODIFIED: u16 = 304;

/// The fields that make a browser careful with the answers of a service.
///
/// | field | default |
/// |---|---|
/// | `Strict-Transport-Security` | `max-age=31536000`, over TLS alone |
/// | `Content-Security-Policy` | nothing may be loaded, nobody may frame it |
/// | `X-Frame-Options` | `DENY`; always the same as `frame-ancestors` |
/// | `X-Content-Type-Options` | `nosniff` |
/// | `Referrer-Policy` | `strict-origin-when-cross-origin` |
/// | `Permissions-Policy` | nothing |
/// | `Cross-Origin-Opener-Policy` | `same-origin` |
/// | `Cross-Origin-Resource-Policy` | `same-origin` |
/// | `Cross-Origin-Embedder-Policy` | left out, but for [`strict`](Self::strict) |
///
/// A field that a handler set itself is left as it is and not sent twice. `X-XSS-Protection` is never
/// sent: the filter that it steered is gone from browsers, and where it was, it could be turned against
/// pages.
///
/// Cloning shares it.
#[derive(Clone, Debug)]
#[must_use = "fields do nothing until they are sent"]
pub struct SecurityHeaders {
    hsts: Hsts,
    hsts_value: Arc<str>,
    csp: ContentSecurityPolicy,
    referrer: ReferrerPolicy,
    permissions: Arc<str>,
    opener: OpenerPolicy,
    resource: ResourcePolicy,
    embedder: Option<EmbedderPolicy>,
    edge: Arc<BTreeSet<SecurityField>>,
}

/// What the fields of one answer depend on.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Whether the client's connection has TLS, as the socket or a trusted proxy says. Not what a client
    /// wrote into a header field.
    pub is_secure: bool,
    /// The status.
    pub status: u16,
    /// What [`SecurityHeaders::begin`] gave when the request came.
    pub nonce: Option<&'a CspNonce>,
}

impl SecurityHeaders {
    /// For pages under `csp`.
    pub fn page(csp: ContentSecurityPolicy) -> Self {
        Self {
            hsts: Hsts::default(),
            hsts_value: Hsts::default().to_string().into(),
            csp,
            referrer: ReferrerPolicy::default(),
            permissions: PermissionsPolicy::none().value().into(),
            opener: OpenerPolicy::default(),
            resource: ResourcePolicy::default(),
            embedder: None,
            edge: Arc::default(),
        }
    }

    /// For answers that are data: should one be shown as a page, nothing in it is loaded or run.
    pub fn api() -> Self {
        Self::page(ContentSecurityPolicy::none())
    }

    /// [`api`](Self::api), and an answer that is shown as a page embeds nothing that did not agree.
    pub fn strict() -> Self {
        Self::api().embedder_policy(EmbedderPolicy::RequireCorp)
    }

    /// How long browsers come back over TLS alone.
    pub fn hsts(mut self, hsts: Hsts) -> Self {
        self.hsts = hsts;
        self.hsts_value = hsts.to_string().into();
        self
    }

    /// What pages tell of their address.
    pub const fn referrer_policy(mut self, policy: ReferrerPolicy) -> Self {
        self.referrer = policy;
        self
    }

    /// What pages may ask the browser for.
    pub fn permissions_policy(mut self, policy: &PermissionsPolicy) -> Self {
        self.permissions = policy.value().into();
        self
    }

    /// With whom pages share their window.
    pub const fn opener_policy(mut self, policy: OpenerPolicy) -> Self {
        self.opener = policy;
        self
    }

    /// Whose pages may embed the answers.
    pub const fn resource_policy(mut self, policy: ResourcePolicy) -> Self {
        self.resource = policy;
        self
    }

    /// What pages may embed.
    pub const fn embedder_policy(mut self, policy: EmbedderPolicy) -> Self {
        self.embedder = Some(policy);
        self
    }

    /// Leaves fields to the edge, which sets them already: browsers take the stricter of two policies and
    /// the first of two other fields, and scanners complain. [`loosened`](Self::loosened) reports each.
    ///
    /// # Errors
    ///
    /// [`Error::NonceAtEdge`] when the edge is to set the Content-Security-Policy and ours has nonces:
    /// nobody would announce them.
    pub fn edge_sets(
        mut self,
        fields: impl IntoIterator<Item = SecurityField>,
    ) -> Result<Self, Error> {
        Arc::make_mut(&mut self.edge).extend(fields);
        if self.csp.uses_nonce() && self.is_at_edge(SecurityField::ContentSecurityPolicy) {
            return Err(Error::NonceAtEdge);
        }
        Ok(self)
    }

    /// What the owner loosened by name, and what is not easily undone.
    #[must_use]
    pub fn loosened(&self) -> Vec<Loosened> {
        let mut all: Vec<_> = self
            .edge
            .iter()
            .copied()
            .map(Loosened::LeftToTheEdge)
            .collect();
        if !self.is_at_edge(SecurityField::ContentSecurityPolicy) {
            all.extend(self.csp.loosened());
        }
        if self.hsts.is_short() {
            all.push(Loosened::ShortHsts);
        }
        if self.hsts.is_preload() {
            all.push(Loosened::HstsPreload);
        }
        if self.opener == OpenerPolicy::UnsafeNone {
            all.push(Loosened::SharedWindow);
        }
        if self.resource == ResourcePolicy::CrossOrigin {
            all.push(Loosened::AnyEmbedder);
        }
        all
    }

    /// The policy of pages.
    #[must_use]
    pub const fn content_security_policy(&self) -> &ContentSecurityPolicy {
        &self.csp
    }

    /// What a request needs before its handler: the nonce, if the policy has one. It belongs among the
    /// request's extensions, in place of any that stands there.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] when the system gives no random bytes. Serve the request without a nonce then:
    /// the policy blocks what would have carried it.
    pub fn begin(&self) -> Result<Option<CspNonce>, Error> {
        if self.csp.uses_nonce() {
            CspNonce::generate().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Puts the fields into an answer, but for those that are in it already.
    ///
    /// A 304 gets no policy with a nonce: the browser would put the new policy on the page that it has, in
    /// which the old nonce stands (RFC 9111 §3.2).
    pub fn apply(&self, about: About<'_>, answer: &mut dyn ResponseFields) {
        for field in SecurityField::ALL {
            let name = self.name(field);
            if self.is_at_edge(field) || is_set(answer, name) {
                continue;
            }
            if let Some(value) = self.value(field, about) {
                answer.append(name, &value);
            }
        }
    }

    fn name(&self, field: SecurityField) -> &'static str {
        if field == SecurityField::ContentSecurityPolicy {
            self.csp.field_name()
        } else {
            field.as_str()
        }
    }

    fn value(&self, field: SecurityField, about: About<'_>) -> Option<Cow<'_, str>> {
        let outdated = about.status == NOT_MODIFIED && self.csp.uses_nonce();
        let fixed = match field {
            SecurityField::ContentSecurityPolicy if outdated => None,
            SecurityField::ContentSecurityPolicy => return Some(self.csp.value(about.nonce)),
            SecurityField::StrictTransportSecurity => about.is_secure.then_some(&*self.hsts_value),
            SecurityField::ReportingEndpoints => self.csp.reporting_endpoints(),
            SecurityField::FrameOptions => self.csp.frame_options(),
            SecurityField::ContentTypeOptions => Some("nosniff"),
            SecurityField::ReferrerPolicy => Some(self.referrer.as_str()),
            SecurityField::PermissionsPolicy => Some(&*self.permissions),
            SecurityField::OpenerPolicy => Some(self.opener.as_str()),
            SecurityField::ResourcePolicy => Some(self.resource.as_str()),
            SecurityField::EmbedderPolicy => self.embedder.map(EmbedderPolicy::as_str),
        };
        fixed.map(Cow::Borrowed)
    }

    fn is_at_edge(&self, field: SecurityField) -> bool {
        self.edge.contains(&field)
    }
}

fn is_set(answer: &dyn ResponseFields, name: &str) -> bool {
    let mut is_set = false;
    answer.visit(name, &mut |_| is_set = true);
    is_set
}

impl Default for SecurityHeaders {
    /// [`SecurityHeaders::strict`].
    fn default() -> Self {
        Self::strict()
    }
}
