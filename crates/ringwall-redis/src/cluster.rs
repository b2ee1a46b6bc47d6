//! Which node of a cluster serves a slot.

use core::net::IpAddr;

use redis::Value;

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// The most nodes that are remembered, to be asked when the one in use is gone.
pub(crate) const MOST_NODES: usize = 16;

/// The longest name of a host (RFC 1035 §2.3.4).
const MAX_HOST: usize = 255;

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What a node says of the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slots {
    /// The name within the cluster of the node that serves the slot.
    pub(crate) owner_id: String,
    pub(crate) owner: Node,
    /// Nodes that serve slots, the owner among them: a few of them.
    pub(crate) nodes: Vec<Node>,
}

impl Node {
    /// Whether what is sent there stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            // RFC 6761 §6.3: the name never leaves the machine.
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// The slot of keys with this tag in braces: CRC-16 (XMODEM) of the tag, modulo 16,384 (Redis cluster
/// specification, *Key distribution model*).
pub(crate) fn slot_of(tag: &str) -> u16 {
    let mut crc = 0_u16;
    for byte in tag.bytes() {
        crc ^= u16::from(byte) << 8;
        for _ in 0..8 {
            let carries = crc & 0x8000 != 0;
            crc <<= 1;
            if carries {
                crc ^= 0x1021;
            }
        }
    }
    crc & SLOTS.wrapping_sub(1)
}

/// Whether a node that says this of its cluster (`CLUSTER INFO`) serves requests.
pub(crate) fn is_whole(info: &[u8]) -> bool {
    let mut lines = info.split(|byte| *byte == b'\n');
    lines.any(|line| line.trim_ascii() == b"cluster_state:ok")
}

/// Reads an answer to `CLUSTER SLOTS` of the node at `asked`: `None` when nobody serves the slot, or it is none.
pub(crate) fn read(answer: &Value, slot: u16, asked: &Node) -> Option<Slots> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    let mut owner = None;
    let mut nodes: Vec<Node> = Vec::new();
    for range in ranges {
        let Value::Array(parts) = range else {
            return None;
        };
        let [
            Value::Int(first),
            Value::Int(last),
            Value::Array(primary),
            ..,
        ] = parts.as_slice()
        else {
            return None;
        };
        let (node, id) = read_node(primary, asked)?;
        if (*first..=*last).contains(&slot.into()) {
            owner = Some((node.clone(), id));
        }
        if nodes.len() < MOST_NODES && !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    let (owner, owner_id) = owner?;
    Some(Slots {
        owner_id,
        owner,
        nodes,
    })
}

fn read_node(parts: &[Value], asked: &Node) -> Option<(Node, String)> {
    let [host, Value::Int(port), id, ..] = parts else {
        return None;
    };
    // A node that does not know by which name it is reached is reached as it was just now.
    let host = match text(host) {
        None | Some("" | "?") => asked.host.clone(),
        Some(host) if host.len() <= MAX_HOST => host.to_owned(),
        Some(_) => return None,
    };
    let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
    let id = text(id)?.to_owned();
    Some((Node { host, port }, id))
}

fn text(value: &Value) -> Option<&str> {
    if let Value::BulkString(bytes) = value {
        core::str::from_utf8(bytes).ok()
    } else if let Value::SimpleString(text) = value {
        Some(text)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Node {
        Node {
            host: "asked.example.com".to_owned(),
            port: 6379,
        }
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: Value, port: i64, id: &str) -> Value {
        Value::Array(vec![
            host,
            Value::Int(port),
            bulk(id),
            Value::Array(Vec::new()),
        ])
    }

    fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        let mut parts = vec![Value::Int(first), Value::Int(last)];
        parts.extend(nodes);
        Value::Array(parts)
    }

    /// The example of the specification, and slots that a server said (`CLUSTER KEYSLOT`).
    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot_of("123456789"), 0x31c3);
        for (tag, slot) in [("foo", 12_182), ("bar", 5061), ("limits", 2716), ("", 0)] {
            assert_eq!(slot_of(tag), slot, "{tag}");
        }
    }

    #[test]
    fn the_owner_of_a_slot_is_the_first_node_of_its_range() {
        let answer = Value::Array(vec![
            range(
                0,
                100,
                vec![
                    node(bulk("10.0.0.1"), 7000, "one"),
                    node(bulk("10.0.0.9"), 7009, "replica"),
                ],
            ),
            range(101, 16_383, vec![node(bulk("b.example.com"), 7001, "two")]),
        ]);
        let at = |host: &str, port| Node {
            host: host.to_owned(),
            port,
        };
        for (slot, id, owner) in [
            (0, "one", at("10.0.0.1", 7000)),
            (100, "one", at("10.0.0.1", 7000)),
            (101, "two", at("b.example.com", 7001)),
            (16_383, "two", at("b.example.com", 7001)),
        ] {
            let slots = read(&answer, slot, &asked()).expect("an owner");
            assert_eq!(
                (slots.owner_id.as_str(), slots.owner),
                (id, owner),
                "{slot}"
            );
            assert_eq!(
                slots.nodes,
                [at("10.0.0.1", 7000), at("b.example.com", 7001)]
            );
        }
    }

    #[test]
    fn a_node_without_a_name_is_where_it_was_asked() {
        for host in [Value::Nil, bulk(""), bulk("?")] {
            let answer = Value::Array(vec![range(0, 16_383, vec![node(host, 7000, "one")])]);
            let slots = read(&answer, 5, &asked()).expect("an owner");
            assert_eq!(
                (slots.owner.host.as_str(), slots.owner.port),
                ("asked.example.com", 7000)
            );
        }
    }

    #[test]
    fn what_is_no_answer_names_nobody() {
        let good = || node(bulk("10.0.0.1"), 7000, "one");
        for wrong in [
            Value::Nil,
            Value::Okay,
            Value::Array(Vec::new()),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(6, 16_383, vec![good()])]),
            Value::Array(vec![range(0, 16_383, Vec::new())]),
            Value::Array(vec![range(0, 16_383, vec![node(bulk("a"), 0, "one")])]),
            Value::Array(vec![range(0, 16_383, vec![node(bulk("a"), 65_536, "one")])]),
            Value::Array(vec![range(0, 16_383, vec![node(bulk("a"), -1, "one")])]),
            Value::Array(vec![range(
                0,
                16_383,
                vec![node(bulk(&"a".repeat(256)), 1, "one")],
            )]),
            Value::Array(vec![range(0, 16_383, vec![Value::Array(vec![bulk("a")])])]),
        ] {
            assert_eq!(read(&wrong, 5, &asked()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_node_that_is_cut_off_says_so() {
        assert!(is_whole(
            b"cluster_state:ok\r\ncluster_slots_assigned:16384\r\n"
        ));
        for info in [
            &b"cluster_state:fail\r\ncluster_slots_assigned:16384\r\n"[..],
            b"cluster_state:okay\r\n",
            b"",
            b"cluster_slots_ok:16384\r\n",
        ] {
            assert!(!is_whole(info));
        }
    }

    #[test]
    fn of_many_nodes_a_few_are_remembered() {
        let ranges = (0..100).map(|n| range(n, n, vec![node(bulk("a"), 7000 + n, "one")]));
        let answer = Value::Array(ranges.collect());
        let slots = read(&answer, 99, &asked()).expect("an owner");
        assert_eq!(slots.nodes.len(), MOST_NODES);
        assert_eq!(slots.owner.port, 7099);
    }
}
