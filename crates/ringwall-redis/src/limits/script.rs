//! What the server does in one step: the script, what it is told, and what it answers.

use redis::Value;
use ringwall_rate_limit::LimitKey;

use super::micros::EXACT;

/// SHA-1 of [`CHECK`], by which a server that knows it is told to run it. A test compares it with the server's.
pub(super) const DIGEST: &str = "60f9207cdc34476f176f86480019c51f22be05a8";

/// Decides requests in their order, and charges those that pass.
///
/// A bucket is the time at which it is full, in microseconds of the server's clock; none is a full one. One that
/// is ahead by more than it can owe under any quota that holds for it, and five minutes, is the trace of a clock that
/// went back, of another server's, or of a quota that was taken back: it is then an empty bucket, and fills from now
/// on. The five minutes are for processes that do not agree on a quota: while one has read the new one and
/// another has not, neither makes the bucket owe less than the other charged.
///
/// A request is two bytes and then 47 for each of its buckets, as [`Call::of`] writes them. It answers for each
/// bucket how far it was from full before, or -1 where the key holds something else; and, where tokens were asked
/// for in advance, how many were taken, which is never more than half of what is left. By that it passes, or does
/// not. One number is answered as it is, and several as an array: a server takes longer to make an array of one
/// than to read the bucket.
///
/// Each key is read once and written once, after all requests were decided, so a hundred requests for one bucket
/// cost the server two commands. A key that holds something else is left alone; of the others of its request none
/// is charged, and what they are given back they get.
pub(super) const CHECK: &str = "\
local call, unpack, format = redis.call, struct.unpack, string.format
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local asked, debts, stale, answer = ARGV[1], {false}, {false}, {false}
local at, said = 1, 0
while at < #asked do
    local charge, count, first
    charge, count, first = unpack('>BB', asked, at)
    local key, denies, capacity, longest, need, back, interval, advance
    local passes, answered = true, said
    at = first
    for _ = 1, count do
        key, denies, capacity, longest, need, back, interval, advance, at = unpack('>HBI8I8I8I8I8I4', asked, at)
        local debt = debts[key]
        if not debt then
            local stored = redis.pcall('GET', KEYS[key])
            debt = 0
            if stored then
                debt = tonumber(stored)
                if debt and debt >= 1000000000000000 and debt < 10000000000000000 then
                    debt = debt - now
                    if debt < 0 then
                        debt = 0
                    end
                else
                    debt = false
                end
            end
            debts[key] = debt
        end
        if not debt then
            passes, debt = false, -1
        elseif debt > 0 then
            if back > 0 and charge == 1 then
                debt = debt - back
                if debt < 0 then
                    debt = 0
                end
                debts[key], stale[key] = debt, true
            end
            if debt > longest + 300000000 then
                debt = longest
                if charge == 1 then
                    debts[key], stale[key] = debt, true
                end
            end
        end
        if denies == 1 and debt + need > capacity then
            passes = false
        end
        said = said + 1
        answer[said] = debt
        if advance > 0 then
            said = said + 1
            answer[said] = 0
        end
    end
    if passes and charge == 1 then
        at, said = first, answered
        for _ = 1, count do
            if count > 1 then
                key, denies, capacity, longest, need, back, interval, advance, at = unpack('>HBI8I8I8I8I8I4', asked, at)
            end
            local debt = debts[key] + need
            said = said + 1
            if advance > 0 then
                said = said + 1
            end
            if debt <= capacity then
                if advance > 0 then
                    local taken = math.min(advance, math.floor((capacity - debt) / interval / 2))
                    debt = debt + taken * interval
                    answer[said] = taken
                end
                debts[key], stale[key] = debt, true
            end
        end
        at = first + 47 * count
    end
end
for key = 1, #KEYS do
    if stale[key] then
        local debt = debts[key]
        if debt > 0 then
            call('SET', KEYS[key], format('%d', now + debt), 'PX', format('%d', debt / 1000 + 1001))
        else
            call('DEL', KEYS[key])
        end
    end
end
if said == 1 then
    return answer[1]
end
return answer
";

/// Bytes that a request's buckets take.
const BUCKET: usize = 47;

/// What is asked of one bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    pub(super) key: LimitKey,
    /// Whether the request is denied when this bucket has too little.
    pub(super) denies: bool,
    /// Microseconds in which an empty bucket fills.
    pub(super) capacity: u64,
    /// Microseconds that it can owe under any quota that holds for it.
    pub(super) longest: u64,
    /// Microseconds that the request costs.
    pub(super) need: u64,
    /// Microseconds to give back first.
    pub(super) back: u64,
    /// Microseconds for each token that is taken in advance.
    pub(super) interval: u64,
    /// Tokens to take in advance, at most.
    pub(super) advance: u32,
}

impl Bucket {
    /// Gives back, and asks for nothing. A bucket that is full is one that is not there.
    pub(super) const fn giving_back(key: LimitKey, micros: u64) -> Self {
        Self {
            key,
            denies: false,
            capacity: EXACT,
            longest: EXACT,
            need: 0,
            back: micros,
            interval: 1,
            advance: 0,
        }
    }
}

/// Buckets that are charged together, or not at all.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Without it, they are looked at alone.
    pub(super) charge: bool,
    /// Up to 255.
    pub(super) buckets: Vec<Bucket>,
}

impl Request {
    pub(super) fn only_gives_back(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.need == 0)
    }

    /// Of a request that nobody waits for any more: what it gives back, and nothing else. `None` when that is
    /// nothing.
    pub(super) fn only_giving_back(mut self) -> Option<Self> {
        self.buckets.retain(|bucket| bucket.back > 0);
        for bucket in &mut self.buckets {
            *bucket = Bucket::giving_back(bucket.key, bucket.back);
        }
        (self.charge && !self.buckets.is_empty()).then_some(self)
    }
}

/// What the server said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) passes: bool,
    pub(super) buckets: Vec<Found>,
}

/// How a bucket was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Microseconds until it would have been full.
    pub(super) debt: u64,
    /// Tokens that were taken in advance.
    pub(super) advance: u32,
}

/// Requests that go to the server as one call of the script.
pub(super) struct Call {
    pub(super) keys: Vec<LimitKey>,
    pub(super) encoded: Vec<u8>,
}

impl Call {
    /// `None` when there are more than the script can count.
    pub(super) fn of<'a>(requests: impl Iterator<Item = &'a Request>) -> Option<Self> {
        let mut keys: Vec<LimitKey> = Vec::new();
        let mut encoded = Vec::with_capacity(BUCKET.saturating_add(2));
        for request in requests {
            encoded.push(u8::from(request.charge));
            encoded.push(u8::try_from(request.buckets.len()).ok()?);
            for bucket in &request.buckets {
                let place = keys.iter().position(|key| *key == bucket.key);
                if place.is_none() {
                    keys.push(bucket.key);
                }
                let number = place.map_or(keys.len(), |place| place.saturating_add(1));
                encoded.extend_from_slice(&u16::try_from(number).ok()?.to_be_bytes());
                encoded.push(u8::from(bucket.denies));
                for micros in [
                    bucket.capacity,
                    bucket.longest,
                    bucket.need,
                    bucket.back,
                    bucket.interval,
                ] {
                    encoded.extend_from_slice(&micros.to_be_bytes());
                }
                encoded.extend_from_slice(&bucket.advance.to_be_bytes());
            }
        }
        Some(Self { keys, encoded })
    }
}

/// Reads what the script answered to these requests, in their order; one of them is `None` where a key holds
/// something else. `None` for all when it is no answer of the script.
pub(super) fn replies<'a>(
    value: &Value,
    requests: impl Iterator<Item = &'a Request>,
) -> Option<Vec<Option<Reply>>> {
    let numbers = if let Value::Array(numbers) = value {
        numbers.as_slice()
    } else {
        core::slice::from_ref(value)
    };
    let mut numbers = numbers.iter().map(|value| {
        let Value::Int(number) = value else {
            return None;
        };
        Some(*number)
    });
    let mut replies = Vec::new();
    for request in requests {
        let mut reply = Some(Reply {
            passes: true,
            buckets: Vec::with_capacity(request.buckets.len()),
        });
        for bucket in &request.buckets {
            let debt = match numbers.next()?? {
                -1 => None,
                debt => Some(u64::try_from(debt).ok()?),
            };
            let advance = match bucket.advance {
                0 => 0,
                most => {
                    let taken = u32::try_from(numbers.next()??).ok()?;
                    (taken <= most).then_some(taken)?
                }
            };
            reply = reply.zip(debt).map(|(mut reply, debt)| {
                let is_within = debt.saturating_add(bucket.need) <= bucket.capacity;
                reply.passes &= is_within || !bucket.denies;
                reply.buckets.push(Found { debt, advance });
                reply
            });
        }
        replies.push(reply);
    }
    numbers.next().is_none().then_some(replies)
}

#[cfg(test)]
mod tests {
    use ringwall_rate_limit::KeyHasher;

    use super::*;

    fn bucket(name: &str, advance: u32) -> Bucket {
        let key = KeyHasher::shared([1; 16]).key([name.as_bytes()]);
        Bucket {
            key: key.expect("a key"),
            denies: true,
            capacity: 100,
            longest: 100,
            need: 10,
            back: 0,
            interval: 10,
            advance,
        }
    }

    fn request(buckets: &[Bucket]) -> Request {
        Request {
            charge: true,
            buckets: buckets.to_vec(),
        }
    }

    fn numbers(numbers: &[i64]) -> Value {
        Value::Array(numbers.iter().map(|number| Value::Int(*number)).collect())
    }

    #[test]
    fn a_call_names_each_key_once() {
        let (one, other) = (bucket("one", 0), bucket("other", 3));
        let requests = [request(&[one, other]), request(&[other]), request(&[one])];
        let call = Call::of(requests.iter()).expect("few");
        assert_eq!(call.keys, [one.key, other.key]);
        assert_eq!(call.encoded.len(), 3 * 2 + 4 * BUCKET);
        let places: Vec<u8> = [2, 2 + BUCKET, 4 + 2 * BUCKET, 6 + 3 * BUCKET]
            .iter()
            .map(|start| call.encoded[start + 1])
            .collect();
        assert_eq!(places, [1, 2, 2, 1]);
        assert!(Call::of([request(&[one; 256])].iter()).is_none());
    }

    #[test]
    fn an_answer_is_read_by_what_was_asked() {
        let requests = [
            request(&[bucket("one", 0), bucket("other", 3)]),
            request(&[bucket("one", 0)]),
        ];
        let read = |value: &Value| replies(value, requests.iter());
        let found = |debt, advance| Found { debt, advance };
        let reply = |passes, buckets: &[Found]| {
            Some(Reply {
                passes,
                buckets: buckets.to_vec(),
            })
        };
        assert_eq!(
            read(&numbers(&[90, 5, 3, 91])),
            Some(vec![
                reply(true, &[found(90, 0), found(5, 3)]),
                reply(false, &[found(91, 0)])
            ])
        );
        // One that holds something else is no answer to its request, whatever the others hold.
        assert_eq!(
            read(&numbers(&[-1, 5, 0, 0])),
            Some(vec![None, reply(true, &[found(0, 0)])])
        );
        assert_eq!(
            read(&numbers(&[5, -1, 0, 0])),
            Some(vec![None, reply(true, &[found(0, 0)])])
        );
        // More tokens than were asked for, fewer than none, too few numbers and too many, and none at all.
        for wrong in [
            &[90, 5, 4, 91][..],
            &[90, 5, -1, 91],
            &[90, 5, 3, -2],
            &[90, 5, 3],
            &[90, 5, 3, 91, 0],
            &[],
        ] {
            assert_eq!(read(&numbers(wrong)), None, "{wrong:?}");
        }
        let text = Value::Array(vec![Value::BulkString(b"1".to_vec()); 4]);
        for wrong in [text, Value::Nil, Value::Okay, Value::Int(1)] {
            assert_eq!(read(&wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn one_number_is_an_answer_to_one_bucket() {
        let one = [request(&[bucket("one", 0)])];
        let passes = |value: &Value| Some(replies(value, one.iter())?.pop()??.passes);
        assert_eq!(passes(&Value::Int(90)), Some(true));
        assert_eq!(passes(&Value::Int(91)), Some(false));
        assert_eq!(replies(&Value::Int(-1), one.iter()), Some(vec![None]));
        assert_eq!(replies(&Value::Int(-2), one.iter()), None);
        assert_eq!(replies(&Value::Nil, one.iter()), None);
    }

    #[test]
    fn what_is_only_tried_out_denies_nobody() {
        let mut tried = bucket("one", 0);
        tried.denies = false;
        let requests = [request(&[tried])];
        let read = replies(&Value::Int(100), requests.iter()).expect("an answer");
        assert!(read[0].as_ref().is_some_and(|reply| reply.passes));
    }
}
