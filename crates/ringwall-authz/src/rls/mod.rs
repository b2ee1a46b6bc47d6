//! The policy as row-level security of PostgreSQL.

mod conditions;
mod migration;
mod parts;
mod told;

use crate::filter::FilterError;
use crate::policy::Policy;
use migration::migration;
pub use parts::{
    FunctionPath, RowLevelSecurityParts, SecuredTable, SecurityFunction, SecurityPolicy,
};

/// Where the generated statements put things, and for whom they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLevelSecurityOptions {
    runtime_role: String,
    schema: String,
    attributes: String,
}

/// A name is no identifier: letters, digits and underscores, beginning with a letter or an underscore, 63 at most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name is no identifier: letters, digits and underscores, beginning with a letter or an underscore, 63 at most"
)]
pub struct InvalidIdentifier;

impl RowLevelSecurityOptions {
    /// For a service that connects as `runtime_role`. The functions stand in the schema `ringwall`; the attributes of
    /// subjects are read from `ringwall_user_attributes`.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn new(runtime_role: &str) -> Result<Self, InvalidIdentifier> {
        Ok(Self {
            runtime_role: identifier(runtime_role, 1)?,
            schema: "ringwall".to_owned(),
            attributes: "ringwall_user_attributes".to_owned(),
        })
    }

    /// Puts the functions into this schema, which names this policy among others of the same database. Each has a runtime
    /// role of its own too.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn schema(mut self, schema: &str) -> Result<Self, InvalidIdentifier> {
        self.schema = identifier(schema, 1)?;
        Ok(self)
    }

    /// Reads the attributes of subjects from this table, which has the columns of `ringwall_user_attributes`. With its
    /// schema, so that it does not depend on who looks for it: `app.ringwall_user_attributes`.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn attributes_table(mut self, table: &str) -> Result<Self, InvalidIdentifier> {
        self.attributes = identifier(table, 2)?;
        Ok(self)
    }
}

fn identifier(name: &str, parts: usize) -> Result<String, InvalidIdentifier> {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && part.len() <= 63
    };
    if name.split('.').count() > parts || !name.split('.').all(is_part) {
        return Err(InvalidIdentifier);
    }
    Ok(name.to_owned())
}

impl Policy {
    /// The statements that make PostgreSQL (15 or later) hold this policy by itself, for each type of resource that
    /// has a table: as a migration, to be run by the owner of the tables, after the tables are
    /// there. Running it again, or that of a later policy, replaces what an earlier one made, by the schema of its
    /// functions.
    ///
    /// Policies are changed in one transaction. Before it, each table of resources gets an index that begins with the
    /// column of the organisation, unless there is one of that name, in a transaction of its own, which stops writers
    /// while it builds. The name is `ringwall_` and the table's, with its schema if the policy names one, and `_tenant`,
    /// as in `ringwall_app_cases_tenant`: who cannot wait makes it before, with `CREATE INDEX CONCURRENTLY`.
    ///
    /// Two policies in one database have two schemas of functions and two runtime roles. They share the tables of what is
    /// known of subjects, and no table of resources: there, the rows of one are nothing to the other, so the migration
    /// ends with an error.
    ///
    /// It also ends with an error if a condition would ask an operator or a function that is not PostgreSQL's own and
    /// stands on the search path.
    ///
    /// What it is good for: a query that forgot its WHERE shows nothing of another tenant, and nothing that the policy
    /// does not permit. What it is not: a defence against whoever can run statements of its own as the runtime role,
    /// since those can say who the subject is.
    ///
    /// # Errors
    ///
    /// [`FilterError::NotPushable`] when a rule asks what no column holds; [`FilterError::TooManyRules`] when more than
    /// [`MAX_FILTER_RULES`](crate::MAX_FILTER_RULES) say who may do one action.
    pub fn row_level_security(
        &self,
        options: &RowLevelSecurityOptions,
    ) -> Result<String, FilterError> {
        let parts = self.row_level_security_parts(options)?;
        Ok(migration(
            &self.compiled().document.name,
            &self.hash().to_string(),
            &parts,
        ))
    }
}
