//! What browsers are told: which pages may read answers, and what this service's own page may do.

use ringwall_browser::{
    ContentSecurityPolicy, CorsPolicy, Error, SecurityField, SecurityHeaders, Source,
};
use ringwall_core::profile::Profile;
use ringwall_gate::config::SettingsSection;

/// What browsers are told.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) headers: SecurityHeaders,
    pub(crate) cors: CorsPolicy,
}

impl Browser {
    /// Reads the section. Without a word, no page of another origin may read anything.
    pub(super) fn read(section: &mut SettingsSection<'_>, profile: Profile) -> Option<Self> {
        let origins = section.texts("allowed_origins").unwrap_or_default();
        let edge = section.texts("edge_sets").unwrap_or_default();
        let cors = origins
            .iter()
            .fold(CorsPolicy::builder().with_defaults(), |builder, origin| {
                builder.origin(origin)
            })
            .profile(profile)
            .build();
        let cors = cors.map_err(|error| {
            let remedy = "write origins, such as https://app.example.com";
            section.fault("allowed_origins", error.to_string(), remedy);
        });
        let headers = headers(&edge).map_err(|error| {
            let remedy = "name header fields that the edge sets, such as strict-transport-security";
            section.fault("edge_sets", error.to_string(), remedy);
        });
        Some(Self {
            headers: headers.ok()?,
            cors: cors.ok()?,
        })
    }
}

/// The page loads its script, its style and its answers from here and nothing from anywhere else.
fn headers(edge: &[String]) -> Result<SecurityHeaders, Error> {
    let own = || [Source::self_origin()];
    let policy = ContentSecurityPolicy::builder()
        .script_src(own())
        .style_src(own())
        .connect_src(own())
        .img_src([Source::data()])
        .build()?;
    let edge: Vec<SecurityField> = edge
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    SecurityHeaders::page(policy).edge_sets(edge)
}
