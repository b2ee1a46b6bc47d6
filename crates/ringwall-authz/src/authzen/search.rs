//! The searches (§8).

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Subject as SubjectId, VerifiedPrincipal};

use super::attributes;
use super::entity::{ActionEntity, MAX_NAME_BYTES, ResourceEntity, SubjectEntity};
use super::error::AuthzenError;
use super::evaluator::{Evaluator, OBLIGATIONS, Session, kind};
use super::json::JsonObject;
use super::obligations;
use super::page::{Next, Page, RequestDigest, other_token};
use super::request::{
    ActionSearchRequest, AskedEvaluation, ResourceSearchRequest, SubjectSearchRequest,
};
use super::resource_listing::{ListingError, MAX_CURSOR_BYTES, ResourcePage, ResourceQuery};
use super::response::SearchResponse;
use crate::filter::FilterError;

/// The most subjects that one search looks at. Behind them the page ends, with a token for the next one: each is a look
/// into the directory.
pub const MAX_SEARCHED_SUBJECTS: usize = 256;

/// How many are listed at once.
const LISTED_AT_ONCE: usize = 64;

impl Evaluator {
    /// Who may do it (§8.4): of each listed subject the policy is asked, so a result is what an evaluation permits.
    ///
    /// A page may have fewer results than its limit, or none, and still a next one. The token of such a page holds the name
    /// of the subject that was looked at last, whether or not it may.
    ///
    /// # Errors
    ///
    /// [`AuthzenError`].
    pub async fn search_subjects(
        &self,
        pep: &VerifiedPrincipal,
        request: &SubjectSearchRequest,
        now: Timestamp,
    ) -> Result<SearchResponse<SubjectEntity>, AuthzenError> {
        let (listing, listed) = self
            .subject_listing
            .as_ref()
            .ok_or(AuthzenError::NotOffered)?;
        let asked = (
            &request.subject,
            &request.action,
            &request.resource,
            &request.context,
        );
        let page = request.page.as_ref();
        let mut session = self.session(pep, now);
        let digest = RequestDigest::new("subject", session.tenant.as_ref(), &asked, page)?;
        let page = Page::open(page, digest)?;
        let nobody = SubjectEntity::new(request.subject.kind.as_str(), "");
        let asked = AskedEvaluation {
            subject: &nobody,
            action: &request.action,
            resource: &request.resource,
            context: Some(&request.context),
        };
        let is_answered = session.judge_question(&asked)?.is_some();
        let statement = session.statement(asked.context)?;
        let (Some(tenant), false, true) = (
            session.tenant.clone(),
            is_answered,
            kind(&request.subject.kind) == Some(*listed),
        ) else {
            return Ok(found(&page, Vec::new(), &Next::End));
        };
        let mut last = page.after.as_deref().map(SubjectId::new).transpose();
        let mut last = last.as_mut().map_err(|_| other_token())?.take();
        let mut results = Vec::new();
        let mut looked_at: usize = 0;
        loop {
            let left = MAX_SEARCHED_SUBJECTS.saturating_sub(looked_at);
            if results.len() >= page.limit || left == 0 {
                let next = Next::Behind(last.map(|last| last.as_str().to_owned()));
                return Ok(found(&page, results, &next));
            }
            let number = left.min(LISTED_AT_ONCE);
            let subjects = listing.subjects(&tenant.org, last.as_ref(), number).await?;
            let is_end = subjects.len() < number;
            for subject in subjects.into_iter().take(number) {
                if results.len() >= page.limit {
                    let next = Next::Behind(last.map(|last| last.as_str().to_owned()));
                    return Ok(found(&page, results, &next));
                }
                let about = session
                    .about_one(*listed, subject.clone(), &statement)
                    .await?;
                if session.judge(&about, &asked, &statement)?.is_yes() {
                    results.push(SubjectEntity::new(listed.as_str(), subject.as_str()));
                }
                looked_at = looked_at.saturating_add(1);
                last = Some(subject);
            }
            if is_end {
                return Ok(found(&page, results, &Next::End));
            }
        }
    }

    /// Upon what it may be done (§8.5), by the policy's row filter.
    ///
    /// The answer tells the obligations of all rules that may permit some of the rows, so for one row an evaluation may owe
    /// less. Where the enforcement point does not handle them all, nothing is found, also where an evaluation permits some
    /// of the rows: fewer are told, never more.
    ///
    /// # Errors
    ///
    /// [`AuthzenError`]; [`AuthzenError::Filter`] for types of which the policy names no table, and for rules that ask what
    /// no database can answer.
    pub async fn search_resources(
        &self,
        pep: &VerifiedPrincipal,
        request: &ResourceSearchRequest,
        now: Timestamp,
    ) -> Result<SearchResponse<ResourceEntity>, AuthzenError> {
        let listing = self
            .resource_listing
            .as_ref()
            .ok_or(AuthzenError::NotOffered)?;
        let asked = (
            &request.subject,
            &request.action,
            &request.resource,
            &request.context,
        );
        let page = request.page.as_ref();
        let mut session = self.session(pep, now);
        let digest = RequestDigest::new("resource", session.tenant.as_ref(), &asked, page)?;
        let page = Page::open(page, digest)?;
        let context = Some(&request.context);
        let statement = session.statement(context)?;
        attributes::context(&session.policy, context, now)?;
        let Some(about) = session.about(&request.subject, &statement).await? else {
            return Ok(found(&page, Vec::new(), &Next::End));
        };
        let context = attributes::context(&session.policy, context, now)?;
        let kind = &request.resource.kind;
        let filter = session
            .policy
            .filter(&about.subject, &request.action.name, kind, &context);
        let filter = match filter {
            Ok(filter) => filter,
            Err(FilterError::UnknownResourceType | FilterError::UnknownAction) => {
                return Ok(found(&page, Vec::new(), &Next::End));
            }
            Err(
                error @ (FilterError::NoTable
                | FilterError::NotPushable { .. }
                | FilterError::TooManyRules { .. }
                | FilterError::OtherPolicy),
            ) => return Err(error.into()),
        };
        let Some(rows) = filter
            .rows()
            .filter(|rows| statement.handled.handles(rows.obligations()))
        else {
            return Ok(found(&page, Vec::new(), &Next::End));
        };
        if page.limit == 0 {
            let next = Next::Behind(page.after.clone());
            return Ok(found(&page, Vec::new(), &next));
        }
        let query = ResourceQuery {
            resource_type: kind.as_str().into(),
            rows: rows.clone(),
            after: page.after.clone(),
            limit: page.limit,
        };
        let owed = rows.obligations().to_vec();
        let ResourcePage { ids, next } = match listing.resources(query).await {
            Ok(listed) => listed,
            Err(ListingError::UnknownCursor) => return Err(other_token().into()),
            Err(error @ (ListingError::Unavailable { .. } | ListingError::BrokenContract)) => {
                return Err(error.into());
            }
        };
        let is_kept = ids.len() <= page.limit
            && ids.iter().all(|id| id.len() <= MAX_NAME_BYTES)
            && next
                .as_ref()
                .is_none_or(|next| next.len() <= MAX_CURSOR_BYTES);
        if !is_kept {
            return Err(ListingError::BrokenContract.into());
        }
        let results = ids
            .into_iter()
            .map(|id| ResourceEntity::new(kind.as_str(), id));
        let next = next.map_or(Next::End, |next| Next::Behind(Some(next)));
        let mut response = found(&page, results.collect(), &next);
        if !owed.is_empty() {
            let told = obligations::told(&owed);
            response.context.insert(OBLIGATIONS.to_owned(), told);
        }
        Ok(response)
    }

    /// What may be done (§8.6): of each action of the type the policy is asked, in the policy's order.
    ///
    /// # Errors
    ///
    /// [`AuthzenError`].
    pub async fn search_actions(
        &self,
        pep: &VerifiedPrincipal,
        request: &ActionSearchRequest,
        now: Timestamp,
    ) -> Result<SearchResponse<ActionEntity>, AuthzenError> {
        let asked = (&request.subject, &request.resource, &request.context);
        let page = request.page.as_ref();
        let mut session = self.session(pep, now);
        let digest = RequestDigest::new("action", session.tenant.as_ref(), &asked, page)?;
        let page = Page::open(page, digest)?;
        let actions = actions(&session, &request.resource.kind);
        let behind = match &page.after {
            None => 0,
            Some(last) => actions
                .iter()
                .position(|action| action.name == *last)
                .ok_or_else(other_token)?
                .saturating_add(1),
        };
        let nothing = ActionEntity::new("");
        let statement = session.statement(Some(&request.context))?;
        if session
            .judge_question(&about_action(request, &nothing))?
            .is_some()
        {
            return Ok(found(&page, Vec::new(), &Next::End));
        }
        let Some(about) = session.about(&request.subject, &statement).await? else {
            return Ok(found(&page, Vec::new(), &Next::End));
        };
        let mut results: Vec<ActionEntity> = Vec::new();
        let mut last = page.after.clone();
        for action in actions.into_iter().skip(behind) {
            if results.len() >= page.limit {
                return Ok(found(&page, results, &Next::Behind(last)));
            }
            last = Some(action.name.clone());
            if session
                .judge(&about, &about_action(request, &action), &statement)?
                .is_yes()
            {
                results.push(action);
            }
        }
        Ok(found(&page, results, &Next::End))
    }
}

fn about_action<'a>(
    request: &'a ActionSearchRequest,
    action: &'a ActionEntity,
) -> AskedEvaluation<'a> {
    AskedEvaluation {
        subject: &request.subject,
        action,
        resource: &request.resource,
        context: Some(&request.context),
    }
}

/// All actions of a type.
fn actions(session: &Session<'_>, resource_type: &str) -> Vec<ActionEntity> {
    let compiled = session.policy.compiled();
    let shape = compiled
        .find_type(resource_type)
        .and_then(|number| compiled.resource_type(number));
    let names = shape.into_iter().flat_map(|shape| &shape.actions);
    names.map(|name| ActionEntity::new(&**name)).collect()
}

fn found<T>(page: &Page, results: Vec<T>, next: &Next) -> SearchResponse<T> {
    SearchResponse {
        page: Some(page.response(results.len(), next)),
        context: JsonObject::new(),
        results,
    }
}
