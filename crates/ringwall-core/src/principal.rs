//! Who is calling, and the proof that somebody checked.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;

use crate::attest::Attest;
use crate::clock::Timestamp;

/// The text is empty, too long, or holds a character that this name may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is empty, longer than {limit} bytes, or holds a character it may not have")]
pub struct InvalidName {
    /// What the text was to become, such as `subject`.
    pub what: &'static str,
    /// The longest permitted text in bytes.
    pub limit: usize,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $limit:literal, $allowed:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The longest permitted text in bytes.
            pub const MAX_BYTES: usize = $limit;

            /// Checks `text` once; from here on the type vouches for it.
            ///
            /// # Errors
            ///
            /// [`InvalidName`] when `text` is empty, too long, or holds a character that the
            /// type does not permit.
            pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidName> {
                let text = text.into();
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() || text.len() > Self::MAX_BYTES || !text.chars().all(allowed) {
                    return Err(InvalidName { what: $what, limit: Self::MAX_BYTES });
                }
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

/// What may stand in a name that a person or a foreign directory chose: anything that cannot
/// break a log line or turn its direction.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The visible ASCII characters, space excluded.
fn is_visible_ascii(c: char) -> bool {
    c.is_ascii_graphic()
}

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope_character(c: char) -> bool {
    c.is_ascii_graphic() && c != '"' && c != '\\'
}

names! {
    /// Who: unique within its issuer, never within the world. 1 to 255 bytes (OpenID Connect Core
    /// §2 has the same limit), no control, line-separating or direction-turning characters.
    /// Compared byte for byte.
    Subject, "the subject", 255, is_printable;
    /// An organisation, the outer tenant. 1 to 128 visible ASCII characters.
    OrgId, "the organisation id", 128, is_visible_ascii;
    /// A project within an organisation. 1 to 128 visible ASCII characters.
    ProjectId, "the project id", 128, is_visible_ascii;
    /// A role name, which means something only to the policy that names it. 1 to 128 bytes;
    /// compared byte for byte, without case folding, so a look-alike is another role.
    Role, "the role", 128, is_printable;
    /// A scope (RFC 6749 §3.3). 1 to 128 characters. No wildcard is interpreted here: `*` is a
    /// scope like another until a policy says what it grants.
    Scope, "the scope", 128, is_scope_character;
    /// An authentication context class (`acr`, OpenID Connect Core §2): how well somebody was
    /// authenticated, in the words of the issuer, such as `urn:mace:incommon:iap:silver`. 1 to 255
    /// bytes of the characters of a scope: RFC 9470 §3 lists the classes that would suffice
    /// separated by spaces and in quotes, so no other class could ever be asked for. Compared byte
    /// for byte; classes have no order.
    ContextClass, "the authentication context class", 255, is_scope_character;
    /// One method by which somebody was authenticated (an element of `amr`, RFC 8176), such as `otp`
    /// or `hwk`. 1 to 128 visible ASCII characters.
    MethodReference, "the authentication method reference", 128, is_visible_ascii;
}

impl Scope {
    /// Whether it is one of those by which OpenID Connect speaks of the login and of the answer's claims, and of no right:
    /// `openid`, `profile`, `email`, `address`, `phone` and `offline_access` (OpenID Connect Core 1.0 §5.4, §11).
    #[must_use]
    pub fn is_of_login(&self) -> bool {
        matches!(
            self.as_str(),
            "openid" | "profile" | "email" | "address" | "phone" | "offline_access"
        )
    }
}

/// What kind of party is calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A service of ours or of somebody else.
    Service,
    /// An AI agent, by itself or on somebody's behalf.
    Agent,
    /// The holder of an API key.
    ApiKey,
}

impl PrincipalKind {
    /// The stable lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::ApiKey => "api_key",
        }
    }
}

/// How the principal was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthenticationMethod {
    /// A signed token (RFC 7519).
    Token,
    /// An API key.
    ApiKey,
    /// A client certificate.
    MutualTls,
    /// A signed request.
    RequestSignature,
    /// A login session.
    Session,
    /// Nothing was checked: the `none` mode of a development profile.
    Unchecked,
}

/// How, when and until when the principal was authenticated.
///
/// Of a token, `authenticated_at`, `context_class` and `methods` are about the login of the person
/// who stands behind it (RFC 9068 §2.2.1): also when an agent presents it on that person's behalf,
/// and not about the moment the token was issued. What is not known is absent, and what is absent
/// satisfies no demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The kind of credential.
    pub method: AuthenticationMethod,
    /// When somebody last took part in the authentication, by a password or a key (`auth_time`,
    /// OpenID Connect Core §2). A token that was refreshed in silence keeps the old time.
    pub authenticated_at: Option<Timestamp>,
    /// How well (`acr`).
    pub context_class: Option<ContextClass>,
    /// By which methods (`amr`, RFC 8176), in the order given.
    pub methods: Vec<MethodReference>,
    /// When the credential ends; streams end or are re-checked then. `None` when it has no end.
    pub expires_at: Option<Timestamp>,
    /// The credential's own id (a token's `jti`, a key's look-up id): for revocation and audit,
    /// never secret.
    pub credential_id: Option<Box<str>>,
}

impl Authentication {
    /// An authentication of which nothing but the kind of credential is known. It has no end: set
    /// `expires_at` for a credential that has one.
    #[must_use]
    pub const fn new(method: AuthenticationMethod) -> Self {
        Self {
            method,
            authenticated_at: None,
            context_class: None,
            methods: Vec::new(),
            expires_at: None,
            credential_id: None,
        }
    }
}

/// The tenant a principal acts in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The organisation.
    pub org: OrgId,
    /// The project, when the credential is bound to one.
    pub project: Option<ProjectId>,
}

/// An attribute of the principal for attribute-based decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name that policies use.
    pub name: Box<str>,
    /// The value.
    pub value: Box<str>,
    /// When it stops to hold. `None` when it holds as long as the authentication does.
    pub expires_at: Option<Timestamp>,
}

/// A calling party: what a credential says about it.
///
/// A `Principal` proves nothing. It becomes a [`VerifiedPrincipal`] in the hands of whoever
/// checked the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The kind of party.
    pub kind: PrincipalKind,
    /// Who it is, within `issuer`.
    pub subject: Subject,
    /// Who vouches for the subject: a token's `iss`, a trust domain. `None` for identities of our own.
    pub issuer: Option<Arc<str>>,
    /// The tenant. `None` denies wherever a tenant is needed.
    pub tenant: Option<Tenant>,
    /// The roles, in the order given.
    pub roles: Vec<Role>,
    /// The scopes, in the order given.
    pub scopes: Vec<Scope>,
    /// Whether the credential names a scope that speaks of a right and is not among `scopes`, because its issuer may not
    /// grant it. Where scopes limit what roles permit, such a credential is limited, also when it names no other.
    pub has_scopes_left_out: bool,
    /// Attributes for attribute-based decisions.
    pub attributes: Vec<Attribute>,
    /// For whom the party acts, when it does not act for itself.
    pub on_behalf_of: Option<Subject>,
    /// How and until when it was authenticated.
    pub authentication: Authentication,
}

impl Principal {
    /// A principal with nothing but a name: no tenant, no role, no scope.
    #[must_use]
    pub const fn new(
        kind: PrincipalKind,
        subject: Subject,
        authentication: Authentication,
    ) -> Self {
        Self {
            kind,
            subject,
            issuer: None,
            tenant: None,
            roles: Vec::new(),
            scopes: Vec::new(),
            has_scopes_left_out: false,
            attributes: Vec::new(),
            on_behalf_of: None,
            authentication,
        }
    }

    /// Whether `scope` was granted, by exact comparison.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted.as_str() == scope)
    }

    /// Whether the party has `role`, by exact comparison.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held.as_str() == role)
    }

    /// The bytes this principal occupies on the heap and in place, close enough for the
    /// accounting of a cache.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let texts = [
            self.subject.as_str().len(),
            self.tenant.as_ref().map_or(0, |tenant| {
                let project = tenant
                    .project
                    .as_ref()
                    .map_or(0, |project| project.as_str().len());
                tenant.org.as_str().len().saturating_add(project)
            }),
            self.on_behalf_of
                .as_ref()
                .map_or(0, |subject| subject.as_str().len()),
            self.authentication
                .credential_id
                .as_ref()
                .map_or(0, |id| id.len()),
            self.authentication
                .context_class
                .as_ref()
                .map_or(0, |class| class.as_str().len()),
        ];
        let methods = self
            .authentication
            .methods
            .iter()
            .map(|method| size_of::<MethodReference>().saturating_add(method.as_str().len()));
        let roles = self
            .roles
            .iter()
            .map(|role| role.as_str().len().saturating_add(size_of::<Role>()));
        let scopes = self
            .scopes
            .iter()
            .map(|scope| scope.as_str().len().saturating_add(size_of::<Scope>()));
        let attributes = self.attributes.iter().map(|attribute| {
            size_of::<Attribute>()
                .saturating_add(attribute.name.len())
                .saturating_add(attribute.value.len())
        });
        texts
            .into_iter()
            .chain(roles)
            .chain(scopes)
            .chain(attributes)
            .chain(methods)
            .fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// A [`Principal`] whose credential was checked: the proof that later steps demand.
///
/// It can only be made with an [`Attest`], so code that takes one cannot be called with a
/// principal that nobody verified. Cloning shares the principal.
///
/// ```compile_fail
/// # use ringwall_core::principal::{Principal, VerifiedPrincipal};
/// fn forge(principal: Principal) -> VerifiedPrincipal {
///     VerifiedPrincipal(std::sync::Arc::new(principal)) // the field is private
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPrincipal(Arc<Principal>);

impl VerifiedPrincipal {
    /// States that the credential behind `principal` was verified.
    #[must_use]
    pub fn attest(principal: Principal, _capability: Attest) -> Self {
        Self(Arc::new(principal))
    }
}

impl Deref for VerifiedPrincipal {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_could_break_a_log_line_or_a_key() {
        for text in [
            "",
            "a\nb",
            "a\u{0}",
            "\u{202e}nimda",
            "a\u{2028}b",
            "a\u{200f}b",
            "a\u{61c}b",
            &"x".repeat(256),
        ] {
            assert!(Subject::new(text).is_err(), "{text:?}");
        }
        for text in ["", "a b", "ä", "a\tb", &"x".repeat(129)] {
            assert!(OrgId::new(text).is_err(), "{text:?}");
            assert!(ProjectId::new(text).is_err(), "{text:?}");
        }
        for text in ["", "cases read", "a\"b", "a\\b", "é"] {
            assert!(Scope::new(text).is_err(), "{text:?}");
            assert!(ContextClass::new(text).is_err(), "{text:?}");
        }
        for text in ["", "a b", "ä", "a\tb", &"x".repeat(129)] {
            assert!(MethodReference::new(text).is_err(), "{text:?}");
        }
        assert!(ContextClass::new("x".repeat(256)).is_err());
        assert!(ContextClass::new("urn:mace:incommon:iap:silver").is_ok());
        assert!(Subject::new("x".repeat(255)).is_ok());
        assert!(Subject::new("Zoë Ω").is_ok());
        assert!(Scope::new("cases:read").is_ok());
    }

    #[test]
    fn an_invalid_name_is_not_repeated_in_the_error() {
        let error = Subject::new("secret\n").expect_err("a control character");
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn compares_scopes_and_roles_exactly() {
        let authentication = Authentication::new(AuthenticationMethod::Token);
        let mut principal = Principal::new(
            PrincipalKind::User,
            Subject::new("u1").expect("valid"),
            authentication,
        );
        principal.scopes.push(Scope::new("cases:*").expect("valid"));
        principal.roles.push(Role::new("admin").expect("valid"));
        assert!(principal.has_scope("cases:*") && principal.has_role("admin"));
        for scope in ["cases:read", "cases:", "CASES:*", "*", ""] {
            assert!(!principal.has_scope(scope), "{scope}");
        }
        for role in ["Admin", "admin ", "аdmin"] {
            assert!(!principal.has_role(role), "{role}");
        }
    }

    #[test]
    fn what_is_known_of_an_authentication_counts_in_the_footprint() {
        let authentication = Authentication::new(AuthenticationMethod::Token);
        let subject = Subject::new("u1").expect("valid");
        let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
        let before = principal.footprint();
        principal.authentication.context_class =
            Some(ContextClass::new("x".repeat(200)).expect("valid"));
        assert_eq!(principal.footprint(), before + 200);
        let method = MethodReference::new("x".repeat(100)).expect("valid");
        principal.authentication.methods = vec![method; 3];
        let each = size_of::<MethodReference>() + 100;
        assert_eq!(principal.footprint(), before + 200 + 3 * each);
    }
}
