//! What the server does, in one step each: the scripts, their arguments and their answers.

use core::num::NonZeroU32;
use core::time::Duration;

use redis::Value;
use ringwall_rate_limit::{AppliedLimit, Enforcement, LimitState, LimitStatus};

use super::micros::Micros;

/// A script and the digest by which a server that knows it is told to run it.
pub(super) struct Script {
    pub(super) text: &'static str,
    /// SHA-1 of the text. A test compares it with the server's.
    pub(super) digest: &'static str,
}

/// Checks all buckets and, if all that are enforced allow it, charges them.
///
/// A bucket is the time at which it is full, in microseconds of the server's clock; none is a full one. One that
/// is ahead by more than an empty bucket's time and a second is the trace of a clock that went back, or of
/// another server's: it is then an empty bucket, and fills from now on.
///
/// ARGV: `1` to charge; then for each key: the capacity, what the cost needs, `1` if it denies, the interval, how
/// many tokens to take in advance at most, and what is given back first. Answers four numbers for each key: what
/// it says (0 yes, 1 wait, 2 never), the debt before, the debt after, the wait; and a fifth, the tokens taken in
/// advance, which are never more than half of what is left.
///
/// All is read before anything is written: a key that holds something else is an error, and nothing is changed.
pub(super) const CHECK: Script = Script {
    text: CHECK_TEXT,
    digest: "bfe06e4bbff87105da7c43ed78c2ec8d832bbb21",
};

const CHECK_TEXT: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local allowed = true
local debts, answer, marks = {}, {}, {}
for i = 1, #KEYS do
    local at = i * 6
    local capacity, need = ARGV[at - 4] + 0, ARGV[at - 3] + 0
    local debt = 0
    local stored = redis.call('GET', KEYS[i])
    if stored then
        if #stored > 16 or stored == '' or string.find(stored, '%D') then
            return redis.error_reply('RINGWALL a key of the limits holds something else')
        end
        debt = stored - now
        local back = ARGV[at + 1]
        if back ~= '0' then
            debt = debt - back
            marks[i] = true
        end
        if debt < 0 then
            debt = 0
        elseif debt - capacity > 1000000 then
            debt = capacity
            marks[i] = true
        end
    end
    debts[i] = debt
    local after = debt + need
    local a = i * 5
    if after <= capacity then
        answer[a - 4], answer[a - 3], answer[a - 2], answer[a - 1], answer[a] = 0, debt, after, 0, 0
    else
        if ARGV[at - 2] == '1' then
            allowed = false
        end
        local says, wait = 1, after - capacity
        if need > capacity then
            says, wait = 2, 0
        end
        if debt > capacity then
            debt = capacity
        end
        answer[a - 4], answer[a - 3], answer[a - 2], answer[a - 1], answer[a] = says, debt, debt, wait, 0
    end
end
if ARGV[1] == '1' then
    for i = 1, #KEYS do
        local a = i * 5
        local debt = nil
        if allowed and answer[a - 4] == 0 then
            debt = answer[a - 2]
            local advance = ARGV[i * 6]
            if advance ~= '0' then
                local half = math.floor((ARGV[i * 6 - 4] - debt) / ARGV[i * 6 - 1] / 2)
                advance = math.min(advance + 0, half)
                debt = debt + advance * ARGV[i * 6 - 1]
                answer[a] = advance
            end
        elseif marks[i] then
            debt = debts[i]
        end
        if debt and debt > 0 then
            redis.call('SET', KEYS[i], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000) + 1000)
        elseif debt then
            redis.call('DEL', KEYS[i])
        end
    end
end
return answer
";

/// Gives tokens back. A bucket that is full is one that is not there.
///
/// ARGV: for each key the microseconds.
pub(super) const GIVE_BACK: Script = Script {
    text: GIVE_BACK_TEXT,
    digest: "c3f08f34f61ca794f6a000764f106bd268ea092b",
};

const GIVE_BACK_TEXT: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local debts = {}
for i, key in ipairs(KEYS) do
    local stored = redis.call('GET', key)
    if stored then
        if #stored > 16 or stored == '' or string.find(stored, '%D') then
            return redis.error_reply('RINGWALL a key of the limits holds something else')
        end
        debts[i] = stored - now - ARGV[i]
    end
end
for i, key in ipairs(KEYS) do
    local debt = debts[i]
    if debt and debt > 0 then
        redis.call('SET', key, string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000) + 1000)
    elseif debt then
        redis.call('DEL', key)
    end
end
return #KEYS
";

/// What is asked of one bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) limit: AppliedLimit,
    pub(super) micros: Micros,
    /// Tokens to take in advance, at most.
    pub(super) advance: u32,
    /// Microseconds to give back first.
    pub(super) back: u64,
}

impl Asked {
    pub(super) fn new(limit: AppliedLimit) -> Self {
        Self {
            limit,
            micros: Micros::of(&limit.quota),
            advance: 0,
            back: 0,
        }
    }
}

/// What one bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) state: LimitState,
    before: u64,
    after: u64,
    /// Microseconds.
    pub(super) wait: u64,
    /// Tokens that were taken in advance.
    pub(super) advance: u32,
}

impl Said {
    /// How far the bucket was from full before the request.
    pub(super) fn before(&self, micros: &Micros) -> Duration {
        micros.debt(self.before)
    }

    /// And after it, what was taken in advance left out.
    pub(super) fn after(&self, micros: &Micros) -> Duration {
        micros.debt(self.after)
    }

    /// As the status of a limit, charged or not.
    pub(super) fn status(&self, asked: &Asked, is_charged: bool) -> LimitStatus {
        let mut status = status(&asked.limit, self.before(&asked.micros));
        match self.state {
            LimitState::Within if is_charged => status.charge(self.after(&asked.micros)),
            LimitState::Within => {}
            LimitState::Exceeded => status.exceed(Duration::from_micros(self.wait)),
            LimitState::BeyondBurst => status.exceed_for_ever(),
        }
        status
    }
}

/// The status of a limit whose bucket is so far from full.
pub(super) fn status(limit: &AppliedLimit, debt: Duration) -> LimitStatus {
    LimitStatus::new(limit.dimension, limit.quota, limit.enforcement, debt)
}

/// Adds the arguments of [`CHECK`].
pub(super) fn arguments(command: &mut redis::Cmd, asked: &[Asked], cost: NonZeroU32, charge: bool) {
    command.arg(if charge { "1" } else { "0" });
    for one in asked {
        let denies = one.limit.enforcement == Enforcement::Enforced;
        command
            .arg(one.micros.capacity)
            .arg(one.micros.need(cost))
            .arg(if denies { "1" } else { "0" })
            .arg(one.micros.interval)
            .arg(one.advance)
            .arg(one.back);
    }
}

/// Reads the answer of [`CHECK`]; `None` when it is none.
pub(super) fn answer(value: &Value, asked: &[Asked]) -> Option<Vec<Said>> {
    let Value::Array(numbers) = value else {
        return None;
    };
    if numbers.len() != asked.len().checked_mul(5)? {
        return None;
    }
    let said: Option<Vec<Said>> = numbers.chunks_exact(5).map(said).collect();
    let said = said?;
    let is_more = said
        .iter()
        .zip(asked)
        .any(|(said, asked)| said.advance > asked.advance);
    (!is_more).then_some(said)
}

fn said(numbers: &[Value]) -> Option<Said> {
    let [state, before, after, wait, advance] = numbers else {
        return None;
    };
    let number = |value: &Value| {
        let Value::Int(number) = value else {
            return None;
        };
        u64::try_from(*number).ok()
    };
    Some(Said {
        state: match number(state)? {
            0 => LimitState::Within,
            1 => LimitState::Exceeded,
            2 => LimitState::BeyondBurst,
            _ => return None,
        },
        before: number(before)?,
        after: number(after)?,
        wait: number(wait)?,
        advance: u32::try_from(number(advance)?).ok()?,
    })
}
