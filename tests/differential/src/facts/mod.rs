//! The traits of a case, found by a naive reader that follows the requirements literally and shares no code with the crate. They
//! determine whether the crate had to reject the case, and the explanations refer to them.

mod frames;
mod heads;

use crate::case::{Case, Outcome, Verdict};

/// Something in a case about which implementations may differ.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Trait {
    // Faults of a frame.
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
    /// Too big only because of an incomplete character at the end of the text.
    TooBigByCutCharacter,
    UnexpectedContinuation,
    UnfinishedMessage,
    Utf8,
    /// Invalid UTF-8 in a text that is not fragmented.
    Utf8InOneFrame,
    /// An unfinished text whose last bytes so far are the first two bytes of an encoded surrogate.
    Utf8SurrogateBegun,
    /// The text ends inside a character, and its last frame is empty.
    Utf8CutBeforeEmptyFrame,
    CloseOfOneByte,
    CloseCode,
    CloseReasonUtf8,
    // Oddities in valid streams.
    CloseInMessage,
    CloseReason,
    CloseCode1014,
    /// 1012 or 1013, which are in the IANA registry but not in RFC 6455.
    CloseCodeRegistered,
    CloseWithoutCode,
    BytesAfterClose,
    /// The first two bytes show a fault that this crate reports at the end of the header or in the payload.
    FaultAnnounced,
    /// A frame between the fragments of a message, longer than the remaining limit of that message.
    OverRestOfOther,

    // Faults in the syntax of a head.
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
    /// `HTTP/1.1 101` without a space after it.
    StatusWithoutSpace,
    StatusBelow100,
    EmptyLineBeforeResponse,
    // Oddities in valid syntax.
    EmptyLineFirst,
    ResponseFold,
    VersionMinor,
    /// `HTTP/2` so far, with nothing after it.
    VersionBegun,
    StatusAbove599,
    /// A response other than 101.
    Http10Response,
    Interim,
    BytesAfterHead,
    /// After a response other than 101.
    BytesAfterRejection,
    // Faults in the content of a head.
    ManyInterim,
    MethodNotGet,
    Http10,
    HostMissing,
    HostTwice,
    HostMalformed,
    ContentLengthMalformed,
    /// `0, 0`, or several lines with the same number.
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
    /// `Upgrade` with ASCII separators (0x1C to 0x1F) around it.
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
    // Oddities in the content of a head.
    TargetUnusual,
    HostUnusual,
    /// `00`
    ContentLengthUnusual,
    UpgradeList,
    UpgradeTwice,
    ConnectionLines,
    /// In a response: more than one option.
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
    /// Each of these requires that the bytes be rejected.
    pub faults: Vec<Trait>,
    /// Valid but uncommon.
    pub oddities: Vec<Trait>,
    /// The bytes end inside a frame or a head.
    pub cut: bool,
    /// A response other than 101, whose content is not checked.
    pub other_status: bool,
}

impl Facts {
    /// Keeps only the faults in the syntax of a head, for the comparison with a parser that checks nothing else.
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

    /// The facts if non-minimal lengths are allowed (D3).
    pub fn of_lenient(case: &Case) -> Self {
        frames::read(case, true)
    }

    /// Whether the crate and this reader agree on whether to reject the case.
    pub fn agree(&self, ours: &Outcome) -> bool {
        match &ours.verdict {
            Verdict::Failed(code) => self.faults.iter().any(|fault| fault.close_code() == *code),
            Verdict::Open | Verdict::Closed | Verdict::Accepted(..) | Verdict::Parsed(_) => {
                self.faults.is_empty()
            }
            Verdict::Rejected(_) if self.other_status => self.faults.is_empty(),
            // The naive reader hardly checks an incomplete line.
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
