//! Where in the claims a value is found.

use ringwall_jose::json::Value;

use crate::error::PolicyError;

/// The place of a value in the claims: a member of the outermost object, or of one within it.
///
/// ```
/// use ringwall_authn::ClaimPath;
///
/// # fn main() -> Result<(), ringwall_authn::PolicyError> {
/// // {"realm_access": {"roles": […]}}
/// let nested = ClaimPath::nested("realm_access.roles")?;
/// // {"https://example.com/roles": […]}: the dots are part of the name
/// let named = ClaimPath::named("https://example.com/roles")?;
/// // What the user can write about itself is no source of rights.
/// assert!(ClaimPath::nested("user_metadata.roles").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPath(Box<[Box<str>]>);

/// Claims that commonly hold what users enter about themselves: the profile claims of OpenID
/// Connect Core §5.1, and the metadata that providers let users write (Supabase, Auth0, Clerk).
/// Cognito's `custom:` attributes are writable by the user unless each app client says otherwise.
const USER_WRITABLE: [&str; 26] = [
    "user_metadata",
    "unsafe_metadata",
    "raw_user_meta_data",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "unique_name",
    "username",
    "upn",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "login_hint",
];

const MAX_SEGMENTS: usize = 8;

impl ClaimPath {
    /// The member `name` of the outermost object; dots are part of the name.
    ///
    /// # Errors
    ///
    /// [`PolicyError::UserWritable`] for claims that their subject can write,
    /// [`PolicyError::ClaimPath`] for an empty name.
    pub fn named(name: &str) -> Result<Self, PolicyError> {
        Self::from_segments(vec![name.into()])
    }

    /// Members within members, separated by dots.
    ///
    /// # Errors
    ///
    /// As [`ClaimPath::named`]; also [`PolicyError::ClaimPath`] for more than 8 segments.
    pub fn nested(path: &str) -> Result<Self, PolicyError> {
        Self::from_segments(path.split('.').map(Into::into).collect())
    }

    /// A path that is part of this crate.
    pub(crate) fn fixed(segments: &[&str]) -> Self {
        Self(segments.iter().map(|segment| (*segment).into()).collect())
    }

    fn from_segments(segments: Vec<Box<str>>) -> Result<Self, PolicyError> {
        if segments.len() > MAX_SEGMENTS || segments.iter().any(|segment| segment.is_empty()) {
            return Err(PolicyError::ClaimPath);
        }
        // Also when a name space stands before it ("https://example.com/user_metadata",
        // "urn:example:email"), and in every way to join its words ("userMetadata").
        let letters = |text: &str| {
            text.chars()
                .filter(|c| !matches!(c, '_' | '-'))
                .map(|c| c.to_ascii_lowercase())
                .collect::<String>()
        };
        let is_writable = |segment: &str| {
            let last = letters(segment.rsplit(['/', '#', ':']).next().unwrap_or(segment));
            segment.starts_with("custom:") || USER_WRITABLE.iter().any(|name| last == letters(name))
        };
        if segments.iter().any(|segment| is_writable(segment)) {
            return Err(PolicyError::UserWritable);
        }
        Ok(Self(segments.into_boxed_slice()))
    }

    /// The value in `claims`. `None` when it, or an object on the way to it, is absent.
    pub(crate) fn find<'a>(&self, claims: Value<'a>) -> Option<Value<'a>> {
        self.0
            .iter()
            .try_fold(claims, |value, segment| value.get(segment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_claims_that_their_subject_can_write() {
        for path in [
            "user_metadata",
            "user_metadata.roles",
            "a.user_metadata.b",
            "User_Metadata",
            "unsafe_metadata.role",
            "email",
            "preferred_username",
            "address.country",
            "custom:role",
        ] {
            assert_eq!(
                ClaimPath::nested(path),
                Err(PolicyError::UserWritable),
                "{path}"
            );
        }
        for name in [
            "https://example.com/user_metadata",
            "urn:x#email",
            "urn:x:email",
            "userMetadata",
            "user-metadata",
            "unsafeMetadata",
            "custom:org",
        ] {
            assert_eq!(
                ClaimPath::named(name),
                Err(PolicyError::UserWritable),
                "{name}"
            );
        }
        assert!(ClaimPath::nested("app_metadata.roles").is_ok());
    }

    #[test]
    fn refuses_each_claim_that_users_commonly_write() {
        let mut names = USER_WRITABLE.to_vec();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "address",
                "birthdate",
                "email",
                "email_verified",
                "family_name",
                "gender",
                "given_name",
                "locale",
                "login_hint",
                "middle_name",
                "name",
                "nickname",
                "phone_number",
                "phone_number_verified",
                "picture",
                "preferred_username",
                "profile",
                "raw_user_meta_data",
                "unique_name",
                "unsafe_metadata",
                "updated_at",
                "upn",
                "user_metadata",
                "username",
                "website",
                "zoneinfo",
            ]
        );
        for name in names {
            assert_eq!(
                ClaimPath::named(name),
                Err(PolicyError::UserWritable),
                "{name}"
            );
        }
    }

    #[test]
    fn refuses_paths_that_lead_nowhere() {
        for path in ["", ".", "a.", ".a", "a..b", "a.b.c.d.e.f.g.h.i"] {
            assert_eq!(
                ClaimPath::nested(path),
                Err(PolicyError::ClaimPath),
                "{path:?}"
            );
        }
        assert_eq!(ClaimPath::named(""), Err(PolicyError::ClaimPath));
    }
}
