//! Decides whether a difference is explained, and reports unexplained ones.

use std::fmt::Write;

use crate::case::{self, Case, Outcome};
use crate::explain::{Row, explain};
use crate::facts::Facts;
use crate::peers::{Peer, ours};

pub enum Judgement {
    Agree,
    Explained(Vec<&'static Row>),
    Unexplained,
}

pub fn judge(peer: &str, case: &Case, theirs: &Outcome) -> Judgement {
    let ours = if peer == "httparse" {
        ours::syntax(case)
    } else {
        ours::run(case, false)
    };
    if ours.agrees(theirs, case.kind) {
        return Judgement::Agree;
    }
    match explain(peer, case, &ours, theirs) {
        rows if rows.is_empty() => Judgement::Unexplained,
        rows => Judgement::Explained(rows),
    }
}

/// Whether this crate and the naive reader agree on whether to reject the case.
pub fn agrees_with_facts(case: &Case) -> bool {
    Facts::of(case).agree(&ours::run(case, false))
}

/// Removes parts of the case, as long as it still `differs`.
pub fn shrink(case: &Case, mut differs: impl FnMut(&Case) -> bool) -> Case {
    let mut least = case.clone();
    let mut at = 0;
    while at < least.parts.len() {
        let mut shorter = least.clone();
        shorter.parts.remove(at);
        if differs(&shorter) {
            least = shorter;
        } else {
            at += 1;
        }
    }
    least
}

/// The case and the outcome of each peer, as text.
pub fn report(peers: &mut [Box<dyn Peer>], case: &Case) -> String {
    let mut text = format!("{:?}, limit {}, offers {}\n", case.kind, case.limit, case.offers);
    let bytes = case.bytes();
    let bytes = match case.is_frames() {
        true => case::hex(&bytes),
        false => bytes.escape_ascii().to_string(),
    };
    let cut = if bytes.len() > 4000 { "..." } else { "" };
    let mut line = |name: &str, what: &dyn std::fmt::Display| {
        writeln!(text, "  {name:<18} {what}").expect("writing to a String cannot fail");
    };
    line("bytes", &format_args!("{:.4000}{cut}", bytes));
    line("facts", &format_args!("{:?}", Facts::of(case)));
    line("ours", &ours::run(case, false));
    if !case.is_frames() {
        line("ours, syntax", &ours::syntax(case));
    }
    for peer in peers.iter_mut().filter(|peer| peer.takes(case)) {
        line(peer.name(), &peer.run(&[case])[0]);
    }
    text
}
