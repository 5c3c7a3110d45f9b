//! The bodies of two fuzz targets, which give arbitrary bytes to the peers that run in this process. They panic on a difference
//! that no row explains.
//!
//! The first byte of an input selects the settings; the rest are the bytes of the case.

use std::sync::Once;

use crate::case::{Case, Kind};
use crate::explain::Row;
use crate::judge::{Judgement, agrees_with_facts, judge, report};
use crate::peers;

/// At least 125, the maximum for a control frame, because some peers apply the limit to control frames too.
const LIMITS: [usize; 4] = [1000, 125, 200, 70_000];

pub fn frames(bytes: &[u8]) {
    check(frames_case(bytes));
}

pub fn heads(bytes: &[u8]) {
    check(heads_case(bytes));
}

pub(crate) fn frames_case(bytes: &[u8]) -> Option<Case> {
    let (setting, bytes) = bytes.split_first()?;
    let kind = match setting & 1 {
        0 => Kind::FramesToServer,
        _ => Kind::FramesToClient,
    };
    Some(Case {
        kind,
        limit: LIMITS[usize::from(setting >> 1 & 3)],
        offers: false,
        parts: vec![bytes.to_vec()],
    })
}

pub(crate) fn heads_case(bytes: &[u8]) -> Option<Case> {
    let (setting, bytes) = bytes.split_first()?;
    let kind = match setting & 1 {
        0 => Kind::Request,
        _ => Kind::Response,
    };
    // Some peers would interpret an empty input as the end of the transport.
    (!bytes.is_empty()).then(|| Case {
        kind,
        limit: 0,
        offers: setting & 2 != 0,
        parts: vec![bytes.to_vec()],
    })
}

/// The input that produces the case, if there is one.
pub(crate) fn input(case: &Case) -> Option<Vec<u8>> {
    let setting = match case.kind {
        Kind::FramesToServer | Kind::Request => 0,
        Kind::FramesToClient | Kind::Response => 1,
    };
    let setting = match case.is_frames() {
        true => setting | (LIMITS.iter().position(|limit| *limit == case.limit)? as u8) << 1,
        false => setting | u8::from(case.offers) << 1,
    };
    Some([&[setting], &case.bytes()[..]].concat())
}

/// Returns the rows that explain the differences. Panics if one is not explained.
pub(crate) fn check(case: Option<Case>) -> Vec<&'static Row> {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(peers::silence_guarded_panics);
    let Some(case) = case else { return Vec::new() };
    let mut peers = peers::in_process();
    if !agrees_with_facts(&case) {
        panic!("the naive reader differs: {}", report(&mut peers, &case));
    }
    let mut rows = Vec::new();
    for at in 0..peers.len() {
        let peer = &mut peers[at];
        if !peer.takes(&case) {
            continue;
        }
        match judge(peer.name(), &case, &peer.run(&[&case])[0]) {
            Judgement::Agree => {}
            Judgement::Explained(found) => rows.extend(found),
            Judgement::Unexplained => {
                let name = peer.name();
                panic!("{name} differs, unexplained: {}", report(&mut peers, &case));
            }
        }
    }
    rows
}
