//! Goals, and whether they were reached.

/// Goals with what was measured for them.
#[derive(Debug, Default)]
pub struct Goals {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    goal: String,
    limit: f64,
    measured: f64,
    unit: &'static str,
}

impl Goals {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `measured` should be at most `limit`.
    pub fn at_most(&mut self, goal: &str, limit: f64, measured: f64, unit: &'static str) {
        self.lines.push(Line {
            goal: goal.to_owned(),
            limit,
            measured,
            unit,
        });
    }

    /// Prints the table. Nothing fails on a goal that was missed: machines differ, and a busy one
    /// misses goals that a quiet one reaches.
    pub fn print(&self) {
        println!("\n| goal | limit | measured | |");
        println!("|---|--:|--:|---|");
        for line in &self.lines {
            let verdict = if line.measured <= line.limit {
                "reached".to_owned()
            } else {
                let over = line.measured - line.limit;
                format!("missed by {over:.3} {}", line.unit)
            };
            println!(
                "| {} | {:.3} {unit} | {:.3} {unit} | {verdict} |",
                line.goal,
                line.limit,
                line.measured,
                unit = line.unit
            );
        }
    }
}
