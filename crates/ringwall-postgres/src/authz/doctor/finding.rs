//! What is found, and what of it was accepted.

use core::fmt;
use core::str::FromStr;

/// Something that makes row-level security of a policy weaker than it looks, or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where: a role, a table, a view, a function. Tables that the policy names are written as it names them, everything
    /// else with its schema. The same thing is found under the same name again.
    pub object: String,
    /// What it allows.
    pub allows: String,
    /// How to repair it.
    pub repair: String,
    /// The operator has looked at it and accepts it.
    pub is_accepted: bool,
}

impl Finding {
    /// Whether rows can be seen or changed that should not be, and nobody accepted that.
    #[must_use]
    pub const fn is_open_hole(&self) -> bool {
        self.kind.is_hole() && !self.is_accepted
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of a database may hold anything, what moves a terminal's cursor too.
        write!(
            f,
            "{}:{}: {}; repair: {}",
            self.kind,
            printable(&self.object),
            printable(&self.allows),
            printable(&self.repair)
        )
    }
}

/// Control characters, and those that turn the direction of text, as their escapes.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        );
        if c.is_control() || turns {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// What came of an examination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Examination {
    /// Everything that was found, what was accepted too.
    pub findings: Vec<Finding>,
    /// What was accepted and is not there: repaired, or mistyped. Take it off the list, so that it does not cover what
    /// comes later.
    pub unused: Vec<AcceptedFinding>,
}

impl Examination {
    pub(super) fn of(mut findings: Vec<Finding>, accepted: &[AcceptedFinding]) -> Self {
        findings.sort_by(|left, right| (left.kind, &left.object).cmp(&(right.kind, &right.object)));
        findings.dedup();
        for finding in &mut findings {
            finding.is_accepted = accepted.iter().any(|one| one.covers(finding));
        }
        let unused = accepted
            .iter()
            .filter(|one| !findings.iter().any(|finding| one.covers(finding)))
            .cloned()
            .collect();
        Self { findings, unused }
    }

    /// No hole was found that nobody accepted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_open_hole)
    }
}

/// A finding that the operator has looked at and accepts: of this kind, at this object, and nothing else. It stays in
/// the report, as accepted.
///
/// As a text it is `CODE:OBJECT`, as a report says it, such as `View:app.masked_cases`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedFinding {
    /// What.
    pub kind: FindingKind,
    /// Where, as the finding says it.
    pub object: String,
}

impl AcceptedFinding {
    /// Accepts a finding of this kind at this object.
    #[must_use]
    pub fn new(kind: FindingKind, object: &str) -> Self {
        Self {
            kind,
            object: object.to_owned(),
        }
    }

    fn covers(&self, finding: &Finding) -> bool {
        // A name with characters that are not printed is accepted as it was printed.
        finding.kind == self.kind
            && (finding.object == self.object || printable(&finding.object) == self.object)
    }
}

impl fmt::Display for AcceptedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, printable(&self.object))
    }
}

/// It is not of the form `CODE:OBJECT` with the code of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not CODE:OBJECT with the code of a finding, such as View:app.masked_cases")]
pub struct InvalidAcceptance;

impl FromStr for AcceptedFinding {
    type Err = InvalidAcceptance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (code, object) = text.split_once(':').ok_or(InvalidAcceptance)?;
        let kind = FindingKind::ALL
            .into_iter()
            .find(|kind| kind.code() == code)
            .ok_or(InvalidAcceptance)?;
        if object.is_empty() {
            return Err(InvalidAcceptance);
        }
        Ok(Self::new(kind, object))
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident: $is_hole:literal,)+) => {
        /// What [`examine`](super::examine) finds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// Its name in reports and in what is accepted. It does not change.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Whether rows can be seen or changed that should not be, or could not be looked at. What is no hole tells
            /// a little, breaks, or is slow.
            #[must_use]
            pub const fn is_hole(self) -> bool {
                match self {
                    $(Self::$name => $is_hole,)+
                }
            }
        }
    };
}

kinds! {
    /// The runtime role does not exist. Nothing was looked at.
    NoRole: true,
    /// The runtime role is a superuser or has BYPASSRLS, or is a member of such a role.
    RoleBypasses: true,
    /// The runtime role may give itself other roles, reach the server's files, or follow its log.
    RoleTooPowerful: true,
    /// The runtime role owns a table, or is a member of its owner: it can switch its security off.
    RoleOwnsTable: true,
    /// A role that is a member of the runtime role, and so may be what the service connects as, bypasses security.
    MemberBypasses: true,
    /// A role that is a member of the runtime role may give itself other roles, reach the server's files, or follow its
    /// log.
    MemberTooPowerful: true,
    /// A role that is a member of the runtime role owns a table, or may become its owner.
    MemberOwnsTable: true,
    /// A setting that says who acts is preset for a role, for the database or for the server.
    ContextSetting: true,
    /// A preset search path leads to another table of the same name, or there is one that the runtime role may use, to which
    /// the path of its own session may lead.
    SearchPath: true,
    /// `row_security` is preset to off: statements fail instead of seeing less.
    RowSecurityOff: false,
    /// The runtime role has a privilege that rows are not asked about, such as TRUNCATE, or one that no action is; or
    /// everybody has one.
    PrivilegeTooWide: true,
    /// The runtime role, or everybody, may create things in a schema of the tables.
    OpenSchema: true,
    /// A table of the policy does not exist.
    NoTable: true,
    /// A column of the policy does not exist, or is of a type that is not compared as the policy compares.
    Column: true,
    /// Row-level security is not enabled.
    NotEnabled: true,
    /// It is enabled and not forced, so the owner sees every row.
    NotForced: true,
    /// The policies of the table are missing, or are of another version of the policy.
    OtherPolicies: true,
    /// A policy has the right name and other conditions, another command or other roles.
    AlteredPolicy: true,
    /// What is installed could not be compared with what should be.
    NotCompared: true,
    /// There is a policy beside those of this policy: it permits what this one does not, or hides what is known of subjects.
    ForeignPolicy: true,
    /// A policy that was generated once stayed on a table that this policy does not name.
    StalePolicy: true,
    /// A condition asks an operator or a function that is neither PostgreSQL's own nor one of this policy.
    ForeignOperator: true,
    /// A function that policies call is missing, or is another one.
    HelperFunction: true,
    /// A function that policies call, or its schema, can be replaced by the runtime role.
    HelperOwner: true,
    /// A function that policies call looks for tables where others could put one.
    HelperPath: true,
    /// A view reads the table as its owner.
    View: true,
    /// A rule reads or writes the table as the owner of another one, or does more than what a statement says.
    Rule: true,
    /// A function runs as its owner, and the runtime role may call it.
    DefinerFunction: true,
    /// A trigger runs as the owner of its function.
    DefinerTrigger: true,
    /// A function is said to tell nothing of its arguments, and so is asked before the policies.
    LeakproofFunction: true,
    /// A partition or a child of the table can be read past its policies.
    Child: true,
    /// A table that this one is a partition or a child of can be read, with all its rows.
    Parent: true,
    /// A table of another server that the runtime role may use: it has no row-level security.
    ForeignTable: true,
    /// A table that the runtime role may use has no row-level security at all.
    UnprotectedTable: true,
    /// A unique or foreign key without the organisation tells whether another one has a row.
    KeyAcrossTenants: false,
    /// No index begins with the column of the organisation.
    NoTenantIndex: false,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: FindingKind, object: &str) -> Finding {
        Finding {
            kind,
            object: object.to_owned(),
            allows: "everything".to_owned(),
            repair: "do not".to_owned(),
            is_accepted: false,
        }
    }

    #[test]
    fn what_is_accepted_covers_one_kind_at_one_object_and_stays_in_the_report() {
        let accepted: Vec<AcceptedFinding> = ["View:app.v", "Rule:app.r"]
            .map(|text| text.parse().expect("an acceptance"))
            .into();
        let findings = vec![
            finding(FindingKind::View, "app.v"),
            finding(FindingKind::View, "app.w"),
            finding(FindingKind::Child, "app.v"),
        ];
        let examination = Examination::of(findings.clone(), &accepted);
        let open: Vec<String> = examination
            .findings
            .iter()
            .filter(|finding| finding.is_open_hole())
            .map(|finding| format!("{}:{}", finding.kind, finding.object))
            .collect();
        assert_eq!(open, ["View:app.w", "Child:app.v"]);
        assert_eq!(examination.findings.len(), 3);
        assert!(!examination.is_sound());
        assert_eq!(examination.unused, accepted[1..]);
        let accepted = ["View:app.v", "View:app.w", "Child:app.v"]
            .map(|text| text.parse().expect("an acceptance"));
        assert!(Examination::of(findings, &accepted).is_sound());
    }

    #[test]
    fn an_acceptance_names_a_code_and_an_object() {
        for wrong in [
            "",
            ":",
            "View",
            "View:",
            "view:app.v",
            "Views:app.v",
            ":app.v",
            "*:*",
        ] {
            assert_eq!(
                wrong.parse::<AcceptedFinding>(),
                Err(InvalidAcceptance),
                "{wrong}"
            );
        }
        let told = "HelperFunction:ringwall.has_attribute(text,text)";
        let accepted: AcceptedFinding = told.parse().expect("an acceptance");
        assert_eq!(accepted.to_string(), told);
    }

    #[test]
    fn names_of_a_database_move_no_cursor_and_are_accepted_as_they_are_told() {
        let evil = finding(FindingKind::View, "app.\u{1b}[2Jv");
        let told = evil.to_string();
        assert!(!told.contains('\u{1b}'), "{told}");
        let accepted = AcceptedFinding::new(FindingKind::View, "app.\\u{1b}[2Jv");
        assert!(Examination::of(vec![evil], &[accepted]).is_sound());
    }

    #[test]
    fn codes_are_those_of_before() {
        let codes: Vec<&str> = FindingKind::ALL
            .into_iter()
            .map(FindingKind::code)
            .collect();
        assert_eq!(
            codes.join(" "),
            "NoRole RoleBypasses RoleTooPowerful RoleOwnsTable MemberBypasses MemberTooPowerful MemberOwnsTable ContextSetting \
             SearchPath RowSecurityOff PrivilegeTooWide OpenSchema NoTable Column NotEnabled NotForced OtherPolicies \
             AlteredPolicy NotCompared ForeignPolicy StalePolicy ForeignOperator HelperFunction HelperOwner HelperPath View \
             Rule DefinerFunction DefinerTrigger LeakproofFunction Child Parent ForeignTable UnprotectedTable \
             KeyAcrossTenants NoTenantIndex"
        );
    }
}
