//! Lists of extensions, compared with a naive reader of the grammar.

use super::input::Input;
use websocket_proto::handshake::ExtensionList;

type Parsed = Vec<(String, Vec<(String, Option<String>)>)>;

/// A slow and plain parser for RFC 6455 section 9.1, which removes characters from the front of a list.
struct Naive(Vec<char>);

impl Naive {
    fn eat(&mut self, char: char) -> bool {
        let found = self.0.first() == Some(&char);
        if found {
            self.0.remove(0);
        }
        found
    }

    fn space(&mut self) {
        while self.eat(' ') || self.eat('\t') {}
    }

    fn delimiter(&mut self, char: char) -> bool {
        self.space();
        let found = self.eat(char);
        self.space();
        found
    }

    fn is_token(char: char) -> bool {
        char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
    }

    fn token(&mut self) -> Option<String> {
        let mut token = String::new();
        while let Some(char) = self.0.first().copied().filter(|char| Self::is_token(*char)) {
            self.0.remove(0);
            token.push(char);
        }
        Some(token).filter(|token| !token.is_empty())
    }

    fn quoted(&mut self) -> Option<String> {
        let mut token = String::new();
        while !self.eat('"') {
            self.eat('\\');
            token.push(*self.0.first()?);
            self.0.remove(0);
        }
        Some(token).filter(|token| !token.is_empty() && token.chars().all(Self::is_token))
    }

    fn param(&mut self) -> Option<(String, Option<String>)> {
        let name = self.token()?;
        if !self.delimiter('=') {
            return Some((name, None));
        }
        let value = if self.eat('"') {
            self.quoted()?
        } else {
            self.token()?
        };
        Some((name, Some(value)))
    }

    fn list(mut self) -> Option<Parsed> {
        let mut list = Vec::new();
        loop {
            while self.delimiter(',') {}
            if self.0.is_empty() {
                return Some(list);
            }
            let (name, mut params) = (self.token()?, Vec::new());
            while self.delimiter(';') {
                params.push(self.param()?);
            }
            list.push((name, params));
            if !self.0.is_empty() && !self.delimiter(',') {
                return None;
            }
        }
    }
}

fn parse(value: &str) -> Option<Parsed> {
    let param = |param: websocket_proto::handshake::ExtensionParam| {
        (param.name().to_owned(), param.value().map(str::to_owned))
    };
    let list = ExtensionList::parse(value).ok()?;
    Some(
        list.map(|one| (one.name().to_owned(), one.params().map(param).collect()))
            .collect(),
    )
}

/// A list is read as the naive reader does, its written form reads as the same list and is stable, and joining two lists gives
/// the elements of both.
pub fn extension_list(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let at = usize::from(input.byte());
    let value = String::from_utf8_lossy(input.rest());
    let list = parse(&value);
    assert_eq!(list, Naive(value.chars().collect()).list());
    if let Some(list) = &list {
        let written = ExtensionList::parse(&value).expect("parsed before").to_string();
        assert_eq!(parse(&written).as_ref(), Some(list));
        assert_eq!(
            ExtensionList::parse(&written).expect("parsed").to_string(),
            written
        );
        assert!(!written.contains(",,") && !written.starts_with(',') && !written.ends_with([',', ' ']));
    }
    let at = (0..=at.min(value.len()))
        .rfind(|at| value.is_char_boundary(*at))
        .unwrap_or(0);
    let (first, second) = value.split_at(at);
    let joined = parse(&format!("{first}, {second}"));
    match (parse(first), parse(second)) {
        (Some(first), Some(second)) => assert_eq!(joined, Some([first, second].concat())),
        // A quoted comma may join two invalid halves to a valid list.
        (None, _) if first.contains('"') => {}
        _ => assert_eq!(joined, None),
    }
}
