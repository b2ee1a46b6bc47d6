//! What the tour found.

use serde_json::json;

/// One thing that was tried.
#[derive(Clone, Debug)]
struct Check {
    area: &'static str,
    tried: String,
    expected: String,
    got: String,
    ok: bool,
}

/// Everything that was tried, in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    area: &'static str,
    checks: Vec<Check>,
}

impl Report {
    pub(crate) const fn area(&mut self, name: &'static str) {
        self.area = name;
    }

    pub(crate) fn note(&mut self, tried: &str, expected: String, got: String, ok: bool) {
        self.checks.push(Check {
            area: self.area,
            tried: tried.to_owned(),
            expected,
            got,
            ok,
        });
    }

    /// Whether everything was as expected. Nothing tried is nothing shown.
    pub(crate) fn is_good(&self) -> bool {
        !self.checks.is_empty() && self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.checks.iter().filter(|check| !check.ok).count()
    }

    /// The checks as a JSON list.
    pub(crate) fn json(&self) -> String {
        let list: Vec<_> = self
            .checks
            .iter()
            .map(|check| {
                json!({
                    "area": check.area,
                    "tried": check.tried,
                    "expected": check.expected,
                    "got": check.got,
                    "ok": check.ok,
                })
            })
            .collect();
        format!("{:#}\n", serde_json::Value::from(list))
    }

    /// The checks as a table.
    #[expect(clippy::print_stdout, reason = "the table is what the command is for")]
    pub(crate) fn print(&self) {
        let tried = self.checks.iter().map(|check| check.tried.chars().count());
        let tried = tried.max().unwrap_or_default();
        println!(
            "        {:tried$}  {:COLUMN$}  got",
            "what was tried", "expected"
        );
        let mut area = "";
        for check in &self.checks {
            if check.area != area {
                area = check.area;
                println!("\n{area}");
            }
            if check.ok {
                let (expected, got) = (shorten(&check.expected), shorten(&check.got));
                println!("  ok    {:tried$}  {expected:COLUMN$}  {got}", check.tried);
            } else {
                println!("  FAIL  {}", check.tried);
                println!("        expected: {}", check.expected);
                println!("        got:      {}", check.got);
            }
        }
        let (all, failed) = (self.checks.len(), self.failed());
        println!("\n{all} tried, {failed} not as expected");
    }
}

/// The width of the columns of what was expected and what was got.
const COLUMN: usize = 48;

/// What fits into a column. The JSON report has everything.
fn shorten(text: &str) -> String {
    if text.chars().count() <= COLUMN {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(COLUMN.saturating_sub(1)).collect();
    short.push('…');
    short
}
