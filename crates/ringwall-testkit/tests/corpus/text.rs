//! From the text of a case to the bytes that are sent.

use crate::credentials::Credentials;
use crate::proofs;

/// What the placeholders of one request stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) authority: &'a str,
    /// The nonce of the answer before.
    pub(crate) answered: Option<&'a str>,
}

impl Words<'_> {
    /// The bytes that `text` stands for: each character is one byte (so U+00E9 is 0xE9 alone), and
    /// what stands in braces is replaced. `{{` is a brace.
    pub(crate) fn bytes(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("{{") {
                bytes.push(b'{');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let (word, after) = after
                    .split_once('}')
                    .ok_or_else(|| format!("{text:?} has an open brace"))?;
                bytes.extend(self.word(word)?);
                rest = after;
            } else {
                let byte = u8::try_from(u32::from(c)).map_err(|_| format!("{c:?} is no byte"))?;
                bytes.push(byte);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
            }
        }
        Ok(bytes)
    }

    fn word(&self, word: &str) -> Result<Vec<u8>, String> {
        let unknown = || format!("{{{word}}} is not known");
        match word.split_once(':') {
            None => match word {
                "method" => self.bytes(self.method),
                "target" => self.bytes(self.target),
                "authority" => self.bytes(self.authority),
                _ => Err(unknown()),
            },
            Some(("token", name)) => {
                let token = self.credentials.token(name).ok_or_else(unknown)?;
                Ok(token.as_bytes().to_vec())
            }
            Some(("proof", rest)) => {
                let (name, rest) = rest.split_once(':').ok_or_else(unknown)?;
                let (token, nonce) = match rest.split_once(':') {
                    Some((token, name)) => {
                        let nonce = proofs::nonce(name, self.answered);
                        (token, Some(nonce.ok_or_else(unknown)?))
                    }
                    None => (rest, None),
                };
                let (method, target) = (self.method, self.target);
                let nonce = nonce.as_deref();
                let proof = self.credentials.proof(name, token, method, target, nonce);
                Ok(proof.ok_or_else(unknown)?.into_bytes())
            }
            Some(("key", name)) => {
                let key = self.credentials.keys().text(name).ok_or_else(unknown)?;
                Ok(key.as_bytes().to_vec())
            }
            Some(("repeat", rest)) => {
                let (count, text) = rest.split_once(':').ok_or_else(unknown)?;
                let count = count.parse().map_err(|_| unknown())?;
                Ok(text.repeat(count).into_bytes())
            }
            Some(_) => Err(unknown()),
        }
    }
}
