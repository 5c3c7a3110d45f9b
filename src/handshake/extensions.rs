//! The list of extensions, as offered and as answered: RFC 6455 section 9.1, over any transport.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};

use super::error::HandshakeError;
use super::http::grammar::{is_field_byte, is_token, is_token_byte};
use crate::Config;

/// The extensions of one `Sec-WebSocket-Extensions` value, in order.
///
/// [`parse`](Self::parse) checks the whole value, so the iteration cannot fail. It borrows from the value, and its work
/// is linear in the value's length, whatever it contains. Several lines form one list; they can be read one after the
/// other, because no element can continue on the next line. Empty elements are skipped, and a value may consist of
/// nothing else, because it can be one line of several. A handshake whose lines contain no extension at all fails,
/// because the grammar requires one.
///
/// [`Display`](fmt::Display) writes the list in its simplest form, which parses as the same list.
///
/// ```
/// use websocket_proto::handshake::ExtensionList;
///
/// let mut list = ExtensionList::parse("permessage-deflate ; client_max_window_bits = \"10\" ,, x-other")?;
/// assert_eq!(list.to_string(), "permessage-deflate; client_max_window_bits=10, x-other");
/// let deflate = list.next().unwrap();
/// assert_eq!(deflate.name(), "permessage-deflate");
/// let bits = deflate.params().next().unwrap();
/// assert_eq!((bits.name(), bits.value()), ("client_max_window_bits", Some("10")));
/// assert!(ExtensionList::parse("permessage-deflate;;").is_err());
/// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExtensionList<'a> {
    rest: Cursor<'a>,
}

impl<'a> ExtensionList<'a> {
    /// Checks a value, and creates the iterator over its extensions.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MalformedExtensions`] if the value does not match the grammar: `a;;`, `a b`, `a;=1`, `a; b="`,
    /// `,;`. A quoted value has to be a token once its quotes and backslashes are removed (RFC 6455 section 9.1).
    pub fn parse(value: &'a str) -> Result<Self, HandshakeError> {
        Self::parse_by(value, Values::Tokens)
    }

    /// Same as [`parse`](Self::parse), except that a quoted value may be any text: see
    /// [`Config::accept_any_extension_value`].
    ///
    /// ```
    /// use websocket_proto::handshake::ExtensionList;
    ///
    /// let offer = "bbf-usp-protocol; eid=\"os::012345-001122334455\"";
    /// assert!(ExtensionList::parse(offer).is_err());
    /// let mut list = ExtensionList::parse_any_value(offer)?;
    /// assert_eq!(list.to_string(), offer);
    /// let eid = list.next().and_then(|agent| agent.params().next()).unwrap();
    /// assert_eq!((eid.name(), eid.value()), ("eid", Some("os::012345-001122334455")));
    /// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandshakeError::MalformedExtensions`] if the value does not match the rest of the grammar, or a parameter's
    /// value has control characters.
    pub fn parse_any_value(value: &'a str) -> Result<Self, HandshakeError> {
        Self::parse_by(value, Values::Any)
    }

    fn parse_by(value: &'a str, values: Values) -> Result<Self, HandshakeError> {
        let list = Self { rest: Cursor(value) };
        list.check(values)?;
        Ok(list)
    }

    /// Checks the list. Returns whether it has any extension.
    fn check(&self, values: Values) -> Result<bool, HandshakeError> {
        let (mut rest, mut is_any) = (self.rest, false);
        while next_element(&mut rest, values)
            .map_err(|Malformed| HandshakeError::MalformedExtensions)?
            .is_some()
        {
            is_any = true;
        }
        Ok(is_any)
    }

    /// Creates a list that is not checked yet. The grammar has only ASCII, so a value that is not UTF-8 is malformed.
    fn from_bytes(value: &'a [u8]) -> Result<Self, HandshakeError> {
        let value = core::str::from_utf8(value).map_err(|_| HandshakeError::MalformedExtensions)?;
        Ok(Self { rest: Cursor(value) })
    }
}

/// Checks the lines of a handshake, all of which are one list (RFC 6455 section 9.1, erratum 3433).
pub(super) fn check_lines<'a>(
    config: &Config,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<(), HandshakeError> {
    let values = match config.accept_any_extension_value {
        false => Values::Tokens,
        true => Values::Any,
    };
    let (mut has_line, mut has_element) = (false, config.accept_empty_lists);
    for line in lines {
        has_line = true;
        has_element |= USUAL.contains(&line) || ExtensionList::from_bytes(line)?.check(values)?;
    }
    // RFC 6455 section 9.1: `1#extension`; an empty list violates the grammar, a missing one does not.
    if has_line && !has_element {
        return Err(HandshakeError::EmptyExtensions);
    }
    Ok(())
}

/// What browsers offer, and what servers answer: one extension, by the rules. To compare a line with these takes a few
/// instructions, and to check it hundreds.
const USUAL: [&[u8]; 2] = [
    b"permessage-deflate; client_max_window_bits",
    b"permessage-deflate",
];

/// Returns the extensions in lines that have been checked.
pub(super) fn of_lines<'a>(lines: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = Extension<'a>> {
    lines
        .filter_map(|line| ExtensionList::from_bytes(line).ok())
        .flatten()
}

impl<'a> Iterator for ExtensionList<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        next_element(&mut self.rest, Values::Any).ok().flatten()
    }
}

impl fmt::Display for ExtensionList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, extension) in self.clone().enumerate() {
            // RFC 9110 section 5.6.1: an empty element is never written.
            if i > 0 {
                f.write_str(", ")?;
            }
            extension.fmt(f)?;
        }
        Ok(())
    }
}

/// One extension with its parameters.
///
/// Names are compared case-sensitively; the RFC does not say otherwise.
#[derive(Clone, Debug)]
pub struct Extension<'a> {
    name: &'a str,
    params: ExtensionParams<'a>,
}

impl<'a> Extension<'a> {
    /// Returns the extension's name, a token.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the parameters, in order. A parameter may appear several times; the extension defines what that means.
    pub fn params(&self) -> ExtensionParams<'a> {
        self.params.clone()
    }
}

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for param in self.params() {
            write!(f, "; {param}")?;
        }
        Ok(())
    }
}

impl Eq for Extension<'_> {}

impl PartialEq for Extension<'_> {
    /// Compares the meaning: `a; b="c"` equals `a;b=c`.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.params().eq(other.params())
    }
}

/// The parameters of an [`Extension`].
#[derive(Clone, Debug)]
pub struct ExtensionParams<'a> {
    rest: Cursor<'a>,
}

impl<'a> Iterator for ExtensionParams<'a> {
    type Item = ExtensionParam<'a>;

    fn next(&mut self) -> Option<ExtensionParam<'a>> {
        next_param(&mut self.rest, Values::Any).ok().flatten()
    }
}

/// A parameter: a name, or a name with a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExtensionParam<'a> {
    name: &'a str,
    value: Option<Cow<'a, str>>,
}

impl<'a> ExtensionParam<'a> {
    /// Returns the parameter's name, a token.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the value, without quotes if it had any. A token, unless any value was allowed.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for ExtensionParam<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        match &self.value {
            None => Ok(()),
            Some(value) if is_token(value.as_bytes()) => write!(f, "={value}"),
            // RFC 9110 section 5.6.4
            Some(value) => {
                f.write_str("=\"")?;
                for char in value.chars() {
                    if matches!(char, '"' | '\\') {
                        f.write_str("\\")?;
                    }
                    f.write_char(char)?;
                }
                f.write_str("\"")
            }
        }
    }
}

/// Returns the next element of a list, up to its comma or the end.
fn next_element<'a>(rest: &mut Cursor<'a>, values: Values) -> Result<Option<Extension<'a>>, Malformed> {
    // RFC 9110 section 5.6.1: empty elements are ignored. Each costs one step, like every other byte.
    rest.skip_while(|byte| matches!(byte, b' ' | b'\t' | b','));
    if rest.is_empty() {
        return Ok(None);
    }
    let name = rest.token()?;
    let params = ExtensionParams { rest: *rest };
    while next_param(rest, values)?.is_some() {}
    if !rest.is_empty() && !rest.eat(b',') {
        return Err(Malformed);
    }
    Ok(Some(Extension { name, params }))
}

/// Returns the next parameter of an element, if there is one.
fn next_param<'a>(rest: &mut Cursor<'a>, values: Values) -> Result<Option<ExtensionParam<'a>>, Malformed> {
    if !rest.eat_delimiter(b';') {
        return Ok(None);
    }
    let name = rest.token()?;
    let value = match rest.eat_delimiter(b'=') {
        true if rest.eat(b'"') => Some(rest.quoted(values)?),
        true => Some(Cow::Borrowed(rest.token()?)),
        false => None,
    };
    rest.skip_space();
    Ok(Some(ExtensionParam { name, value }))
}

/// What the quoted value of a parameter may be, without quotes and backslashes. A checked value is read as `Any`.
#[derive(Clone, Copy)]
enum Values {
    /// RFC 6455 section 9.1
    Tokens,
    /// [`Config::accept_any_extension_value`]
    Any,
}

impl Values {
    fn have(self, value: &str) -> bool {
        match self {
            Self::Tokens => is_token(value.as_bytes()),
            Self::Any => value.bytes().all(is_field_byte),
        }
    }
}

/// The rest of a value.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    fn skip_while(&mut self, is_kind: impl Fn(u8) -> bool) -> &'a str {
        let run = self
            .0
            .bytes()
            .position(|byte| !is_kind(byte))
            .unwrap_or(self.0.len());
        // Never splits a character, because all kinds are ASCII; a split would leave nothing to read.
        let (run, rest) = self.0.split_at_checked(run).unwrap_or_default();
        self.0 = rest;
        run
    }

    fn skip_space(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.0.strip_prefix(char::from(byte)) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Consumes a delimiter, with white space on either side (RFC 6455 section 4.3 by way of RFC 2616 section 2.1).
    fn eat_delimiter(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.eat(byte);
        self.skip_space();
        found
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        match self.skip_while(is_token_byte) {
            "" => Err(Malformed),
            token => Ok(token),
        }
    }

    /// Reads what follows an opening quote, up to the closing one (RFC 9110 section 5.6.4).
    fn quoted(&mut self, values: Values) -> Result<Cow<'a, str>, Malformed> {
        let plain = self.skip_while(|byte| !matches!(byte, b'"' | b'\\'));
        let value = if self.0.starts_with('\\') {
            Cow::Owned(self.unescape(plain)?)
        } else {
            Cow::Borrowed(plain)
        };
        match self.eat(b'"') && values.have(&value) {
            true => Ok(value),
            false => Err(Malformed),
        }
    }

    /// Reads the rest of a quoted string that has backslashes, up to its closing quote.
    fn unescape(&mut self, start: &str) -> Result<String, Malformed> {
        let mut value = String::from(start);
        while self.eat(b'\\') {
            let mut chars = self.0.chars();
            value.push(chars.next().ok_or(Malformed)?);
            self.0 = chars.as_str();
            value.push_str(self.skip_while(|byte| !matches!(byte, b'"' | b'\\')));
        }
        Ok(value)
    }
}

/// The value does not match the grammar.
struct Malformed;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn plain(value: &str) -> Result<String, HandshakeError> {
        ExtensionList::parse(value).map(|list| list.to_string())
    }

    #[test]
    fn extensions_compare_by_meaning() {
        let parse = |value| ExtensionList::parse(value).unwrap().next().unwrap();
        assert_eq!(parse("a; b=\"c\""), parse("a;b=c"));
        for other in ["b; b=c", "a", "a; b", "a; b=d", "a; c=c", "a; b=c; b=c"] {
            assert_ne!(parse("a; b=c"), parse(other), "{other}");
        }
    }

    // RFC 6455 section 9.1: 6455-9.1-01: what is not checked each time keeps the rules
    #[test]
    fn usual_lines_are_lists() {
        for line in USUAL {
            let list = ExtensionList::from_bytes(line).unwrap();
            assert_eq!(list.check(Values::Tokens), Ok(true));
            assert_eq!(list.to_string().as_bytes(), line);
        }
    }

    // RFC 6455 section 9.1: 6455-9.1-01; RFC 9110 section 5.6.1: 9110-5.6.1-01, 9110-5.6.1-02
    #[test]
    fn list_accepts_the_grammar() {
        for (value, expected) in [
            ("", ""),
            (" \t", ""),
            (",, ,", ""),
            ("a", "a"),
            (",a,,b , ", "a, b"),
            ("a;b;c", "a; b; c"),
            ("a;b=1;b=2", "a; b=1; b=2"),
            ("a, a", "a, a"),
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate; client_max_window_bits",
            ),
            // RFC 6455 section 4.3: 6455-4.3-04
            (
                "permessage-deflate ; client_max_window_bits = 10",
                "permessage-deflate; client_max_window_bits=10",
            ),
            ("a\t;\tb\t=\t\"c\"\t,\td", "a; b=c, d"),
            // RFC 6455 section 4.3: 6455-4.3-03
            ("a; b=\"c\"", "a; b=c"),
            ("a; b=\"\\c\\d\"", "a; b=cd"),
            ("a; b=\"c\\d\"", "a; b=cd"),
            ("A!#$%&'*+-.^_`|~9", "A!#$%&'*+-.^_`|~9"),
        ] {
            assert_eq!(plain(value).as_deref(), Ok(expected), "{value:?}");
        }
    }

    // RFC 6455 section 9.1: 6455-9.1-02, 6455-4.3-03
    #[test]
    fn list_refuses_the_rest() {
        for value in [
            ";",
            ",;",
            "=",
            "a;",
            "a;;",
            "a;;b",
            "permessage-deflate;;",
            "a b",
            "a b;c",
            "a;=1",
            "a;b=",
            "a;b=,c",
            "a;b==c",
            "a;b=c d",
            "a; b=\"",
            "a; b=\"c",
            "a; b=\"\"",
            "a; b=\"c d\"",
            "a; b=\"c\\ d\"",
            "a; b=\"c\\",
            "a; b=\"c\\\"",
            "a; b=\"c\\\"\"",
            "a; b=\"c\"d",
            // RFC 9110 section 5.6.4: 9110-5.6.4-01. Quoted text does not split, and is not a token.
            "a; b=\"x,y;z\", c",
            "a; b=\"x\\,y\"",
            "a; \"b\"",
            "\"a\"",
            "a=b",
            "a/b",
            "a(b)",
            "a\r\n",
            "a\0",
            "é",
            "a; b=é",
            "a; b=\"\\é\"",
        ] {
            assert_eq!(
                plain(value),
                Err(HandshakeError::MalformedExtensions),
                "{value:?}"
            );
        }
    }

    #[test]
    fn values_are_copied_for_a_backslash_only() {
        let list = ExtensionList::parse("a; b=\"c\"; d=\"\\e\"").unwrap();
        let values: Vec<_> = list
            .flat_map(|extension| extension.params())
            .filter_map(|param| param.value)
            .collect();
        assert!(matches!(values.as_slice(), [Cow::Borrowed("c"), Cow::Owned(e)] if e == "e"));
    }
}
