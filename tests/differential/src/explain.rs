//! Explains why a peer differs: a table that maps a peer and a trait of a case to a decision or to a fault of the peer.

use crate::case::{Case, Outcome, Verdict};
use crate::facts::{Facts, Trait};
use crate::peers::ours;

use Does::{Answers, Code, Crashes, Refuses, Takes};
use Trait as T;

/// How a peer treats a trait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Does {
    /// Does not detect an error, and continues.
    Takes,
    /// Rejects valid input.
    Refuses,
    /// Fails with another close code.
    Code(u16),
    /// Has not detected the error at the end of the bytes, inside a frame or a head.
    Waits,
    /// Responds differently.
    Answers,
    /// Throws an exception.
    Crashes,
}

pub struct Row {
    pub peer: &'static str,
    /// `None` for the rows that the code selects itself, below.
    pub seen: Option<Trait>,
    pub does: Does,
    /// A decision of the requirements (`D` and a number); `fault`: the peer breaks a rule of the RFCs, or leaves the check to the
    /// application; `late`, `early`, `order`: both reject, at a different byte or for a different fault, as the RFCs allow.
    pub id: &'static str,
    pub why: &'static str,
}

/// The rows that explain a difference; empty if it is not explained.
pub fn explain(peer: &str, case: &Case, ours: &Outcome, theirs: &Outcome) -> Vec<&'static Row> {
    let explained = if case.is_frames() {
        let facts = Facts::of(case);
        frames(peer, case, &facts, ours, theirs)
    } else {
        let facts = Facts::of(case);
        let facts = if peer == HTTPARSE { facts.syntax() } else { facts };
        heads(peer, &facts, ours, theirs)
    };
    explained.unwrap_or_default()
}

fn find(peer: &str, seen: Trait, does: Does) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.peer == peer && row.seen == Some(seen) && row.does == does)
}

/// One row for each trait, or `None` if one of the traits has no row.
fn rows(peer: &str, seen: &[Trait], does: Does) -> Option<Vec<&'static Row>> {
    let rows: Option<Vec<_>> = seen.iter().map(|&seen| find(peer, seen, does)).collect();
    rows.filter(|rows| !rows.is_empty())
}

/// A row for any of the traits.
fn any(peer: &str, seen: &[Trait], does: Does) -> Option<Vec<&'static Row>> {
    seen.iter()
        .find_map(|&seen| find(peer, seen, does))
        .map(|row| vec![row])
}

fn frames(
    peer: &str,
    case: &Case,
    facts: &Facts,
    ours: &Outcome,
    theirs: &Outcome,
) -> Option<Vec<&'static Row>> {
    let same_events = theirs.events == ours.events;
    let early = match &theirs.verdict {
        Verdict::Failed(code) if ours.events.starts_with(&theirs.events) => {
            any(peer, &facts.oddities, Does::Code(*code))
        }
        _ => None,
    };
    let explained = match (&ours.verdict, &theirs.verdict) {
        // The peer may fail without delivering the Close.
        (Verdict::Closed, Verdict::Failed(_)) => {
            let but_close = &ours.events[..ours.events.len() - 1];
            let expected = same_events || theirs.events == but_close;
            any(peer, &facts.oddities, Does::Refuses).filter(|_| expected)
        }
        (Verdict::Closed, Verdict::Closed) if same_events => any(peer, &facts.oddities, Does::Answers),
        (Verdict::Failed(ours), Verdict::Failed(theirs)) if same_events && ours != theirs => {
            let named = facts.faults.iter().any(|fault| fault.close_code() == *theirs);
            let order = named.then(|| vec![&ORDER]);
            let refuses = || any(peer, &facts.oddities, Does::Refuses);
            let code = Does::Code(*theirs);
            any(peer, &facts.faults, code).or(order).or_else(refuses)
        }
        (Verdict::Open, Verdict::Failed(_)) if same_events => any(peer, &facts.oddities, Does::Refuses),
        (Verdict::Failed(_), Verdict::Open) if same_events && facts.cut => match &facts.faults[..] {
            faults if faults.contains(&Trait::TooBig) => Some(vec![&LATE_SIZE]),
            faults if faults.contains(&Trait::Utf8) || faults.contains(&Trait::Utf8InOneFrame) => {
                Some(vec![&LATE_UTF8])
            }
            _ => Some(vec![&LATE_FRAME]),
        },
        _ => None,
    };
    early
        .or(explained)
        .or_else(|| taken(peer, case, facts, ours, theirs))
}

/// The peer accepts all faults of the frame. For non-minimal lengths, what follows is compared with this crate's lenient mode.
fn taken(
    peer: &str,
    case: &Case,
    facts: &Facts,
    ours: &Outcome,
    theirs: &Outcome,
) -> Option<Vec<&'static Row>> {
    let mut explained =
        rows(peer, &facts.faults, Does::Takes).filter(|_| theirs.events.starts_with(&ours.events))?;
    if facts.faults == [Trait::NonMinimalLength] {
        let ours = ours::run(case, true);
        let facts = Facts::of_lenient(case);
        if !facts.agree(&ours) {
            return None;
        }
        if !ours.agrees(theirs, case.kind) {
            explained.extend(frames(peer, case, &facts, &ours, theirs)?);
        }
    }
    Some(explained)
}

fn heads(peer: &str, facts: &Facts, ours: &Outcome, theirs: &Outcome) -> Option<Vec<&'static Row>> {
    use Verdict::{Accepted, Crashed, Incomplete, Parsed, Refused, Rejected};
    match (&ours.verdict, &theirs.verdict) {
        (Rejected(_) | Refused, Incomplete) if facts.cut => Some(vec![&LATE]),
        (_, Crashed(_)) => any(
            peer,
            &[&facts.faults[..], &facts.oddities].concat(),
            Does::Crashes,
        ),
        // The peer accepted all faults.
        (Rejected(_) | Refused, Accepted(..) | Parsed(_)) => rows(peer, &facts.faults, Does::Takes),
        // The peer accepted the faults in the syntax of the head, and then rejected its content.
        (Refused, Rejected(_)) => {
            rows(peer, &facts.faults, Does::Takes).or_else(|| any(peer, &facts.oddities, Does::Answers))
        }
        (Rejected(_), Rejected(_)) => {
            any(peer, &facts.faults, Does::Answers).or_else(|| any(peer, &facts.oddities, Does::Answers))
        }
        (Accepted(..) | Parsed(_), Accepted(..) | Parsed(_)) => any(peer, &facts.oddities, Does::Answers),
        (Accepted(..) | Parsed(_) | Rejected(_), Rejected(_) | Refused | Incomplete) => {
            any(peer, &facts.oddities, Does::Refuses).or_else(|| any(peer, &facts.oddities, Does::Answers))
        }
        (Incomplete, Rejected(_) | Refused) => {
            let seen = [&facts.oddities[..], &facts.faults].concat();
            any(peer, &seen, Does::Refuses).or_else(|| any(peer, &facts.oddities, Does::Answers))
        }
        (Incomplete, Accepted(..) | Parsed(_)) => rows(peer, &facts.faults, Does::Takes),
        _ => None,
    }
}

/// A row for faults that this crate rejects at the first byte that determines them, and the peer later.
const fn late(id: &'static str, why: &'static str) -> Row {
    any_peer(Does::Waits, id, why)
}

static LATE: Row = late(
    "late",
    "rejected at the first invalid byte; the peer waits for the end of the head",
);
static LATE_FRAME: Row = late(
    "late",
    "rejected in the frame header; the peer waits for the payload, or for more of the header",
);
static LATE_SIZE: Row = late(
    "D5",
    "rejected because of the declared length; the peer waits for the payload",
);
static LATE_UTF8: Row = late(
    "D16",
    "rejected at the byte that is not UTF-8; the peer waits for the end of the frame",
);
static ORDER: Row = any_peer(
    Does::Code(0),
    "order",
    "two faults in one frame; each peer reports the one that it checks first",
);

const fn any_peer(does: Does, id: &'static str, why: &'static str) -> Row {
    Row {
        peer: "*",
        seen: None,
        does,
        id,
        why,
    }
}

const fn row(peer: &'static str, seen: Trait, does: Does, id: &'static str, why: &'static str) -> Row {
    Row {
        peer,
        seen: Some(seen),
        does,
        id,
        why,
    }
}

const TUNGSTENITE: &str = "tungstenite";
const TOKIO: &str = "tokio-websockets";
const WSPROTO: &str = "wsproto";
const WEBSOCKETS: &str = "websockets";
const NEXUS: &str = "nexus-web";
const SHIGUREDO: &str = "shiguredo";
const HTTPARSE: &str = "httparse";

#[rustfmt::skip] // a table with one row per line
pub static ROWS: &[Row] = &[
    // Frames.
    row(TUNGSTENITE, T::NonMinimalLength, Takes, "D3", "non-minimal lengths are accepted"),
    row(WEBSOCKETS, T::NonMinimalLength, Takes, "D3", "non-minimal lengths are accepted"),
    row(TUNGSTENITE, T::LongFormControl, Takes, "D3", "non-minimal lengths are accepted, in control frames too"),
    row(WEBSOCKETS, T::LongFormControl, Takes, "D3", "non-minimal lengths are accepted, in control frames too"),
    row(TUNGSTENITE, T::LengthMsb, Code(1009), "D4", "a length with the top bit set is reported as too big"),
    row(TOKIO, T::LengthMsb, Code(1009), "D4", "a length with the top bit set is reported as too big"),
    row(WEBSOCKETS, T::LengthMsb, Code(1009), "D4", "a length with the top bit set is reported as too big"),
    row(WEBSOCKETS, T::CloseInMessage, Refuses, "D6", "a Close between fragments fails with 1002"),
    row(TUNGSTENITE, T::CloseCode1014, Refuses, "D9", "1014 is rejected as a close code"),
    row(WSPROTO, T::CloseCode1014, Refuses, "D9", "1014 is rejected as a close code"),
    row(TUNGSTENITE, T::CloseReason, Answers, "D11", "the reason is echoed with the code"),
    row(WSPROTO, T::CloseReason, Answers, "D11", "the reason is echoed with the code"),
    row(WEBSOCKETS, T::CloseReason, Answers, "D11", "the reason is echoed with the code"),
    row(TUNGSTENITE, T::BytesAfterClose, Refuses, "D13", "a client continues to read and fails at a frame after the Close"),
    row(WEBSOCKETS, T::Utf8InOneFrame, Takes, "D45", "text is decoded when the application reads the complete message"),
    row(WEBSOCKETS, T::Utf8, Takes, "D45", "text is decoded when the application reads the complete message"),
    row(WEBSOCKETS, T::Utf8CutBeforeEmptyFrame, Takes, "D45", "text is decoded when the application reads the complete message"),
    row(TOKIO, T::Utf8CutBeforeEmptyFrame, Takes, "fault", "a text that ends inside a character is accepted if its last frame is empty"),
    row(TOKIO, T::FaultAnnounced, Refuses, "early", "rejected at the second byte; this crate waits for the header, or for the single byte of a Close"),
    row(WEBSOCKETS, T::OverRestOfOther, Code(1009), "fault", "a control frame is checked against the remaining message limit"),
    row(WSPROTO, T::TooBigByCutCharacter, Takes, "D5", "the application counts delivered text, which does not include an incomplete character"),
    row(WSPROTO, T::Utf8SurrogateBegun, Takes, "D16", "Python's decoder waits for the third byte of a surrogate"),
    row(WEBSOCKETS, T::Utf8SurrogateBegun, Takes, "D45", "text is decoded when the application reads the complete message"),
    row(TUNGSTENITE, T::LongControl, Code(1009), "order", "a control frame is checked against the message limit first"),
    row(WEBSOCKETS, T::LongControl, Code(1009), "order", "a control frame is checked against the message limit first"),
    row(NEXUS, T::NonMinimalLength, Takes, "D3", "non-minimal lengths are accepted"),
    row(NEXUS, T::LongFormControl, Takes, "D3", "non-minimal lengths are accepted, in control frames too"),
    row(NEXUS, T::LengthMsb, Code(1009), "D4", "a length with the top bit set is reported as too big"),
    row(NEXUS, T::CloseCode1014, Refuses, "D9", "1014 is rejected as a close code"),
    row(NEXUS, T::CloseCodeRegistered, Refuses, "D9", "1012 and 1013 are rejected as close codes"),
    row(NEXUS, T::OverRestOfOther, Code(1009), "order", "a message that interrupts another is first added to its length"),
    row(NEXUS, T::Utf8InOneFrame, Takes, "fault", "a text in one frame that spans reads is returned as `str` without validation"),
    row(SHIGUREDO, T::CloseWithoutCode, Answers, "D7", "an empty Close is answered with 1000"),
    row(SHIGUREDO, T::CloseCode, Takes, "D10", "1004 and 1016 to 2999 are codes"),
    row(SHIGUREDO, T::CloseReasonUtf8, Code(1002), "D12", "a reason that is not UTF-8 fails with 1002"),
    row(SHIGUREDO, T::Utf8, Takes, "D16", "text is validated when the message is complete"),
    row(SHIGUREDO, T::Utf8SurrogateBegun, Takes, "D16", "text is validated when the message is complete"),
    // The syntax of heads.
    row(TUNGSTENITE, T::EmptyLineBeforeResponse, Takes, "D24", "empty lines before a response are skipped"),
    row(HTTPARSE, T::EmptyLineBeforeResponse, Takes, "D24", "empty lines before a response are skipped"),
    row(TUNGSTENITE, T::TargetUnusual, Refuses, "fault", "characters that browsers send in targets are rejected"),
    row(TUNGSTENITE, T::BareLf, Takes, "D25", "a bare LF ends a line"),
    row(HTTPARSE, T::BareLf, Takes, "D25", "a bare LF ends a line"),
    row(WSPROTO, T::BareLf, Takes, "D25", "a bare LF ends a line"),
    row(WSPROTO, T::EmptyLineFirst, Refuses, "D24", "an empty line before the request is rejected"),
    row(WEBSOCKETS, T::EmptyLineFirst, Refuses, "D24", "an empty line before the request is rejected"),
    row(WSPROTO, T::RequestFold, Takes, "D37", "a folded line in a request is unfolded"),
    row(TUNGSTENITE, T::ResponseFold, Refuses, "D37", "a folded line in a response is rejected"),
    row(HTTPARSE, T::ResponseFold, Refuses, "D37", "a folded line in a response is rejected"),
    row(WEBSOCKETS, T::ResponseFold, Refuses, "D37", "a folded line in a response is rejected"),
    row(WSPROTO, T::Control, Takes, "fault", "control bytes in values are accepted"),
    row(WEBSOCKETS, T::StatusWithoutSpace, Refuses, "D56", "a space is required after the status"),
    row(HTTPARSE, T::StatusBelow100, Takes, "fault", "any three digits are accepted as a status"),
    row(HTTPARSE, T::TargetFragment, Takes, "fault", "targets are not validated"),
    row(HTTPARSE, T::TargetForm, Takes, "fault", "targets are not validated"),
    row(HTTPARSE, T::TargetByte, Takes, "fault", "any UTF-8 is accepted in a target"),
    row(TUNGSTENITE, T::VersionMinor, Refuses, "fault", "HTTP/1.2 is not treated as 1.1"),
    row(HTTPARSE, T::VersionMinor, Refuses, "fault", "HTTP/1.2 is not treated as 1.1"),
    row(TUNGSTENITE, T::VersionBegun, Refuses, "early", "rejected at the major number; this crate waits for the minor number, to report it"),
    row(HTTPARSE, T::VersionBegun, Refuses, "early", "rejected at the major number; this crate waits for the minor number, to report it"),
    row(WEBSOCKETS, T::VersionMinor, Refuses, "fault", "HTTP/1.2 is not treated as 1.1"),
    row(TUNGSTENITE, T::Http10Response, Refuses, "fault", "an HTTP/1.0 response is rejected"),
    row(WEBSOCKETS, T::Http10Response, Refuses, "fault", "an HTTP/1.0 response is rejected"),
    row(WSPROTO, T::VersionMajor, Takes, "fault", "any HTTP version is accepted"),
    row(WSPROTO, T::VersionMajor, Answers, "fault", "any HTTP version is accepted, and other faults get a 4xx"),
    row(WEBSOCKETS, T::StatusAbove599, Refuses, "fault", "a status above 599 is rejected"),
    // The content of requests.
    row(WSPROTO, T::Http10, Takes, "D27", "HTTP/1.0 is allowed to upgrade"),
    row(WEBSOCKETS, T::Http10, Refuses, "early", "a client rejects the first line; this crate reads the whole head, whose status may not be 101"),
    row(WEBSOCKETS, T::Http10, Answers, "D27", "HTTP/1.0 is answered with 505"),
    row(TUNGSTENITE, T::HostMissing, Takes, "D26", "Host is not checked"),
    row(TUNGSTENITE, T::HostTwice, Takes, "D26", "Host is not checked"),
    row(TUNGSTENITE, T::HostMalformed, Takes, "D26", "Host is not checked"),
    row(WEBSOCKETS, T::HostMissing, Takes, "D26", "Host is left to the application"),
    row(WEBSOCKETS, T::HostTwice, Takes, "D26", "Host is left to the application"),
    row(WEBSOCKETS, T::HostMalformed, Takes, "D26", "Host is left to the application"),
    row(WSPROTO, T::HostMalformed, Takes, "D26", "the syntax of Host is not checked"),
    row(WSPROTO, T::HostMalformed, Crashes, "fault", "a Host that is not an IDNA name raises UnicodeError"),
    row(WSPROTO, T::HostUnusual, Crashes, "fault", "a Host that is not an IDNA name raises UnicodeError"),
    row(TUNGSTENITE, T::Content, Takes, "D28", "content is not detected"),
    row(TUNGSTENITE, T::ContentLengthMalformed, Takes, "D28", "content is not detected"),
    row(TUNGSTENITE, T::ContentLengthTwice, Takes, "D28", "content is not detected"),
    row(TUNGSTENITE, T::TransferEncoding, Takes, "D28", "content is not detected"),
    row(WSPROTO, T::Content, Takes, "D28", "content is discarded"),
    row(WSPROTO, T::TransferEncoding, Takes, "D28", "content is discarded"),
    row(WSPROTO, T::ContentLengthTwice, Takes, "D28", "a length may be repeated"),
    row(WEBSOCKETS, T::ContentLengthTwice, Takes, "D28", "a length of 0 may be repeated"),
    row(WEBSOCKETS, T::ContentLengthUnusual, Refuses, "D28", "a length other than `0` is rejected, including `00`"),
    row(TUNGSTENITE, T::Expect, Takes, "fault", "Expect is not checked"),
    row(WSPROTO, T::Expect, Takes, "fault", "Expect is not checked"),
    row(WEBSOCKETS, T::Expect, Takes, "fault", "Expect is not checked"),
    row(TUNGSTENITE, T::TargetForm, Takes, "fault", "an authority or `*` is accepted as the target of GET"),
    row(TUNGSTENITE, T::TargetFragment, Takes, "fault", "a fragment in the target is accepted"),
    row(TUNGSTENITE, T::TargetByte, Takes, "fault", "any UTF-8 is accepted in a target"),
    row(WSPROTO, T::TargetForm, Takes, "fault", "targets are not validated"),
    row(WSPROTO, T::TargetFragment, Takes, "fault", "targets are not validated"),
    row(WEBSOCKETS, T::TargetForm, Takes, "fault", "targets are not validated"),
    row(WEBSOCKETS, T::TargetFragment, Takes, "fault", "targets are not validated"),
    row(WEBSOCKETS, T::TargetByte, Takes, "fault", "targets are not validated"),
    row(TUNGSTENITE, T::UpgradeList, Refuses, "fault", "Upgrade is not read as a list"),
    row(WSPROTO, T::UpgradeList, Refuses, "fault", "Upgrade is not read as a list"),
    row(WEBSOCKETS, T::UpgradeList, Refuses, "fault", "Upgrade may list only websocket"),
    row(TUNGSTENITE, T::UpgradeTwice, Refuses, "fault", "only the first line of Upgrade is read"),
    row(WSPROTO, T::UpgradeTwice, Refuses, "fault", "only the last line of Upgrade is read"),
    row(WEBSOCKETS, T::UpgradeTwice, Refuses, "fault", "Upgrade may list only websocket"),
    row(TUNGSTENITE, T::ConnectionLines, Refuses, "D29", "only the first line of Connection is read"),
    row(WSPROTO, T::ConnectionLines, Refuses, "D29", "only the last line of Connection is read"),
    row(TUNGSTENITE, T::ConnectionUnusual, Refuses, "D29", "a Connection that is not ASCII is ignored"),
    row(WSPROTO, T::ListNonAscii, Crashes, "fault", "a list that is not ASCII raises UnicodeDecodeError"),
    row(WEBSOCKETS, T::ConnectionUnusual, Refuses, "D29", "a Connection with an element that is not a token is rejected"),
    row(TUNGSTENITE, T::ConnectionWithoutComma, Takes, "fault", "Connection is split at spaces too"),
    row(WSPROTO, T::ConnectionSeparated, Takes, "fault", "Python's `strip` treats 0x1C to 0x1F as whitespace"),
    row(WSPROTO, T::KeyMalformed, Takes, "D30", "any text is accepted as a key"),
    row(WSPROTO, T::KeyTwice, Takes, "D30", "several keys are joined"),
    row(TUNGSTENITE, T::KeyTwice, Takes, "fault", "only the first key is read"),
    row(TUNGSTENITE, T::KeyPadBits, Refuses, "D30", "pad bits have to be 0"),
    row(TUNGSTENITE, T::VersionTwice, Takes, "fault", "only the first version is read"),
    row(WSPROTO, T::VersionTwice, Takes, "fault", "only the last version is read"),
    row(TUNGSTENITE, T::OriginTwice, Takes, "fault", "Origin is left to the application"),
    row(TUNGSTENITE, T::OriginMalformed, Takes, "fault", "Origin is left to the application"),
    row(WSPROTO, T::OriginTwice, Takes, "fault", "Origin is left to the application"),
    row(WSPROTO, T::OriginMalformed, Takes, "fault", "Origin is left to the application"),
    row(WEBSOCKETS, T::OriginMalformed, Takes, "fault", "the syntax of Origin is not checked"),
    row(TUNGSTENITE, T::ProtocolMalformed, Takes, "fault", "subprotocols are left to the application"),
    row(TUNGSTENITE, T::ProtocolTwice, Takes, "fault", "subprotocols are left to the application"),
    row(WSPROTO, T::ProtocolMalformed, Takes, "fault", "subprotocols need not be tokens"),
    row(WEBSOCKETS, T::ProtocolEmptyLine, Refuses, "fault", "each line has to be a nonempty list"),
    row(WSPROTO, T::ProtocolTwice, Takes, "fault", "a subprotocol may be offered twice"),
    row(WEBSOCKETS, T::ProtocolTwice, Takes, "fault", "a subprotocol may be offered twice"),
    row(TUNGSTENITE, T::ExtensionsMalformed, Takes, "D33", "extensions are not checked"),
    row(WSPROTO, T::ExtensionsMalformed, Takes, "D33", "only the names of extensions are checked"),
    row(TUNGSTENITE, T::ExtensionsNone, Takes, "D33", "extensions are not checked"),
    row(WSPROTO, T::ExtensionsNone, Takes, "D33", "an empty list is treated as absent"),
    row(TUNGSTENITE, T::BytesAfterHead, Refuses, "D40", "a server rejects frames sent together with the request"),
    // The content of responses.
    row(TUNGSTENITE, T::UpgradeSeveral, Takes, "fault", "only the first line of Upgrade is read"),
    row(WSPROTO, T::UpgradeSeveral, Takes, "fault", "only the last line of Upgrade is read"),
    row(WSPROTO, T::FramingOfResponse, Refuses, "D38", "Content-Length and Transfer-Encoding of a 101 have to be well-formed"),
    row(TUNGSTENITE, T::Interim, Answers, "D36", "an interim response is treated as the final one"),
    row(WSPROTO, T::Interim, Answers, "D36", "an interim response is treated as the final one"),
    row(WEBSOCKETS, T::Interim, Answers, "D36", "an interim response is treated as the final one"),
    row(TUNGSTENITE, T::ProtocolNone, Refuses, "D35", "if subprotocols were offered, one has to be chosen"),
    row(TUNGSTENITE, T::ConnectionList, Refuses, "D29", "a client does not read Connection as a list"),
    row(TUNGSTENITE, T::ExtensionUnoffered, Takes, "D39", "extensions are not checked"),
    row(TUNGSTENITE, T::AcceptTwice, Takes, "fault", "only the first Sec-WebSocket-Accept is read"),
    row(WSPROTO, T::BytesAfterRejection, Refuses, "fault", "bytes after a rejection without content raise an error"),
    row(WSPROTO, T::AcceptTwice, Takes, "fault", "only the last Sec-WebSocket-Accept is read"),
    row(TUNGSTENITE, T::ProtocolLinesInResponse, Takes, "fault", "only the first subprotocol is read"),
    row(WSPROTO, T::ProtocolLinesInResponse, Takes, "fault", "only the last subprotocol is read"),
];
