//! The chapters of the tour. A new part of the service gets a chapter of its own here.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod credentials;
pub(crate) mod encrypted;
pub(crate) mod input;
pub(crate) mod limits;
pub(crate) mod logs;
pub(crate) mod members;
pub(crate) mod metrics;
pub(crate) mod modes;
pub(crate) mod organisations;
pub(crate) mod outage;
pub(crate) mod outside;
pub(crate) mod paths;
pub(crate) mod project_limits;
pub(crate) mod public;
pub(crate) mod remote;
pub(crate) mod routes;
pub(crate) mod start;
pub(crate) mod step_up;
pub(crate) mod stop;
pub(crate) mod tenants;
pub(crate) mod tokens;
