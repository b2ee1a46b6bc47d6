//! Tenants that guess each other's ids.
