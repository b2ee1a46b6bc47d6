//! The corpus, through the crate itself. The adapters replay the same files.

#[cfg(test)]
mod corpus;

#[cfg(test)]
mod tests {

    use crate::corpus::{CLIENT, Case, HANDLER_FIELD, Lines, NONCE_FIELD, PROXY, Seen, Whose};
    use ringwall_browser::{About, CorsVerdict};
    use ringwall_core::request::RequestView;

    #[test]
    fn each_case_of_the_corpus_is_answered_as_written() {
        crate::corpus::report(
            crate::corpus::cases()
                .iter()
                .map(|case| case.check(&answer(case)))
                .collect(),
        );
    }

    fn answer(case: &Case) -> Seen {
        let peer = match case.whose {
            Whose::Nobody => None,
            Whose::TrustedProxy => Some(PROXY),
            Whose::ClientWithTls | Whose::ClientWithout | Whose::ClientUnknown => Some(CLIENT),
        };
        let view = RequestView {
            method: &case.method,
            scheme: None,
            authority: Some("api.example.com"),
            raw_path: "/",
            raw_query: None,
            socket_peer: peer.map(|peer| peer.parse().expect("an address")),
            client_address: None,
            tls_peer: None,
            headers: &case.request,
        };
        let nonce = case
            .headers
            .as_ref()
            .and_then(|headers| headers.begin().expect("random bytes"));
        let verdict = case.cors.as_ref().map(|policy| policy.judge(&view));
        let reached = !verdict.as_ref().is_some_and(CorsVerdict::is_preflight);
        let mut lines = Lines::new();
        if reached {
            lines.clone_from(&case.handler);
            lines.push((HANDLER_FIELD.to_owned(), "ran".to_owned()));
            if let Some(nonce) = &nonce {
                lines.push((NONCE_FIELD.to_owned(), nonce.to_string()));
            }
        }
        if let Some(verdict) = verdict {
            verdict.apply(&mut lines);
        }
        let status = if reached { case.status } else { 204 };
        if let Some(headers) = &case.headers {
            let about = About {
                is_secure: is_secure(case),
                status,
                nonce: nonce.as_ref(),
            };
            headers.apply(about, &mut lines);
        }
        Seen {
            status,
            lines,
            is_empty: !reached,
        }
    }

    /// What an adapter finds out by itself.
    fn is_secure(case: &Case) -> bool {
        let said = ("x-forwarded-proto".to_owned(), "https".to_owned());
        match case.whose {
            Whose::ClientWithTls => true,
            Whose::TrustedProxy => case.request.contains(&said),
            Whose::ClientWithout | Whose::ClientUnknown | Whose::Nobody => false,
        }
    }
}
