//! What a key costs in memory.

use super::{GOVERNOR, OURS, Ours, governor, texts};
use crate::{allocations::Snapshot, goals::Goals, race::Length, report::Report};

/// # Panics
///
/// When a limiter denies what it has to allow.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let keys = if length.is_smoke() { 10_000 } else { 1_000_000 };
    let each = |before: Snapshot| before.until_now().live_in_chunks as f64 / keys as f64;

    let before = Snapshot::now();
    let ours = Ours::generous(keys);
    for key in 0..keys as u64 {
        assert!(ours.check(&key.to_le_bytes()));
    }
    let ours_bytes = each(before);
    assert_eq!(ours.limiter.count_at_work(ours.now()), keys);

    let before = Snapshot::now();
    let numbers = governor::<u64>();
    for key in 0..keys as u64 {
        assert!(numbers.check_key(&key).is_ok());
    }
    let numbers_bytes = each(before);

    let all = texts(keys);
    let before = Snapshot::now();
    let strings = governor::<String>();
    for text in &all {
        assert!(strings.check_key(text).is_ok());
    }
    let strings_bytes = each(before);

    println!("\nbytes for each of {keys} keys");
    println!("| {OURS}, any key | {GOVERNOR}, u64 | {GOVERNOR}, UUID strings |\n|--:|--:|--:|");
    println!("| {ours_bytes:.1} | {numbers_bytes:.1} | {strings_bytes:.1} |");
    let case = |key: &str| format!("op=memory-bytes key={key} keys={keys}");
    report.compare(&case("u64"), ours_bytes, GOVERNOR, numbers_bytes);
    report.compare(&case("uuid"), ours_bytes, GOVERNOR, strings_bytes);
    goals.at_most("memory, u64 keys", 0.6, ours_bytes / numbers_bytes, "×");
    goals.at_most("memory, UUID keys", 0.2, ours_bytes / strings_bytes, "×");
}
