//! Negotiation by offers and answers: RFC 7692 sections 5 and 7.1, over any list of extensions.

use alloc::string::String;
use core::fmt;
use core::fmt::Write as _;

use super::config::DeflateConfig;
use crate::Role;
use crate::handshake::{Extension, ExtensionParam};

/// The name of the extension (RFC 7692 section 7).
pub const EXTENSION: &str = "permessage-deflate";

/// The LZ77 window of one direction: how far back its data may refer, and whether to earlier messages.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct Window {
    bits: u8,
    takeover: bool,
}

impl Window {
    /// Creates a window of `2^bits` bytes with context takeover: it continues from message to message. `None` unless
    /// `bits` is 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self { bits, takeover: true }),
            _ => None,
        }
    }

    /// Returns the same window without context takeover: each message starts with an empty one.
    pub const fn without_context_takeover(mut self) -> Self {
        self.takeover = false;
        self
    }

    /// Returns the base-2 logarithm of the size, 8 to 15.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Returns whether messages may refer to those before them.
    pub const fn has_context_takeover(self) -> bool {
        self.takeover
    }

    /// Returns the same window with at most `bits` bits.
    pub(super) const fn at_most(mut self, bits: u8) -> Self {
        if self.bits > bits {
            self.bits = bits;
        }
        self
    }

    pub(super) const fn size(self) -> usize {
        1 << self.bits
    }
}

impl Default for Window {
    /// The default if nothing was negotiated: 15 bits, with context takeover.
    fn default() -> Self {
        Self {
            bits: 15,
            takeover: true,
        }
    }
}

/// The negotiated window of each direction.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Parameters {
    client: Window,
    server: Window,
}

impl Parameters {
    /// Creates parameters from the windows that the client and the server compress with.
    pub const fn new(client: Window, server: Window) -> Self {
        Self { client, server }
    }

    /// Returns the window that `role` compresses with, and its peer inflates with.
    pub const fn sender_window(self, role: Role) -> Window {
        match role {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// Returns the same for a client that keeps to its own configuration, whatever it offered to the server.
    pub(crate) fn within(self, config: &DeflateConfig) -> Self {
        let client = config
            .hint()
            .map_or(self.client, |limit| self.client.at_most(limit));
        Self { client, ..self }
    }
}

/// A parameter of the extension (RFC 7692 section 7.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "RFC 7692 section 7.1 knows these four")]
pub enum Parameter {
    /// `server_no_context_takeover`
    ServerNoContextTakeover,
    /// `client_no_context_takeover`
    ClientNoContextTakeover,
    /// `server_max_window_bits`
    ServerMaxWindowBits,
    /// `client_max_window_bits`
    ClientMaxWindowBits,
}

impl Parameter {
    /// Returns the name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerNoContextTakeover => "server_no_context_takeover",
            Self::ClientNoContextTakeover => "client_no_context_takeover",
            Self::ServerMaxWindowBits => "server_max_window_bits",
            Self::ClientMaxWindowBits => "client_max_window_bits",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [
            Self::ServerNoContextTakeover,
            Self::ClientNoContextTakeover,
            Self::ServerMaxWindowBits,
            Self::ClientMaxWindowBits,
        ]
        .into_iter()
        .find(|parameter| parameter.name() == name)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a server's answer fails the client's handshake (RFC 7692 sections 5.1 and 7.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The extension was not offered.
    NotOffered,
    /// The answer names the extension twice.
    Repeated,
    /// The answer has a parameter that the extension does not define.
    UnknownParameter,
    /// A parameter appears twice.
    RepeatedParameter(Parameter),
    /// A parameter has an invalid value, or lacks a required one.
    InvalidValue(Parameter),
    /// A parameter that the offer asked for is missing.
    MissingParameter(Parameter),
    /// The answer has a parameter that is allowed only if it was offered.
    UnofferedParameter(Parameter),
    /// The answer has a `server_max_window_bits` above the offered one (RFC 7692 section 7.1.2.1). A
    /// `client_max_window_bits` may be above the client's, which is only a hint.
    LargerThanOffered {
        /// The bits that were offered.
        offered: u8,
        /// The bits in the answer.
        answered: u8,
    },
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => write!(f, "server answered {EXTENSION}, which was not offered"),
            Self::Repeated => write!(f, "server answered {EXTENSION} twice"),
            Self::UnknownParameter => write!(f, "server answered an unknown parameter of {EXTENSION}"),
            Self::RepeatedParameter(parameter) => write!(f, "server answered {parameter} twice"),
            Self::InvalidValue(parameter) => write!(f, "server answered an invalid value of {parameter}"),
            Self::MissingParameter(parameter) => write!(f, "server did not answer {parameter}, as offered"),
            Self::UnofferedParameter(parameter) => {
                write!(f, "server answered {parameter}, which was not offered")
            }
            Self::LargerThanOffered { offered, answered } => {
                let parameter = Parameter::ServerMaxWindowBits;
                write!(
                    f,
                    "server answered {parameter}={answered}, more than the offered {offered}"
                )
            }
        }
    }
}

impl core::error::Error for NegotiationError {}

/// Returns a client's offers for `Sec-WebSocket-Extensions`, the best first (RFC 7692 section 5.1): one for each
/// configuration, or an empty text if there is none.
///
/// Add further offers for servers that cannot meet the first, e.g. one with limits, then one without. Unless
/// [`DeflateConfig::offer_client_max_window_bits`] says otherwise, `client_max_window_bits` is offered, so that the
/// server may choose.
///
/// ```
/// use websocket_proto::deflate::{self, DeflateConfig};
///
/// let best = DeflateConfig::new().server_max_window_bits(10).client_max_window_bits(15);
/// let fallback = best.clone().server_max_window_bits(15);
/// assert_eq!(
///     deflate::offer(&[best, fallback]),
///     "permessage-deflate; server_max_window_bits=10; client_max_window_bits, \
///      permessage-deflate; client_max_window_bits",
/// );
/// ```
pub fn offer(configs: &[DeflateConfig]) -> String {
    let mut value = String::with_capacity(configs.len().saturating_mul(MAX_ELEMENT_SIZE));
    for config in configs {
        if !value.is_empty() {
            value.push_str(", ");
        }
        let terms = Terms {
            server_no_context_takeover: config.server_no_context_takeover,
            client_no_context_takeover: config.client_no_context_takeover,
            server_max_window_bits: Some(config.server_max_window_bits).filter(|&bits| bits < 15),
            client_max_window_bits: config.offer_client_max_window_bits.then(|| config.hint()),
        };
        // Writing to a string cannot fail.
        let _ = write!(value, "{terms}");
    }
    value
}

/// Chooses among a client's offers (RFC 7692 section 5.1). Returns the parameters, and the element for
/// `Sec-WebSocket-Extensions` in the response; or `None` to decline all offers, and the response then does not mention
/// the extension.
///
/// The first acceptable offer wins. Offers with an unknown, repeated or invalid parameter are skipped, and so
/// are other extensions.
///
/// The answer names a window only if the client has asked for it or lets the server choose, unless `config` says
/// otherwise. If the client does not offer `client_max_window_bits`, its window cannot be limited: a limit set with
/// [`DeflateConfig::client_max_window_bits`] is then replaced by `client_no_context_takeover`.
///
/// ```
/// use websocket_proto::deflate::{self, DeflateConfig};
/// use websocket_proto::handshake::ExtensionList;
/// use websocket_proto::Role;
///
/// let offers = ExtensionList::parse("permessage-deflate; dictionary, permessage-deflate; server_max_window_bits=10")?;
/// let (parameters, answer) = deflate::accept(offers, &DeflateConfig::new()).unwrap();
/// assert_eq!(parameters.sender_window(Role::Server).bits(), 10);
/// assert_eq!(answer, "permessage-deflate; server_max_window_bits=10");
///
/// let browser = ExtensionList::parse("permessage-deflate; client_max_window_bits")?;
/// let (parameters, answer) = deflate::accept(browser.clone(), &DeflateConfig::new()).unwrap();
/// assert_eq!(parameters.sender_window(Role::Client).bits(), 15);
/// assert_eq!(answer, "permessage-deflate");
///
/// let (parameters, answer) = deflate::accept(browser, &DeflateConfig::new().client_max_window_bits(12)).unwrap();
/// assert_eq!(parameters.sender_window(Role::Client).bits(), 12);
/// assert_eq!(answer, "permessage-deflate; client_max_window_bits=12");
/// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
/// ```
pub fn accept<'a>(
    offers: impl IntoIterator<Item = Extension<'a>>,
    config: &DeflateConfig,
) -> Option<(Parameters, String)> {
    let offer = offers
        .into_iter()
        .filter(|extension| extension.name() == EXTENSION)
        .find_map(|extension| Terms::read(&extension).ok())?;
    let server = Window {
        bits: offer
            .server_max_window_bits
            .unwrap_or(15)
            .min(config.server_max_window_bits),
        takeover: !(offer.server_no_context_takeover || config.server_no_context_takeover),
    };
    let bits = match offer.client_max_window_bits {
        Some(hint) => hint.unwrap_or(15).min(config.client_max_window_bits),
        None => 15,
    };
    let client = Window {
        bits,
        takeover: !(offer.client_no_context_takeover
            || config.client_no_context_takeover
            || config.hint().is_some_and(|limit| bits > limit)),
    };
    let answer = Terms {
        server_no_context_takeover: !server.takeover,
        client_no_context_takeover: !client.takeover,
        server_max_window_bits: Some(server.bits)
            .filter(|&bits| bits < 15 || offer.server_max_window_bits.is_some()),
        client_max_window_bits: Some(client.bits).filter(|&bits| bits < 15).map(Some),
    };
    let mut value = String::with_capacity(MAX_ELEMENT_SIZE);
    // Writing to a string cannot fail.
    let _ = write!(value, "{answer}");
    Some((Parameters::new(client, server), value))
}

/// Checks a server's answer against the offers, as they were sent (RFC 7692 sections 5.1 and 7.1). `Ok(None)` if the
/// answer does not name the extension: messages are then not compressed. Other extensions are skipped; the caller
/// checks whether they were offered.
///
/// The answer does not say which offer it is for; the first offer that it fits counts. The hints in that offer apply as
/// well: the client's window is the smaller one of its hint and the number in the answer (RFC 7692 section 7.1.2.2).
/// The answer may omit a `server_max_window_bits` of 15, which is the default.
///
/// ```
/// use websocket_proto::deflate::{self, NegotiationError, Parameter};
/// use websocket_proto::handshake::ExtensionList;
///
/// let offers = ExtensionList::parse("permessage-deflate; server_max_window_bits=10")?;
/// let answer = ExtensionList::parse("permessage-deflate")?;
/// assert_eq!(
///     deflate::check_answer(answer, offers),
///     Err(NegotiationError::MissingParameter(Parameter::ServerMaxWindowBits)),
/// );
/// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
/// ```
///
/// # Errors
///
/// The [`NegotiationError`] for the last offer, if the answer fits none. The handshake must then fail.
pub fn check_answer<'a, 'o>(
    answer: impl IntoIterator<Item = Extension<'a>>,
    offers: impl IntoIterator<Item = Extension<'o>>,
) -> Result<Option<Parameters>, NegotiationError> {
    let mut answers = answer
        .into_iter()
        .filter(|extension| extension.name() == EXTENSION);
    let Some(answer) = answers.next() else {
        return Ok(None);
    };
    if answers.next().is_some() {
        return Err(NegotiationError::Repeated);
    }
    let answer = Terms::read(&answer)?;
    // Only an offer may omit the value.
    if answer.client_max_window_bits == Some(None) {
        return Err(NegotiationError::InvalidValue(Parameter::ClientMaxWindowBits));
    }
    let mut last = NegotiationError::NotOffered;
    for offer in offers
        .into_iter()
        .filter(|extension| extension.name() == EXTENSION)
    {
        match Terms::read(&offer).and_then(|offer| answer.fit(offer)) {
            Ok(parameters) => return Ok(Some(parameters)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The parameters of one offer or answer.
#[derive(Clone, Copy, Default)]
struct Terms {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// `Some(None)` in an offer without a value: the server may choose any.
    client_max_window_bits: Option<Option<u8>>,
}

impl Terms {
    fn read(extension: &Extension<'_>) -> Result<Self, NegotiationError> {
        let mut terms = Self::default();
        for param in extension.params() {
            terms.add(&param)?;
        }
        Ok(terms)
    }

    fn add(&mut self, param: &ExtensionParam<'_>) -> Result<(), NegotiationError> {
        let parameter = Parameter::from_name(param.name()).ok_or(NegotiationError::UnknownParameter)?;
        let invalid = NegotiationError::InvalidValue(parameter);
        let flag = || param.value().map_or(Ok(true), |_| Err(invalid));
        let bits = |value: &str| parse_bits(value).ok_or(invalid);
        let repeated = match parameter {
            Parameter::ServerNoContextTakeover => {
                core::mem::replace(&mut self.server_no_context_takeover, flag()?)
            }
            Parameter::ClientNoContextTakeover => {
                core::mem::replace(&mut self.client_no_context_takeover, flag()?)
            }
            Parameter::ServerMaxWindowBits => {
                let value = bits(param.value().ok_or(invalid)?)?;
                self.server_max_window_bits.replace(value).is_some()
            }
            Parameter::ClientMaxWindowBits => {
                let value = param.value().map(bits).transpose()?;
                self.client_max_window_bits.replace(value).is_some()
            }
        };
        match repeated {
            true => Err(NegotiationError::RepeatedParameter(parameter)),
            false => Ok(()),
        }
    }

    /// Returns the parameters that `self`, an answer, results in, if it fits `offer`.
    fn fit(self, offer: Self) -> Result<Parameters, NegotiationError> {
        // RFC 7692 section 7.1.1.1
        if offer.server_no_context_takeover && !self.server_no_context_takeover {
            return Err(NegotiationError::MissingParameter(
                Parameter::ServerNoContextTakeover,
            ));
        }
        // Section 7.1.2.1
        let offered = offer.server_max_window_bits.unwrap_or(15);
        match self.server_max_window_bits {
            Some(answered) if answered > offered => {
                return Err(NegotiationError::LargerThanOffered { offered, answered });
            }
            None if offered < 15 => {
                return Err(NegotiationError::MissingParameter(Parameter::ServerMaxWindowBits));
            }
            Some(_) | None => {}
        }
        // Section 7.1.2.2
        if self.client_max_window_bits.is_some() && offer.client_max_window_bits.is_none() {
            return Err(NegotiationError::UnofferedParameter(
                Parameter::ClientMaxWindowBits,
            ));
        }
        let bits = |terms: Self| terms.client_max_window_bits.flatten().unwrap_or(15);
        let client = Window {
            // The client honors its hint, whatever the server responds.
            bits: bits(self).min(bits(offer)),
            takeover: !(self.client_no_context_takeover || offer.client_no_context_takeover),
        };
        let server = Window {
            bits: self.server_max_window_bits.unwrap_or(15),
            takeover: !self.server_no_context_takeover,
        };
        Ok(Parameters::new(client, server))
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXTENSION)?;
        if self.server_no_context_takeover {
            write!(f, "; {}", Parameter::ServerNoContextTakeover)?;
        }
        if self.client_no_context_takeover {
            write!(f, "; {}", Parameter::ClientNoContextTakeover)?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {}={bits}", Parameter::ServerMaxWindowBits)?;
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => write!(f, "; {}={bits}", Parameter::ClientMaxWindowBits),
            Some(None) => write!(f, "; {}", Parameter::ClientMaxWindowBits),
            None => Ok(()),
        }
    }
}

/// The size of an element with all four parameters and a comma, for one allocation.
const MAX_ELEMENT_SIZE: usize = 130;

/// RFC 7692 section 7.1.2: 8 to 15, decimal, without leading zeros.
fn parse_bits(value: &str) -> Option<u8> {
    match value {
        "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15" => value.parse().ok(),
        _ => None,
    }
}
