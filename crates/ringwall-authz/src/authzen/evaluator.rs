//! The questions before a policy (§6, §7).

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Scope, Subject as SubjectId,
    Tenant, VerifiedPrincipal,
};

use super::attributes::{self, Unanswerable};
use super::entity::SubjectEntity;
use super::error::{AuthzenError, InvalidRequest};
use super::json::{JsonObject, JsonValue};
use super::obligations::{self, HandledObligations};
use super::request::{AskedEvaluation, EvaluationRequest, EvaluationsRequest};
use super::resource_listing::ResourceListing;
use super::response::{EvaluationResponse, EvaluationsResponse};
use super::statement::Statement;
use crate::decision::Decision;
use crate::directory::{DirectoryError, SubjectListing};
use crate::handle::{PolicyHandle, Question};
use crate::policy::Policy;
use crate::resolve::{KnownSubject, SubjectResolver};
use crate::resource::UnknownResourceType;
use crate::subject::Subject;

/// The property of a resource that says of which organisation it is.
pub const ORG_PROPERTY: &str = "org_id";

/// The property of a resource that says of which project it is.
pub const PROJECT_PROPERTY: &str = "project_id";

/// Answers what enforcement points ask, by a policy. Cloning shares it.
///
/// Each call is given the enforcement point, **authenticated**: its organisation is the one that is asked about, and one
/// that acts in none is permitted nothing that belongs to anybody. Who may ask at all is for the caller to decide: whoever
/// may, learns of everybody in that organisation.
///
/// One call holds one policy and one time, and asks the directory once for each subject, in the one spelling of its id.
#[derive(Clone)]
pub struct Evaluator {
    pub(super) policy: PolicyHandle,
    subjects: Arc<dyn SubjectResolver>,
    pub(super) subject_listing: Option<(Arc<dyn SubjectListing>, PrincipalKind)>,
    pub(super) resource_listing: Option<Arc<dyn ResourceListing>>,
    handled: HandledObligations,
    tells_reasons: bool,
}

impl Evaluator {
    /// Decides by `policy`, about what `subjects` tells.
    ///
    /// `subjects` is asked for a principal that showed no credential: kind, id and tenant, no issuer, no roles, no scopes.
    /// [`DirectorySubjects`](crate::DirectorySubjects) knows what to do with it. What believes credentials
    /// ([`CredentialSubjects`](crate::CredentialSubjects)) finds nothing to believe.
    #[must_use]
    pub fn new(policy: PolicyHandle, subjects: Arc<dyn SubjectResolver>) -> Self {
        Self {
            policy,
            subjects,
            subject_listing: None,
            resource_listing: None,
            handled: HandledObligations::none(),
            tells_reasons: false,
        }
    }

    /// Tells in the context of decisions why they are what they are, by stable names (`reason`) and the ids of rules
    /// (`rules`). Off unless asked for: whoever may ask learns how the policy is made.
    #[must_use]
    pub const fn tells_reasons(mut self) -> Self {
        self.tells_reasons = true;
        self
    }

    /// States that every enforcement point handles these obligations, also one that does not say so.
    #[must_use]
    pub const fn every_pep_handles(mut self, handled: HandledObligations) -> Self {
        self.handled = handled;
        self
    }

    /// Offers the search for subjects, among those of `listing`, which are all of this kind. Of other kinds none is found.
    #[must_use]
    pub fn search_subjects_of(
        mut self,
        listing: Arc<dyn SubjectListing>,
        kind: PrincipalKind,
    ) -> Self {
        self.subject_listing = Some((listing, kind));
        self
    }

    /// Offers the search for resources, as the application lists them.
    #[must_use]
    pub fn search_resources_of(mut self, listing: Arc<dyn ResourceListing>) -> Self {
        self.resource_listing = Some(listing);
        self
    }

    /// Whether it offers the search for subjects.
    #[must_use]
    pub const fn searches_subjects(&self) -> bool {
        self.subject_listing.is_some()
    }

    /// Whether it offers the search for resources.
    #[must_use]
    pub const fn searches_resources(&self) -> bool {
        self.resource_listing.is_some()
    }

    /// Answers one question (§6).
    ///
    /// # Errors
    ///
    /// [`AuthzenError`]; none of them is a decision.
    pub async fn evaluate(
        &self,
        pep: &VerifiedPrincipal,
        request: &EvaluationRequest,
        now: Timestamp,
    ) -> Result<EvaluationResponse, AuthzenError> {
        let mut session = self.session(pep, now);
        let asked = request.asked();
        let statement = session.statement(asked.context);
        session.evaluate(asked, statement).await
    }

    /// Answers several questions, in their order (§7). What is wrong with one of them alone is told in its answer.
    ///
    /// # Errors
    ///
    /// [`AuthzenError`] when there is no answer to one of them; then there is none to any.
    pub async fn evaluate_all(
        &self,
        pep: &VerifiedPrincipal,
        request: &EvaluationsRequest,
        now: Timestamp,
    ) -> Result<EvaluationsResponse, AuthzenError> {
        let mut session = self.session(pep, now);
        if request.evaluations.is_empty() {
            let asked = request.asked(None)?;
            let statement = session.statement(asked.context);
            let response = session.evaluate(asked, statement).await?;
            return Ok(EvaluationsResponse::Single(response));
        }
        let of_defaults = session.statement(request.defaults.context.as_ref());
        let mut evaluations = Vec::new();
        for (number, own) in request.evaluations.iter().enumerate() {
            let asked = request.asked(Some(number))?;
            let statement = match &own.context {
                // A context takes the place of the default one (§7.1.1). What limits all of them it does not lift, unless it
                // says otherwise.
                Some(context) => session.statement(Some(context)).and_then(|own| {
                    Ok(own.limited_as(of_defaults.as_ref().map_err(Clone::clone)?))
                }),
                None => of_defaults.clone(),
            };
            let response = match session.evaluate(asked, statement).await {
                Ok(response) => response,
                Err(AuthzenError::Invalid(fault)) => EvaluationResponse::fault(&fault),
                Err(
                    error @ (AuthzenError::Directory(_)
                    | AuthzenError::Listing(_)
                    | AuthzenError::Filter(_)
                    | AuthzenError::NotOffered),
                ) => return Err(error),
            };
            let is_last = request.semantic.stops_at(response.decision);
            evaluations.push(response);
            if is_last {
                break;
            }
        }
        Ok(EvaluationsResponse::Batch { evaluations })
    }

    pub(super) fn session(&self, pep: &VerifiedPrincipal, now: Timestamp) -> Session<'_> {
        let policy = self.policy.load();
        let tenant = match policy.canonical(pep) {
            Some(canonical) => canonical.tenant,
            None => pep.tenant.clone(),
        };
        Session {
            evaluator: self,
            policy,
            tenant,
            now,
            known: HashMap::new(),
        }
    }
}

/// One request: one policy, one time, and what was asked of the directory already.
pub(super) struct Session<'a> {
    evaluator: &'a Evaluator,
    pub(super) policy: Policy,
    /// In which the enforcement point acts, in the one spelling of its ids.
    pub(super) tenant: Option<Tenant>,
    pub(super) now: Timestamp,
    known: HashMap<Asked, Arc<AskedAbout>>,
}

/// About whom, and limited to which scopes.
type Asked = (PrincipalKind, SubjectId, Option<Arc<[Scope]>>);

/// Somebody who is asked about.
pub(super) struct AskedAbout {
    known: KnownSubject,
    pub(super) subject: Subject,
}

/// What became of one question.
pub(super) enum Verdict {
    /// The answer is no, before any rule was looked at.
    No(&'static str),
    /// The policy's answer, and whether its obligations are handled.
    Decided(Decision, bool),
}

impl Verdict {
    /// Whether the answer is yes.
    pub(super) fn is_yes(&self) -> bool {
        match self {
            Self::No(_) => false,
            Self::Decided(decision, is_handled) => decision.is_permit() && *is_handled,
        }
    }
}

impl Session<'_> {
    async fn evaluate(
        &mut self,
        asked: AskedEvaluation<'_>,
        statement: Result<Statement, InvalidRequest>,
    ) -> Result<EvaluationResponse, AuthzenError> {
        // What is wrong with the question is told whoever it is about, and before a directory is asked.
        let judged = self.judge_question(&asked)?;
        let statement = statement?;
        if let Some(verdict) = judged {
            return Ok(self.response(&verdict));
        }
        let Some(about) = self.about(asked.subject, &statement).await? else {
            return Ok(self.response(&Verdict::No("unknown_subject")));
        };
        let verdict = self.judge(&about, &asked, &statement)?;
        Ok(self.response(&verdict))
    }

    /// Judges what does not depend on the subject. `None` when nothing is wrong.
    pub(super) fn judge_question(
        &self,
        asked: &AskedEvaluation<'_>,
    ) -> Result<Option<Verdict>, AuthzenError> {
        attributes::context(&self.policy, asked.context, self.now)?;
        match attributes::resource(&self.policy, asked.resource, self.tenant.as_ref()) {
            Ok(_) => Ok(None),
            Err(why) => no(why).map(Some),
        }
    }

    /// Judges a question about somebody.
    pub(super) fn judge(
        &self,
        about: &AskedAbout,
        asked: &AskedEvaluation<'_>,
        statement: &Statement,
    ) -> Result<Verdict, AuthzenError> {
        let tenant = self.tenant.as_ref();
        let resource = match attributes::resource(&self.policy, asked.resource, tenant) {
            Ok(resource) => resource,
            Err(why) => return no(why),
        };
        let context = attributes::context(&self.policy, asked.context, self.now)?;
        let action = &asked.action.name;
        let decision = self
            .policy
            .decide(&about.subject, action, &resource, &context);
        self.evaluator
            .policy
            .compare(&decision, action, |candidate| {
                // What the candidate cannot read it could not be asked.
                let unread = |_| UnknownResourceType;
                Ok(Question {
                    subject: about.known.for_policy(candidate),
                    resource: attributes::resource(candidate, asked.resource, tenant)
                        .map_err(|_| UnknownResourceType)?,
                    context: attributes::context(candidate, asked.context, self.now)
                        .map_err(unread)?,
                })
            });
        let is_handled = statement.handled.handles(decision.obligations());
        Ok(Verdict::Decided(decision, is_handled))
    }

    /// What the enforcement point states in the context of a question.
    pub(super) fn statement(
        &self,
        context: Option<&JsonObject>,
    ) -> Result<Statement, InvalidRequest> {
        Statement::read(self.evaluator.handled, context)
    }

    /// What is known of a subject of the enforcement point's organisation. `None` for who cannot be.
    pub(super) async fn about(
        &mut self,
        entity: &SubjectEntity,
        statement: &Statement,
    ) -> Result<Option<Arc<AskedAbout>>, DirectoryError> {
        let (Some(kind), Ok(id)) = (kind(&entity.kind), SubjectId::new(entity.id.as_str())) else {
            return Ok(None);
        };
        self.about_one(kind, id, statement).await.map(Some)
    }

    pub(super) async fn about_one(
        &mut self,
        kind: PrincipalKind,
        id: SubjectId,
        statement: &Statement,
    ) -> Result<Arc<AskedAbout>, DirectoryError> {
        // Nothing of it comes from the request but its kind and its name, the tenant is that of whoever asks, and it
        // showed no credential.
        let authentication = Authentication::new(AuthenticationMethod::Unchecked);
        let mut principal = Principal::new(kind, id, authentication);
        principal.tenant.clone_from(&self.tenant);
        // A directory compares texts, and knows each by one.
        let principal = self.policy.canonical(&principal).unwrap_or(principal);
        let mut asked = (kind, principal.subject.clone(), None);
        let about = match self.known.get(&asked) {
            Some(about) => Arc::clone(about),
            None => {
                let principal =
                    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
                let subjects = &self.evaluator.subjects;
                let known = subjects.resolve(&principal, self.now).await?;
                self.keep(asked.clone(), known)
            }
        };
        let Some(scopes) = &statement.scopes else {
            return Ok(about);
        };
        asked.2 = Some(Arc::clone(scopes));
        if let Some(about) = self.known.get(&asked) {
            return Ok(Arc::clone(about));
        }
        let known = about.known.clone().limited_to(Arc::clone(scopes));
        Ok(self.keep(asked, known))
    }

    fn keep(&mut self, asked: Asked, known: KnownSubject) -> Arc<AskedAbout> {
        let about = Arc::new(AskedAbout {
            subject: known.for_policy(&self.policy),
            known,
        });
        self.known.insert(asked, Arc::clone(&about));
        about
    }

    /// What is told of a verdict.
    fn response(&self, verdict: &Verdict) -> EvaluationResponse {
        let mut response = EvaluationResponse::new(verdict.is_yes());
        let (reason, rules) = match verdict {
            Verdict::No(reason) => (*reason, Vec::new()),
            Verdict::Decided(decision, is_handled) => {
                if verdict.is_yes() && !decision.obligations().is_empty() {
                    let told = obligations::told(decision.obligations());
                    response = response.with(OBLIGATIONS, told);
                }
                let reason = if decision.is_permit() && !is_handled {
                    "obligation_not_handled"
                } else {
                    decision.cause().as_str()
                };
                let rules = decision.determining_rules().map(JsonValue::from);
                (reason, rules.collect())
            }
        };
        if self.evaluator.tells_reasons {
            response = response.with("reason", reason.into());
            if !rules.is_empty() {
                response = response.with("rules", JsonValue::Array(rules));
            }
        }
        response
    }
}

/// The key of an answer's context under which obligations are told.
pub(super) const OBLIGATIONS: &str = "obligations";

fn no(why: Unanswerable) -> Result<Verdict, AuthzenError> {
    match why {
        Unanswerable::UnknownResourceType => Ok(Verdict::No("unknown_resource_type")),
        Unanswerable::ImpossibleId => Ok(Verdict::No("unknown_resource")),
        Unanswerable::Invalid(fault) => Err(fault.into()),
    }
}

pub(super) fn kind(name: &str) -> Option<PrincipalKind> {
    [
        PrincipalKind::User,
        PrincipalKind::Service,
        PrincipalKind::Agent,
        PrincipalKind::ApiKey,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == name)
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator")
            .field("policy", &self.policy.load().hash())
            .field("subjects", &self.subjects)
            .field("subject_listing", &self.subject_listing)
            .field("resource_listing", &self.resource_listing)
            .field("handled", &self.handled)
            .field("tells_reasons", &self.tells_reasons)
            .finish()
    }
}
