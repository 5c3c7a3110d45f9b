//! What there is in a case: a second, naive reading of the bytes by the letter of the requirements, which shares no code with the
//! crate. It tells whether the crate had to refuse, and it is what explanations are about.

mod frames;
mod heads;

use crate::case::{Case, Outcome, Verdict};

/// Something in a case about which implementations may differ.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Trait {
    // Faults of the frame that decides.
    ReservedBits,
    ReservedOpCode,
    FragmentedControl,
    /// A control frame of more than 125 bytes.
    LongControl,
    /// A control frame of at most 125 bytes, its length written in 2 or 8 bytes.
    LongFormControl,
    Masking,
    NonMinimalLength,
    LengthMsb,
    TooBig,
    /// Too big, but not without the last character of the text, which is incomplete.
    TooBigByCutCharacter,
    UnexpectedContinuation,
    UnfinishedMessage,
    Utf8,
    /// The same in a text that is not in fragments.
    Utf8InOneFrame,
    /// A text that goes on, and that ends in the first two bytes of a surrogate for now.
    Utf8SurrogateBegun,
    /// The last frame of a text ends it inside a character, and is empty.
    Utf8CutBeforeEmptyFrame,
    CloseOfOneByte,
    CloseCode,
    CloseReasonUtf8,
    // Of streams that are right.
    CloseInMessage,
    CloseReason,
    CloseCode1014,
    /// 1012 or 1013, which the registry has and RFC 6455 has not.
    CloseCodeRegistered,
    CloseWithoutCode,
    BytesAfterClose,
    /// The header tells a fault that this crate finds at its end, or with the payload.
    FaultAnnounced,
    /// A frame that is longer than what the limit leaves for the message around it, to which it does not belong.
    OverRestOfOther,

    // Faults in how a head is written.
    BareLf,
    BareCr,
    /// NUL, VT or FF in a value.
    ControlSpace,
    /// Another control byte in a value.
    Control,
    FieldName,
    NoColon,
    SpaceBeforeColon,
    SpaceBeforeFields,
    RequestFold,
    RequestLine,
    Method,
    TargetByte,
    TargetFragment,
    TargetForm,
    VersionForm,
    VersionMajor,
    StatusLine,
    /// `HTTP/1.1 101` and no space behind it.
    StatusWithoutSpace,
    StatusBelow100,
    EmptyLineBeforeResponse,
    // Oddities that are right.
    EmptyLineFirst,
    ResponseFold,
    VersionMinor,
    /// `HTTP/2`, and nothing behind it for now.
    VersionBegun,
    StatusAbove599,
    /// A response other than 101.
    Http10Response,
    Interim,
    BytesAfterHead,
    /// Behind a response other than 101.
    BytesAfterRejection,
    // Faults in what a head says.
    ManyInterim,
    MethodNotGet,
    Http10,
    HostMissing,
    HostTwice,
    HostMalformed,
    ContentLengthMalformed,
    /// `0, 0` and lines that say the same number twice.
    ContentLengthTwice,
    Content,
    TransferEncoding,
    Expect,
    UpgradeMissing,
    /// A response that switches to several protocols.
    UpgradeSeveral,
    ConnectionMissing,
    /// `keep-alive Upgrade`
    ConnectionWithoutComma,
    /// `Upgrade` with separators of ASCII (0x1C to 0x1F) around it.
    ConnectionSeparated,
    VersionMissing,
    VersionTwice,
    VersionOther,
    KeyMissing,
    KeyTwice,
    KeyMalformed,
    OriginTwice,
    OriginMalformed,
    ProtocolMalformed,
    ProtocolTwice,
    ExtensionsMalformed,
    /// Sec-WebSocket-Extensions without an element on any line.
    ExtensionsNone,
    AcceptMissing,
    AcceptTwice,
    AcceptWrong,
    ExtensionUnoffered,
    ProtocolUnoffered,
    ProtocolLinesInResponse,
    // Oddities in what a head says.
    TargetUnusual,
    HostUnusual,
    /// `00`
    ContentLengthUnusual,
    UpgradeList,
    UpgradeTwice,
    ConnectionLines,
    /// In a response, more than the one option.
    ConnectionList,
    /// Empty elements, or elements that are not tokens.
    ConnectionUnusual,
    KeyPadBits,
    /// Connection, Sec-WebSocket-Protocol or -Extensions.
    ListNonAscii,
    /// Content-Length or Transfer-Encoding in a response, in a form that a request must not have.
    FramingOfResponse,
    /// One of several lines of Sec-WebSocket-Extensions.
    ExtensionsEmpty,
    /// One of several lines of Sec-WebSocket-Protocol.
    ProtocolEmptyLine,
    ProtocolNone,
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Each makes that the bytes have to be refused.
    pub faults: Vec<Trait>,
    /// What is right, but not common.
    pub oddities: Vec<Trait>,
    /// The bytes end before the frame or the head does.
    pub cut: bool,
    /// A response other than 101: there is nothing to check in it.
    pub other_status: bool,
}

impl Facts {
    /// Facts about heads that are only of how they are written, for the comparison with a parser that looks at nothing else.
    pub fn syntax(mut self) -> Self {
        self.faults.retain(|fault| fault.is_syntax());
        self
    }

    pub fn of(case: &Case) -> Self {
        if case.is_frames() {
            frames::read(case, false)
        } else {
            heads::read(case)
        }
    }

    /// As if lengths might be written in any form (D3).
    pub fn of_lenient(case: &Case) -> Self {
        frames::read(case, true)
    }

    /// Whether this reading and the crate's agree on what has to be refused.
    pub fn agree(&self, ours: &Outcome) -> bool {
        match &ours.verdict {
            Verdict::Failed(code) => self.faults.iter().any(|fault| fault.close_code() == *code),
            Verdict::Open | Verdict::Closed | Verdict::Accepted(..) | Verdict::Parsed(_) => {
                self.faults.is_empty()
            }
            Verdict::Rejected(_) if self.other_status => self.faults.is_empty(),
            // The naive reading does not look into a line that is not whole.
            Verdict::Rejected(_) | Verdict::Refused => self.cut || !self.faults.is_empty(),
            Verdict::Incomplete => self.cut,
            Verdict::Crashed(_) => false,
        }
    }

    fn fault(&mut self, fault: Trait, there: bool) {
        if there && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn oddity(&mut self, oddity: Trait, there: bool) {
        if there && !self.oddities.contains(&oddity) {
            self.oddities.push(oddity);
        }
    }
}

impl Trait {
    pub fn close_code(self) -> u16 {
        match self {
            Self::Utf8
            | Self::Utf8InOneFrame
            | Self::Utf8SurrogateBegun
            | Self::Utf8CutBeforeEmptyFrame
            | Self::CloseReasonUtf8 => 1007,
            Self::TooBig | Self::TooBigByCutCharacter => 1009,
            _ => 1002,
        }
    }

    fn is_syntax(self) -> bool {
        (Self::BareLf as usize..=Self::EmptyLineBeforeResponse as usize).contains(&(self as usize))
    }
}
