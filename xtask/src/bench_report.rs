//! What a bench writes: how ours compares with a peer, case by case.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::failure::{Failure, Result};

/// How far a printed ratio may be from the quotient of the printed times, as a fraction of it:
/// rounding, and no more.
const ROUNDING: f64 = 0.01;

/// One comparison. Times are nanoseconds per operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    case: String,
    ours_ns: f64,
    peer: String,
    peer_ns: f64,
    ratio: f64,
}

/// Checks a report and returns its number of rows. A bench that measured nothing, or printed a
/// ratio that its own times contradict, has failed.
pub(crate) fn check(text: &str) -> Result<usize> {
    let rows: Vec<Row> = serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("not a report: {error}")))?;
    if rows.is_empty() {
        return Err(Failure::new("the report holds no case"));
    }
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let name = format!("{} against {}", row.case, row.peer);
        if row.case.is_empty() || row.peer.is_empty() {
            findings.push(format!("{name}: a name is empty"));
        }
        if !seen.insert((&row.case, &row.peer)) {
            findings.push(format!("{name}: listed twice"));
        }
        let numbers = [row.ours_ns, row.peer_ns, row.ratio];
        if !numbers
            .iter()
            .all(|number| number.is_finite() && *number > 0.0)
        {
            findings.push(format!("{name}: every number must be positive and finite"));
            continue;
        }
        let quotient = row.ours_ns / row.peer_ns;
        if (row.ratio - quotient).abs() > quotient * ROUNDING {
            findings.push(format!(
                "{name}: the ratio is {}, its times say {quotient:.4}",
                row.ratio
            ));
        }
    }
    match Failure::of_findings("the report contradicts itself", &findings) {
        Some(failure) => Err(failure),
        None => Ok(rows.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"[{"case":"RS256","ours_ns":31000,"peer":"raw","peer_ns":30000.0,"ratio":1.033}]"#;

    #[test]
    fn a_sound_report_is_counted() {
        assert_eq!(check(GOOD), Ok(1));
    }

    #[test]
    fn an_empty_report_is_refused() {
        assert!(check("[]").is_err());
        assert!(check("").is_err());
    }

    #[test]
    fn every_field_is_needed_and_no_other_is_known() {
        assert!(check(&GOOD.replace("\"peer\":\"raw\",", "")).is_err());
        assert!(check(&GOOD.replace("\"peer\"", "\"unit\":\"ns\",\"peer\"")).is_err());
    }

    #[test]
    fn a_ratio_that_the_times_contradict_is_refused() {
        assert!(check(&GOOD.replace("1.033", "0.9")).is_err());
    }

    #[test]
    fn a_time_of_zero_is_refused() {
        assert!(check(&GOOD.replace("31000", "0")).is_err());
        assert!(check(&GOOD.replace("30000.0", "-1")).is_err());
    }

    #[test]
    fn a_case_listed_twice_is_refused() {
        let row = GOOD.trim_matches(|bracket| bracket == '[' || bracket == ']');
        assert!(check(&format!("[{row},{row}]")).is_err());
    }
}
