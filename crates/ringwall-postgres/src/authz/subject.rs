//! Who acts, told to a session for one transaction.

use ringwall_authz::{Context, SessionError, Subject, session_settings};
use sqlx::postgres::PgTransactionManager;
use sqlx::{Postgres, QueryBuilder, Transaction};
use sqlx_core::transaction::TransactionManager as _;

use crate::Error;

/// Tells a transaction who acts, for [row-level security](ringwall_authz::Policy::row_level_security).
///
/// It exists for transactions alone: what a connection of a pool were told outside of one, the next caller would
/// inherit.
///
/// ```compile_fail,E0599
/// # use ringwall_authz::{Context, Subject};
/// use ringwall_postgres::WithSubject as _;
///
/// # async fn example(mut connection: sqlx::PgConnection, subject: &Subject, context: &Context<'_>) {
/// // no method named `with_subject` found for struct `PgConnection`
/// connection.with_subject(subject, context).await;
/// # }
/// ```
pub trait WithSubject {
    /// From here to its end, the transaction acts for `subject`: whatever subject it was told before is forgotten, and
    /// with the transaction this one is.
    ///
    /// It is told to whole transactions alone. What a savepoint (a transaction within another one) were told would
    /// outlive its release, and the outer transaction would go on as somebody else; so it is refused there, and what the
    /// outer transaction was told holds within it. A savepoint that was made by a statement of your own and not by
    /// sqlx's `begin` cannot be seen from here.
    ///
    /// # Errors
    ///
    /// [`SubjectError::Session`] for a subject that may do nothing at all; [`SubjectError::Nested`] within a savepoint:
    /// nothing was told then, and the transaction is as before. [`SubjectError::Database`] when the server did not take
    /// it. After any of them, do not go on with the transaction.
    fn with_subject(
        &mut self,
        subject: &Subject,
        context: &Context<'_>,
    ) -> impl Future<Output = Result<(), SubjectError>> + Send;
}

/// A transaction was not told who acts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// The subject may do nothing.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The transaction is a savepoint of another one, which would go on as this subject.
    #[error("a savepoint is not told who acts: what it is told would outlive it")]
    Nested,
    /// The server did not take it.
    #[error(transparent)]
    Database(Error),
}

impl WithSubject for Transaction<'_, Postgres> {
    async fn with_subject(
        &mut self,
        subject: &Subject,
        context: &Context<'_>,
    ) -> Result<(), SubjectError> {
        // Not `== 1`: a driver that counts otherwise must not be told either.
        if PgTransactionManager::get_transaction_depth(self) != 1 {
            return Err(SubjectError::Nested);
        }
        let mut query = QueryBuilder::<Postgres>::new("SELECT ");
        for (index, setting) in session_settings(subject, context)?.into_iter().enumerate() {
            if index > 0 {
                query.push(", ");
            }
            query.push("pg_catalog.set_config(");
            query.push_bind(setting.name);
            query.push(", ");
            query.push_bind(setting.value);
            query.push(", TRUE)");
        }
        query
            .build()
            .execute(&mut **self)
            .await
            .map_err(|error| SubjectError::Database(Error::of_database(error)))?;
        Ok(())
    }
}
