//! Whose data a request is about.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ringwall_axum::{CurrentTenant, Rejection};
use ringwall_core::principal::Tenant;

/// The tenant whose rows may be touched. Every method of [`crate::case_store`] demands one.
///
/// It is made from the verified caller of a request and from nothing else: not from a path, a
/// query or a body. So a handler cannot ask the store for the rows of somebody whom the request
/// merely names.
///
/// A caller without a project is one of the organisation itself. Its rows are those that belong to
/// no project; it does not see into the projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TenantScope(Tenant);

impl TenantScope {
    pub(crate) fn org(&self) -> &str {
        self.0.org.as_str()
    }

    /// Empty for the organisation itself, which no project's id can be.
    pub(crate) fn project(&self) -> &str {
        self.0
            .project
            .as_ref()
            .map_or("", |project| project.as_str())
    }

    pub(crate) const fn tenant(&self) -> &Tenant {
        &self.0
    }

    #[cfg(test)]
    pub(crate) const fn for_test(tenant: Tenant) -> Self {
        Self(tenant)
    }
}

/// A caller without a tenant is refused (403).
impl<S: Sync> FromRequestParts<S> for TenantScope {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let CurrentTenant(tenant) = CurrentTenant::from_request_parts(parts, state).await?;
        Ok(Self(tenant))
    }
}
