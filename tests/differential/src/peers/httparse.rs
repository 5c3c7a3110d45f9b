//! httparse: the syntax of heads only, compared with this crate's head reader.

use super::{Peer, guard};
use crate::case::{Case, Kind, Outcome, Verdict};

pub struct Httparse;

impl Peer for Httparse {
    fn name(&self) -> &'static str {
        "httparse"
    }

    fn takes(&self, case: &Case) -> bool {
        !case.is_frames()
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        cases
            .iter()
            .map(|case| guard(|| Outcome::of(parse(case))))
            .collect()
    }
}

fn parse(case: &Case) -> Verdict {
    let bytes = case.bytes();
    let mut rest = &bytes[..];
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let (result, start) = if case.kind == Kind::Request {
            let mut request = httparse::Request::new(&mut fields);
            let result = request.parse(rest);
            let (method, target) = (
                request.method.unwrap_or_default(),
                request.path.unwrap_or_default(),
            );
            let start = format!("{method} {target} {}", request.version.unwrap_or_default());
            (result.map(|status| (status, list(request.headers))), start)
        } else {
            let mut response = httparse::Response::new(&mut fields);
            let result = response.parse(rest);
            let start = response.code.unwrap_or_default().to_string();
            (result.map(|status| (status, list(response.headers))), start)
        };
        match result {
            Err(_) => return Verdict::Refused,
            Ok((httparse::Status::Partial, _)) => return Verdict::Incomplete,
            // Skip interim responses, as any client has to.
            Ok((httparse::Status::Complete(size), _))
                if start.starts_with('1') && start != "101" && start.len() == 3 =>
            {
                rest = &rest[size..];
            }
            Ok((httparse::Status::Complete(_), fields)) => {
                return Verdict::Parsed(format!("{start} {fields:?}"));
            }
        }
    }
}

fn list(fields: &[httparse::Header<'_>]) -> Vec<String> {
    fields
        .iter()
        .map(|field| format!("{}={}", field.name, field.value.escape_ascii()))
        .collect()
}
