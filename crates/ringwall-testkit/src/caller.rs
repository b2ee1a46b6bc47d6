//! From whom a request comes.

use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::VerifiedPrincipal;

use crate::failure::fail;
use crate::kit::Kit;
use crate::principal::PrincipalDraft;
use crate::token::{Token, TokenDraft};

/// Who sends requests that assertions make up, unless the test says another.
const SOMEBODY: &str = "alice";

/// What a request can carry: see [`TestRequest::with`](crate::TestRequest::with).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// None.
    Nobody,
    /// A token that is issued when the request is sent.
    Draft(TokenDraft),
    /// A token, good or bad.
    Token(Token),
    /// A caller for whom the test vouches.
    Principal(PrincipalDraft),
    /// The same, made elsewhere.
    Verified(VerifiedPrincipal),
}

impl From<TokenDraft> for Credentials {
    fn from(draft: TokenDraft) -> Self {
        Self::Draft(draft)
    }
}

impl From<Token> for Credentials {
    fn from(token: Token) -> Self {
        Self::Token(token)
    }
}

impl From<&Token> for Credentials {
    fn from(token: &Token) -> Self {
        Self::Token(token.clone())
    }
}

impl From<PrincipalDraft> for Credentials {
    fn from(draft: PrincipalDraft) -> Self {
        Self::Principal(draft)
    }
}

impl From<VerifiedPrincipal> for Credentials {
    fn from(principal: VerifiedPrincipal) -> Self {
        Self::Verified(principal)
    }
}

/// The caller of a request, and what the assertions make of it.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `None` until the test says who: the request itself then comes from nobody.
    said: Option<Credentials>,
    /// Whom the assertions vary.
    base: Base,
    /// The tenant was said, so that somebody has to be.
    in_tenant: bool,
}

/// A good caller that an assertion can take things away from.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    Token(TokenDraft),
    Principal(PrincipalDraft),
    /// Something finished, which cannot be varied.
    Fixed,
}

impl Caller {
    #[track_caller]
    pub(crate) fn new(kit: &Kit) -> Self {
        Self {
            said: None,
            base: Base::Token(kit.token(SOMEBODY)),
            in_tenant: false,
        }
    }

    pub(crate) fn with(mut self, credentials: Credentials) -> Self {
        self.base = match &credentials {
            Credentials::Draft(draft) => Base::Token(draft.clone()),
            Credentials::Principal(draft) => Base::Principal(draft.clone()),
            Credentials::Nobody | Credentials::Token(_) | Credentials::Verified(_) => Base::Fixed,
        };
        self.said = Some(credentials);
        self
    }

    #[track_caller]
    pub(crate) fn in_org(self, org: &str) -> Self {
        self.change(|draft| draft.org(org), |draft| draft.org(org))
    }

    #[track_caller]
    pub(crate) fn in_project(self, project: &str) -> Self {
        self.change(
            |draft| draft.project(project),
            |draft| draft.project(project),
        )
    }

    #[track_caller]
    fn change(
        mut self,
        token: impl FnOnce(TokenDraft) -> TokenDraft,
        principal: impl FnOnce(PrincipalDraft) -> PrincipalDraft,
    ) -> Self {
        self.base = match self.base {
            Base::Token(draft) => Base::Token(token(draft)),
            Base::Principal(draft) => Base::Principal(principal(draft)),
            Base::Fixed => fail(
                "the caller is finished already: say its organisation where the token or principal is made",
            ),
        };
        self.in_tenant = true;
        if self.said.is_some() {
            self.said = Some(self.base.credentials());
        }
        self
    }

    /// What the request itself carries.
    #[track_caller]
    pub(crate) fn sends(&self) -> Credentials {
        match &self.said {
            Some(credentials) => credentials.clone(),
            None if self.in_tenant => fail(
                "the request names a tenant and comes from nobody: say who with `.as_user(…)` or `.with(…)`",
            ),
            None => Credentials::Nobody,
        }
    }

    /// Whom the assertion `what` varies.
    #[track_caller]
    pub(crate) fn base(&self, what: &str) -> &Base {
        match &self.base {
            Base::Fixed => fail(&format!(
                "`{what}` makes callers of its own: give the request a draft (`kit.token(…)`, \
                 `principal::user(…)`), not a finished token or principal"
            )),
            base @ (Base::Token(_) | Base::Principal(_)) => base,
        }
    }
}

impl Base {
    #[track_caller]
    pub(crate) fn credentials(&self) -> Credentials {
        match self {
            Self::Token(draft) => Credentials::Draft(draft.clone()),
            Self::Principal(draft) => Credentials::Principal(draft.clone()),
            Self::Fixed => Credentials::Nobody,
        }
    }

    /// The scopes that the test gave it.
    pub(crate) fn granted(&self) -> Vec<&str> {
        match self {
            Self::Token(draft) => draft.granted(),
            Self::Principal(draft) => draft.granted(),
            Self::Fixed => Vec::new(),
        }
    }

    /// The same with these scopes and no others.
    #[track_caller]
    pub(crate) fn with_exactly(&self, scopes: &[&str]) -> Self {
        match self {
            Self::Token(draft) => Self::Token(draft.clone().with_exactly(scopes)),
            Self::Principal(draft) => Self::Principal(draft.clone().with_exactly(scopes)),
            Self::Fixed => Self::Fixed,
        }
    }

    /// The same under another name.
    #[track_caller]
    pub(crate) fn named(&self, subject: &str) -> Self {
        match self {
            Self::Token(draft) => Self::Token(draft.clone().named(subject)),
            Self::Principal(draft) => Self::Principal(draft.clone().named(subject)),
            Self::Fixed => Self::Fixed,
        }
    }

    pub(crate) fn without_org(&self) -> Self {
        match self {
            Self::Token(draft) => Self::Token(draft.clone().without_org()),
            Self::Principal(draft) => Self::Principal(draft.clone().without_org()),
            Self::Fixed => Self::Fixed,
        }
    }

    /// The same with a login of this class and no other, or of none.
    #[track_caller]
    pub(crate) fn with_acr(&self, class: Option<&str>) -> Self {
        match self {
            Self::Token(draft) => Self::Token(draft.clone().with_acr(class)),
            Self::Principal(draft) => Self::Principal(draft.clone().with_acr(class)),
            Self::Fixed => Self::Fixed,
        }
    }

    /// The same with a login this long before `now`, or at a time that nobody knows.
    pub(crate) fn logged_in(&self, ago: Option<Duration>, now: Timestamp) -> Self {
        match self {
            Self::Token(draft) => Self::Token(draft.clone().logged_in(ago)),
            Self::Principal(draft) => {
                let at = ago.and_then(|ago| now.checked_sub(ago));
                Self::Principal(draft.clone().logged_in(at))
            }
            Self::Fixed => Self::Fixed,
        }
    }

    pub(crate) const fn has_org(&self) -> bool {
        match self {
            Self::Token(draft) => draft.has_org(),
            Self::Principal(draft) => draft.has_org(),
            Self::Fixed => false,
        }
    }

    /// The draft of a token with the same grants, for what only tokens can be.
    #[track_caller]
    pub(crate) fn token(&self, kit: &Kit) -> TokenDraft {
        match self {
            Self::Token(draft) => draft.clone(),
            Self::Principal(_) | Self::Fixed => kit.token(SOMEBODY).scopes(self.granted()),
        }
    }
}
