//! The naive reader of frames: it copies complete payloads and checks everything in the order of RFC 6455 section 5.2.

use super::{Facts, Trait};
use crate::case::{Case, Kind};

/// Reads up to the first frame with a fault, the Close, or the end.
pub fn read(case: &Case, any_form: bool) -> Facts {
    let bytes = case.bytes();
    let mut rest = &bytes[..];
    let mut facts = Facts::default();
    // The fragmented message: whether it is text, and its payload so far.
    let mut message: Option<(bool, Vec<u8>)> = None;
    while !rest.is_empty() && facts.faults.is_empty() {
        let first = rest[0];
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        let control = opcode >= 8;
        facts.fault(Trait::ReservedBits, first & 0x70 != 0);
        facts.fault(Trait::ReservedOpCode, matches!(opcode, 3..=7 | 11..));
        facts.fault(Trait::FragmentedControl, control && !fin);
        facts.cut = true;
        let Some(&second) = rest.get(1) else { break };
        let masked = second & 0x80 != 0;
        facts.fault(Trait::Masking, masked != (case.kind == Kind::FramesToServer));
        let (form, long) = match second & 0x7f {
            126 => (2, true),
            127 => (8, true),
            _ => (0, false),
        };
        // A fault that the first two bytes show; this crate reports it later.
        let disorder = (opcode == 0 && message.is_none()) || (matches!(opcode, 1..=7) && message.is_some());
        facts.oddity(
            Trait::FaultAnnounced,
            disorder || (opcode == 8 && second & 0x7f == 1),
        );
        let Some(field) = rest.get(2..2 + form) else {
            facts.fault(Trait::LongControl, control && long);
            break;
        };
        let len = match form {
            0 => u64::from(second & 0x7f),
            _ => field.iter().fold(0, |len, &byte| len << 8 | u64::from(byte)),
        };
        facts.fault(Trait::LongControl, control && len > 125);
        facts.fault(Trait::LongFormControl, control && long && len <= 125);
        let non_minimal = (form == 2 && len < 126) || (form == 8 && len < 0x1_0000);
        facts.fault(Trait::NonMinimalLength, non_minimal && !any_form && !control);
        facts.fault(Trait::LengthMsb, len >> 63 == 1);
        let before = message.as_ref().map_or(0, |(_, message)| message.len());
        let whole = if opcode == 0 {
            len.saturating_add(before as u64)
        } else {
            len
        };
        let too_big = !control && whole > case.limit as u64;
        let over_rest = opcode != 0 && !too_big && (before as u64).saturating_add(len) > case.limit as u64;
        facts.oddity(Trait::OverRestOfOther, over_rest && before > 0);
        let Some(after) = rest.get(2 + form + if masked { 4 } else { 0 }..) else {
            facts.fault(Trait::TooBig, too_big);
            // If the length exceeds the limit, this crate reports this fault at the length instead of at the end of the header.
            facts.fault(Trait::UnfinishedMessage, (over_rest || too_big) && disorder);
            break;
        };
        facts.fault(Trait::UnexpectedContinuation, opcode == 0 && message.is_none());
        facts.fault(
            Trait::UnfinishedMessage,
            matches!(opcode, 1..=7) && message.is_some(),
        );

        let key = if masked { &rest[2 + form..][..4] } else { &[0; 4] };
        let size = usize::try_from(len).unwrap_or(usize::MAX).min(after.len());
        facts.cut = (size as u64) < len;
        let payload: Vec<u8> = after[..size]
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        rest = &after[size..];
        match opcode {
            0..=2 => {
                let (text, mut bytes) = message.take().unwrap_or((opcode == 1, Vec::new()));
                bytes.extend(&payload);
                let ends = fin && !facts.cut;
                let mut delivered = bytes.len();
                if text {
                    utf8(&bytes, ends, payload.is_empty(), &mut facts);
                    if fin && opcode == 1 {
                        facts
                            .faults
                            .iter_mut()
                            .filter(|fault| **fault == Trait::Utf8)
                            .for_each(|fault| *fault = Trait::Utf8InOneFrame);
                    }
                    delivered =
                        std::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
                }
                let by_character = delivered <= case.limit && !facts.cut;
                facts.fault(
                    if by_character {
                        Trait::TooBigByCutCharacter
                    } else {
                        Trait::TooBig
                    },
                    too_big,
                );
                message = if ends { None } else { Some((text, bytes)) };
            }
            8 if !facts.cut => {
                close(&payload, &mut facts);
                if facts.faults.is_empty() {
                    facts.oddity(Trait::CloseInMessage, message.is_some());
                    facts.oddity(Trait::BytesAfterClose, !rest.is_empty());
                    break;
                }
            }
            _ => {}
        }
    }
    facts
}

fn utf8(bytes: &[u8], ends: bool, empty: bool, facts: &mut Facts) {
    if let Err(error) = std::str::from_utf8(bytes) {
        let inside = error.error_len().is_none();
        let surrogate = matches!(bytes[error.valid_up_to()..], [0xed, 0xa0..=0xbf]) && !ends;
        facts.fault(Trait::Utf8SurrogateBegun, surrogate);
        facts.fault(Trait::Utf8, (!inside || (ends && !empty)) && !surrogate);
        facts.fault(Trait::Utf8CutBeforeEmptyFrame, inside && ends && empty);
    }
}

fn close(body: &[u8], facts: &mut Facts) {
    facts.fault(Trait::CloseOfOneByte, body.len() == 1);
    facts.oddity(Trait::CloseWithoutCode, body.is_empty());
    let [high, low, reason @ ..] = body else { return };
    let code = u16::from_be_bytes([*high, *low]);
    facts.fault(
        Trait::CloseCode,
        !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
    );
    facts.fault(Trait::CloseReasonUtf8, std::str::from_utf8(reason).is_err());
    facts.oddity(Trait::CloseReason, !reason.is_empty());
    facts.oddity(Trait::CloseCode1014, code == 1014);
    facts.oddity(Trait::CloseCodeRegistered, matches!(code, 1012 | 1013));
}
