//! The configuration of a service, read as the service reads it.

use ringwall_gate::config::{ConfigSources, GateConfig};

use crate::arguments::ServiceArguments;
use crate::failure::Failure;

/// Where it comes from. `None` when nobody named any.
pub(crate) fn sources(arguments: &ServiceArguments) -> Option<ConfigSources> {
    if arguments.config.is_none() && arguments.env_prefix.is_none() {
        return None;
    }
    let mut sources = ConfigSources::new()
        .old_names(arguments.old_names)
        .of_service(arguments.of_service.iter().map(String::as_str));
    if let Some(path) = &arguments.config {
        sources = sources.file(path);
    }
    if let Some(prefix) = &arguments.env_prefix {
        sources = sources.environment(prefix);
    }
    Some(sources)
}

/// The configuration, if one was named.
pub(crate) fn config(arguments: &ServiceArguments) -> Result<Option<GateConfig>, Failure> {
    match sources(arguments) {
        Some(sources) => Ok(Some(GateConfig::load(sources)?)),
        None => Ok(None),
    }
}
