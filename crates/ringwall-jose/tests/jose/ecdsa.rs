//! ECDSA signatures that must not verify (RFC 7518 §3.4).

use ringwall_jose::Algorithm;

use crate::keys::{providers, sign, verification_key};

/// The order of P-256's group (FIPS 186-4 D.1.2.3).
const ORDER_256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of P-384's group (FIPS 186-4 D.1.2.4).
const ORDER_384: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];

const MESSAGE: &[u8] = b"message";

fn curves() -> [(Algorithm, &'static [u8]); 2] {
    [
        (Algorithm::Es256, &ORDER_256),
        (Algorithm::Es384, &ORDER_384),
    ]
}

fn never_verifies(algorithm: Algorithm, signature: &[u8], what: &str) {
    for provider in providers() {
        let key = verification_key(algorithm, &provider);
        let name = provider.name();
        assert!(
            key.verify(MESSAGE, signature).is_err(),
            "{algorithm} {what} {name}"
        );
        assert!(
            key.verify(b"", signature).is_err(),
            "{algorithm} {what} {name}"
        );
    }
}

#[test]
fn refuses_zero_and_numbers_not_below_the_order() {
    for (algorithm, order) in curves() {
        let signature = sign(algorithm, MESSAGE);
        let (r, s) = signature.split_at(order.len());
        let zero = vec![0; order.len()];
        let ones = vec![0xff; order.len()];
        let mut next = order.to_vec();
        *next.last_mut().unwrap() += 1;
        let mut one = zero.clone();
        *one.last_mut().unwrap() = 1;
        for (first, second, what) in [
            (&zero[..], &zero[..], "both zero"),
            (&zero, s, "r = 0"),
            (r, &zero, "s = 0"),
            (order, s, "r = n"),
            (r, order, "s = n"),
            (order, order, "both n"),
            (&next, s, "r = n + 1"),
            (r, &next, "s = n + 1"),
            (&ones, s, "r = 2^k - 1"),
            (r, &ones, "s = 2^k - 1"),
            (&one, &one, "both 1"),
            (s, r, "swapped"),
        ] {
            never_verifies(algorithm, &[first, second].concat(), what);
        }
    }
}

#[test]
fn refuses_the_der_form() {
    for (algorithm, order) in curves() {
        let signature = sign(algorithm, MESSAGE);
        let integer = |number: &[u8]| {
            let start = number.iter().position(|byte| *byte != 0).unwrap();
            let sign: &[u8] = if number[start] & 0x80 == 0 { &[] } else { &[0] };
            let body = [sign, &number[start..]].concat();
            [&[2, u8::try_from(body.len()).unwrap()], &body[..]].concat()
        };
        let (r, s) = signature.split_at(order.len());
        let body = [integer(r), integer(s)].concat();
        let der = [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat();
        never_verifies(algorithm, &der, "DER");
    }
}

#[test]
fn refuses_every_other_length() {
    for (algorithm, order) in curves() {
        let signature = sign(algorithm, MESSAGE);
        let (r, s) = signature.split_at(order.len());
        for (wrong, what) in [
            (vec![], "empty"),
            (r.to_vec(), "r alone"),
            (signature[1..].to_vec(), "first byte dropped"),
            (
                signature[..signature.len() - 1].to_vec(),
                "last byte dropped",
            ),
            ([&signature[..], &[0]].concat(), "a zero at the end"),
            ([&[0], &signature[..]].concat(), "a zero before"),
            ([&[0], r, &[0], s].concat(), "a zero before each"),
            ([&[4], &signature[..]].concat(), "a point's prefix"),
            ([&signature[..], &signature[..]].concat(), "twice"),
        ] {
            never_verifies(algorithm, &wrong, what);
        }
    }
}

#[test]
fn a_second_signature_can_be_made_from_the_first_so_its_text_is_no_identity() {
    // s and n - s both verify: FIPS 186-5 permits it and issuers produce both. The claims are the
    // same; whoever remembers tokens remembers `jti` or the signing input.
    for (algorithm, order) in curves() {
        let signature = sign(algorithm, MESSAGE);
        let (r, s) = signature.split_at(order.len());
        let mut borrow = 0;
        let mut other: Vec<u8> = Vec::new();
        for (n, s) in order.iter().zip(s).rev() {
            let difference = i16::from(*n) - i16::from(*s) - borrow;
            borrow = i16::from(difference < 0);
            other.push(u8::try_from(difference.rem_euclid(256)).unwrap());
        }
        other.reverse();
        for provider in providers() {
            let key = verification_key(algorithm, &provider);
            assert!(key.verify(MESSAGE, &[r, &other].concat()).is_ok());
        }
    }
}
