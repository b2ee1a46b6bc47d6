//! A change of what is known of one subject.

use super::DirectoryError;
use super::facts::{InvalidFact, MAX_FACTS, StoredAttribute, SubjectFacts, check_name};

/// A change of what is known of one subject in one organisation. Its texts were checked when it was made, so a directory
/// that is given one has nothing left to refuse but too many facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactChange {
    kind: FactChangeKind,
}

/// What a [`FactChange`] does. A directory matches on all of it: one that comes with a later version is a change that
/// breaks its stores at compile time, instead of one that they leave out in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactChangeKind {
    /// Gives this role.
    GrantRole(Box<str>),
    /// Takes this role.
    RevokeRole(Box<str>),
    /// Gives this value of an attribute. A value that is there already gets this end.
    GrantAttribute(StoredAttribute),
    /// Takes this value of an attribute, whatever its end.
    RevokeAttribute {
        /// The attribute.
        key: Box<str>,
        /// The value.
        value: Box<str>,
    },
    /// Adds the subject to this department.
    AddDepartment(Box<str>),
    /// Removes the subject from this department.
    RemoveDepartment(Box<str>),
    /// Takes all roles, attributes and departments.
    Forget,
}

fn name(name: &str) -> Result<Box<str>, InvalidFact> {
    check_name(name)?;
    Ok(name.into())
}

impl FactChange {
    const fn of(kind: FactChangeKind) -> Self {
        Self { kind }
    }

    /// Gives the subject a role.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`], as of all that follow.
    pub fn grant_role(role: &str) -> Result<Self, InvalidFact> {
        Ok(Self::of(FactChangeKind::GrantRole(name(role)?)))
    }

    /// Takes a role from the subject.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`].
    pub fn revoke_role(role: &str) -> Result<Self, InvalidFact> {
        Ok(Self::of(FactChangeKind::RevokeRole(name(role)?)))
    }

    /// Gives the subject a value of an attribute. A value that it has gets this end.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`].
    pub fn grant_attribute(attribute: StoredAttribute) -> Result<Self, InvalidFact> {
        attribute.check()?;
        Ok(Self::of(FactChangeKind::GrantAttribute(attribute)))
    }

    /// Takes a value of an attribute from the subject.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`].
    pub fn revoke_attribute(key: &str, value: &str) -> Result<Self, InvalidFact> {
        let attribute = StoredAttribute::new(key, value, None);
        attribute.check()?;
        let StoredAttribute { key, value, .. } = attribute;
        Ok(Self::of(FactChangeKind::RevokeAttribute { key, value }))
    }

    /// Makes the subject one of a department.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`].
    pub fn add_department(department: &str) -> Result<Self, InvalidFact> {
        Ok(Self::of(FactChangeKind::AddDepartment(name(department)?)))
    }

    /// Makes the subject none of a department.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`].
    pub fn remove_department(department: &str) -> Result<Self, InvalidFact> {
        let department = name(department)?;
        Ok(Self::of(FactChangeKind::RemoveDepartment(department)))
    }

    /// Forgets all that is known of the subject.
    #[must_use]
    pub const fn forget() -> Self {
        Self::of(FactChangeKind::Forget)
    }

    /// What it does.
    #[must_use]
    pub const fn kind(&self) -> &FactChangeKind {
        &self.kind
    }

    /// Whether the subject may have one fact more by it, so that its [bound](MAX_FACTS) must be looked at.
    #[must_use]
    pub const fn adds(&self) -> bool {
        matches!(
            self.kind,
            FactChangeKind::GrantRole(_)
                | FactChangeKind::GrantAttribute(_)
                | FactChangeKind::AddDepartment(_)
        )
    }

    /// What is known after it: the next version, names in order. For directories that keep facts as a whole.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Full`].
    pub fn apply(&self, facts: &SubjectFacts) -> Result<SubjectFacts, DirectoryError> {
        let mut changed = facts.clone();
        match &self.kind {
            FactChangeKind::GrantRole(role) => add(&mut changed.roles, role),
            FactChangeKind::RevokeRole(role) => changed.roles.retain(|own| own != role),
            FactChangeKind::GrantAttribute(attribute) => {
                let same = |own: &StoredAttribute| {
                    own.key == attribute.key && own.value == attribute.value
                };
                changed.attributes.retain(|own| !same(own));
                changed.attributes.push(attribute.clone());
                changed.attributes.sort_unstable();
            }
            FactChangeKind::RevokeAttribute { key, value } => changed
                .attributes
                .retain(|own| own.key != *key || own.value != *value),
            FactChangeKind::AddDepartment(department) => {
                add(&mut changed.departments, department);
            }
            FactChangeKind::RemoveDepartment(department) => {
                changed.departments.retain(|own| own != department);
            }
            FactChangeKind::Forget => changed = SubjectFacts::new(facts.version),
        }
        if self.adds() && changed.count() > MAX_FACTS {
            return Err(DirectoryError::Full);
        }
        changed.version = facts.version.saturating_add(1);
        Ok(changed)
    }
}

fn add(names: &mut Vec<Box<str>>, name: &str) {
    if let Err(place) = names.binary_search_by(|own| (**own).cmp(name)) {
        names.insert(place, name.into());
    }
}
