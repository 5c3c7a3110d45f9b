//! The naive reader of heads: it splits them into lines, with either line ending, and the lines into words.

use super::{Facts, Trait};
use crate::case::{ACCEPT, Case, Kind, PROTOCOLS};

pub fn read(case: &Case) -> Facts {
    let bytes = case.bytes();
    let mut facts = Facts::default();
    let mut rest = &bytes[..];
    facts.oddity(Trait::EmptyLineFirst, rest == b"\r" && case.kind == Kind::Request);
    for interim in 0.. {
        while let [b'\r', b'\n', tail @ ..] | [b'\n', tail @ ..] = rest {
            facts.fault(Trait::BareLf, rest[0] == b'\n');
            facts.fault(Trait::EmptyLineBeforeResponse, case.kind == Kind::Response);
            facts.oddity(Trait::EmptyLineFirst, case.kind == Kind::Request);
            rest = tail;
        }
        let (lines, after) = lines(rest, case.kind, &mut facts);
        let Some((first, lines)) = lines.split_first() else {
            break;
        };
        let fields = fields(lines, case.kind, &mut facts);
        if case.kind == Kind::Request {
            request(first, &fields, &mut facts);
        } else {
            let status = status(first, &mut facts);
            if (100..200).contains(&status) && status != 101 && !facts.cut {
                facts.oddity(Trait::Interim, true);
                facts.fault(Trait::ManyInterim, interim == 8);
                rest = after;
                continue;
            }
            facts.other_status = status != 101;
            facts.oddity(
                Trait::Http10Response,
                status != 101 && first.starts_with(b"HTTP/1.0"),
            );
            if facts.other_status {
                let lengths = all(&fields, "content-length");
                facts.oddity(
                    Trait::FramingOfResponse,
                    !lengths.is_empty() || !all(&fields, "transfer-encoding").is_empty(),
                );
            }
            if status == 101 {
                response(first, &fields, case.offers, &mut facts);
            }
        }
        let oddity = if facts.other_status {
            Trait::BytesAfterRejection
        } else {
            Trait::BytesAfterHead
        };
        facts.oddity(oddity, !after.is_empty());
        break;
    }
    facts
}

/// The lines before the empty one, without their line endings, and the bytes after them.
fn lines<'a>(mut rest: &'a [u8], kind: Kind, facts: &mut Facts) -> (Vec<&'a [u8]>, &'a [u8]) {
    let mut lines = Vec::new();
    loop {
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            facts.cut = true;
            // In an incomplete line, only these traits are detected.
            if !rest.is_empty() {
                let cr = rest[..rest.len() - 1].contains(&b'\r');
                facts.fault(Trait::BareCr, cr);
            }
            let fold = lines.len() > 1 && matches!(rest, [b' ' | b'\t', ..]);
            facts.fault(Trait::RequestFold, fold && kind == Kind::Request);
            facts.oddity(Trait::ResponseFold, fold && kind == Kind::Response);
            let minor = rest
                .windows(8)
                .any(|word| word.starts_with(b"HTTP/1.") && (b'2'..=b'9').contains(&word[7]));
            facts.oddity(Trait::VersionMinor, lines.is_empty() && minor);
            let begun = rest
                .windows(6)
                .any(|word| word.starts_with(b"HTTP/") && matches!(word[5], b'0' | b'2'..=b'9'));
            facts.oddity(Trait::VersionBegun, lines.is_empty() && begun);
            return (lines, &[]);
        };
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let stripped = line.strip_suffix(b"\r");
        facts.fault(Trait::BareLf, stripped.is_none());
        let line = stripped.unwrap_or(line);
        // In a request line, CR counts as an invalid byte of the method, the target or the version.
        facts.fault(
            Trait::BareCr,
            line.contains(&b'\r') && !(lines.is_empty() && kind == Kind::Request),
        );
        if line.is_empty() {
            return (lines, rest);
        }
        lines.push(line);
    }
}

type Field = (String, Vec<u8>);

fn fields(lines: &[&[u8]], kind: Kind, facts: &mut Facts) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        for &byte in *line {
            facts.fault(Trait::ControlSpace, matches!(byte, 0 | 0x0b | 0x0c));
            facts.fault(Trait::Control, matches!(byte, 1..=8 | 0x0e..=0x1f | 0x7f));
        }
        if matches!(line[0], b' ' | b'\t') {
            facts.fault(Trait::SpaceBeforeFields, at == 0);
            facts.fault(Trait::RequestFold, at > 0 && kind == Kind::Request);
            facts.oddity(Trait::ResponseFold, at > 0 && kind == Kind::Response);
            if let Some((_, value)) = fields.last_mut() {
                value.push(b' ');
                value.extend(trim(line));
                *value = trim(value).to_vec();
            }
            continue;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            facts.fault(Trait::NoColon, true);
            continue;
        };
        let name = &line[..colon];
        let bare = name.trim_ascii_end();
        facts.fault(Trait::SpaceBeforeColon, bare.len() < name.len() && is_token(bare));
        facts.fault(Trait::FieldName, !is_token(bare));
        fields.push((
            String::from_utf8_lossy(bare).to_ascii_lowercase(),
            trim(&line[colon + 1..]).to_vec(),
        ));
    }
    fields
}

fn request(line: &[u8], fields: &[Field], facts: &mut Facts) {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    if let [_, _, version, ..] = words[..] {
        self::version(version, facts);
    }
    let &[method, target, version] = &words[..] else {
        return facts.fault(Trait::RequestLine, true);
    };
    facts.fault(Trait::Method, !is_token(method));
    facts.fault(Trait::MethodNotGet, method != b"GET");
    facts.fault(
        Trait::TargetByte,
        target.is_empty() || !target.iter().all(u8::is_ascii_graphic),
    );
    facts.fault(Trait::TargetFragment, target.contains(&b'#'));
    let target = String::from_utf8_lossy(target);
    let absolute = target
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https", "ws", "wss"].contains(&&*scheme.to_ascii_lowercase()));
    let authority = absolute.map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    facts.fault(
        Trait::TargetForm,
        match authority {
            _ if method == b"CONNECT" => {
                !target.contains(':') || !is_authority(&target) || target.starts_with(':')
            }
            Some(authority) => !is_authority(authority) || authority.starts_with(':') || authority.is_empty(),
            None => !(target.starts_with('/') || method == b"OPTIONS" && target == "*"),
        },
    );
    facts.oddity(
        Trait::TargetUnusual,
        target.contains(['"', '<', '>', '^', '`', '{', '|', '}', '\\']),
    );
    facts.fault(Trait::Http10, version == b"HTTP/1.0");

    let all = |name: &str| all(fields, name);
    let hosts = all("host");
    facts.fault(Trait::HostMissing, hosts.is_empty());
    facts.fault(Trait::HostTwice, hosts.len() > 1);
    for host in &hosts {
        let text = std::str::from_utf8(host).unwrap_or("/");
        let empty = text.is_empty() || text.starts_with(':');
        facts.fault(
            Trait::HostMalformed,
            !is_authority(text) || (empty && authority.is_none()),
        );
        facts.oddity(
            Trait::HostUnusual,
            !text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte)),
        );
        facts.oddity(
            Trait::HostUnusual,
            empty || text.starts_with('.') || text.contains(".."),
        );
    }
    content(&all("content-length"), facts);
    facts.fault(Trait::TransferEncoding, !all("transfer-encoding").is_empty());
    let (expectations, _) = list(&all("expect"));
    let is_continue = |one: &&[u8]| one.eq_ignore_ascii_case(b"100-continue");
    facts.fault(Trait::Expect, !expectations.iter().all(is_continue));
    upgrade(&all("upgrade"), &all("connection"), facts);

    let versions = all("sec-websocket-version");
    facts.fault(Trait::VersionMissing, versions.is_empty());
    facts.fault(Trait::VersionTwice, versions.len() > 1);
    facts.fault(
        Trait::VersionOther,
        !versions.is_empty() && !versions.contains(&&b"13"[..]),
    );
    let keys = all("sec-websocket-key");
    facts.fault(Trait::KeyMissing, keys.is_empty());
    facts.fault(Trait::KeyTwice, keys.len() > 1);
    facts.fault(
        Trait::KeyMalformed,
        !keys.is_empty() && !keys.iter().any(|key| is_key(key)),
    );
    facts.oddity(
        Trait::KeyPadBits,
        keys.iter().any(|key| is_key(key) && !b"AQgw".contains(&key[21])),
    );
    let origins = all("origin");
    facts.fault(Trait::OriginTwice, origins.len() > 1);
    facts.fault(
        Trait::OriginMalformed,
        origins.iter().any(|origin| !is_printable(origin)),
    );

    let protocols = all("sec-websocket-protocol");
    let (names, _) = list(&protocols);
    facts.fault(
        Trait::ProtocolMalformed,
        !protocols.is_empty() && names.is_empty(),
    );
    facts.fault(Trait::ProtocolMalformed, names.iter().any(|name| !is_token(name)));
    facts.fault(
        Trait::ProtocolTwice,
        (1..names.len()).any(|at| names[..at].contains(&names[at])),
    );
    facts.oddity(
        Trait::ProtocolEmptyLine,
        protocols.iter().any(|line| list(&[line]).0.is_empty()),
    );
    let lines = all("sec-websocket-extensions");
    extensions(&lines, facts);
    list_ascii(&[all("connection"), protocols, lines].concat(), facts);
}

fn list_ascii(lines: &[&[u8]], facts: &mut Facts) {
    facts.oddity(Trait::ListNonAscii, !lines.iter().all(|line| line.is_ascii()));
}

/// The status of a response; 0 if there is none.
fn status(line: &[u8], facts: &mut Facts) -> u16 {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let version = words.next().unwrap_or_default();
    self::version(version, facts);
    let code = words.next().unwrap_or_default();
    let number: Option<u16> = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
    let Some(status) = number.filter(|_| code.len() == 3 && code.iter().all(u8::is_ascii_digit)) else {
        facts.fault(Trait::StatusLine, true);
        return 0;
    };
    facts.fault(Trait::StatusBelow100, status < 100);
    facts.oddity(Trait::StatusAbove599, status > 599);
    match words.next() {
        None => facts.oddity(Trait::StatusWithoutSpace, true),
        Some(reason) => {
            facts.fault(
                Trait::ControlSpace,
                reason.iter().any(|byte| matches!(byte, 0 | 0x0b | 0x0c)),
            );
            facts.fault(
                Trait::Control,
                reason
                    .iter()
                    .any(|byte| matches!(byte, 1..=8 | 0x0e..=0x1f | 0x7f)),
            );
        }
    }
    status
}

fn response(line: &[u8], fields: &[Field], offers: bool, facts: &mut Facts) {
    let all = |name: &str| all(fields, name);
    facts.fault(Trait::Http10, line.starts_with(b"HTTP/1.0"));
    upgrade(&all("upgrade"), &all("connection"), facts);
    facts.oddity(
        Trait::ConnectionList,
        all("connection")
            .iter()
            .any(|line| !line.eq_ignore_ascii_case(b"upgrade")),
    );
    // The server has to switch to exactly one protocol.
    facts.fault(Trait::UpgradeSeveral, list(&all("upgrade")).0.len() > 1);
    let accepts = all("sec-websocket-accept");
    facts.fault(Trait::AcceptMissing, accepts.is_empty());
    facts.fault(Trait::AcceptTwice, accepts.len() > 1);
    facts.fault(
        Trait::AcceptWrong,
        !accepts.is_empty() && !accepts.contains(&ACCEPT.as_bytes()),
    );
    let lines = all("sec-websocket-extensions");
    extensions(&lines, facts);
    facts.fault(Trait::ExtensionUnoffered, !list(&lines).0.is_empty());
    let protocols = all("sec-websocket-protocol");
    facts.fault(Trait::ProtocolLinesInResponse, protocols.len() > 1);
    let offered = |name: &&[u8]| offers && PROTOCOLS.iter().any(|offered| offered.as_bytes() == *name);
    facts.fault(
        Trait::ProtocolUnoffered,
        !protocols.is_empty() && !protocols.iter().any(offered),
    );
    let plain = |length: &&[u8]| !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    let lengths = all("content-length");
    facts.oddity(
        Trait::FramingOfResponse,
        lengths.len() > 1 || !lengths.iter().all(plain),
    );
    facts.oddity(
        Trait::FramingOfResponse,
        lengths.iter().any(|length| length.len() > 20),
    );
    facts.oddity(Trait::FramingOfResponse, !all("transfer-encoding").is_empty());
    facts.oddity(Trait::ProtocolNone, offers && protocols.is_empty());
    list_ascii(&[all("connection"), protocols, lines].concat(), facts);
}

fn version(version: &[u8], facts: &mut Facts) {
    match version {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major @ b'0'..=b'9',
            b'.',
            minor @ b'0'..=b'9',
            rest @ ..,
        ] => {
            facts.fault(Trait::VersionMajor, *major != b'1');
            facts.oddity(Trait::VersionMinor, *minor > b'1');
            facts.fault(Trait::VersionForm, !rest.is_empty());
        }
        _ => facts.fault(Trait::VersionForm, true),
    }
}

fn content(lengths: &[&[u8]], facts: &mut Facts) {
    for length in lengths {
        let (parts, _) = list(&[length]);
        let same = parts.len() > 1 && parts.iter().all(|part| part == &parts[0]);
        let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
        facts.fault(Trait::ContentLengthTwice, same || lengths.len() > 1);
        facts.fault(Trait::ContentLengthMalformed, !digits && !same);
        facts.fault(
            Trait::Content,
            length.iter().any(|byte| (b'1'..=b'9').contains(byte)),
        );
        facts.oddity(Trait::ContentLengthUnusual, digits && *length != b"0");
    }
}

fn upgrade(upgrades: &[&[u8]], connections: &[&[u8]], facts: &mut Facts) {
    let (names, _) = list(upgrades);
    facts.fault(Trait::UpgradeMissing, !has(&names, b"websocket"));
    facts.oddity(Trait::UpgradeTwice, upgrades.len() > 1);
    facts.oddity(
        Trait::UpgradeList,
        upgrades
            .iter()
            .any(|line| !line.eq_ignore_ascii_case(b"websocket")),
    );
    let (options, empty) = list(connections);
    let missing = !has(&options, b"upgrade");
    let words: Vec<&[u8]> = options
        .iter()
        .flat_map(|option| option.split(|&byte| byte == b' '))
        .collect();
    let bare = |option: &&[u8]| {
        option
            .iter()
            .filter(|byte| !matches!(byte, 0x1c..=0x1f | b' ' | b'\t'))
            .copied()
            .collect::<Vec<u8>>()
    };
    let separated = options
        .iter()
        .any(|option| bare(option).eq_ignore_ascii_case(b"upgrade"));
    facts.fault(Trait::ConnectionSeparated, missing && separated);
    facts.fault(
        Trait::ConnectionMissing,
        missing && !separated && !has(&words, b"upgrade"),
    );
    facts.fault(
        Trait::ConnectionWithoutComma,
        missing && !separated && has(&words, b"upgrade"),
    );
    facts.oddity(Trait::ConnectionLines, connections.len() > 1);
    facts.oddity(
        Trait::ConnectionUnusual,
        empty || options.iter().any(|option| !is_token(option)),
    );
}

/// The grammar of RFC 6455 section 9.1.
fn extensions(lines: &[&[u8]], facts: &mut Facts) {
    facts.fault(
        Trait::ExtensionsNone,
        !lines.is_empty() && list(lines).0.is_empty(),
    );
    for line in lines {
        let text = String::from_utf8_lossy(line);
        facts.oddity(Trait::ExtensionsEmpty, list(&[line]).0.is_empty());
        facts.fault(
            Trait::ExtensionsMalformed,
            !split(&text, ',').iter().all(|element| is_extension(element)),
        );
    }
}

fn is_extension(element: &str) -> bool {
    let parts = split(element, ';');
    element.is_empty()
        || is_token(parts[0].as_bytes())
            && parts[1..].iter().all(|part| match part.split_once('=') {
                None => is_token(part.as_bytes()),
                Some((name, value)) => {
                    let value = value.trim_matches([' ', '\t']);
                    let unquoted = value
                        .strip_prefix('"')
                        .and_then(|value| value.strip_suffix('"'))
                        .filter(|_| value.len() > 1);
                    let value = match unquoted {
                        None => value.to_string(),
                        Some(quoted) => unescape(quoted),
                    };
                    is_token(name.trim_end_matches([' ', '\t']).as_bytes()) && is_token(value.as_bytes())
                }
            })
}

/// Splits at the delimiters outside of quotes, and removes whitespace around the parts.
fn split(text: &str, delimiter: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for letter in text.chars() {
        if letter == delimiter && !quoted {
            parts.push(String::new());
            continue;
        }
        quoted ^= letter == '"' && !escaped;
        escaped = quoted && letter == '\\' && !escaped;
        parts.last_mut().unwrap().push(letter);
    }
    parts
        .iter()
        .map(|part| part.trim_matches([' ', '\t']).to_string())
        .collect()
}

/// Replaces quoted pairs by their second character. Characters that make the quoted string invalid are kept; they are not token
/// characters.
fn unescape(text: &str) -> String {
    let (mut out, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        out.push(if letter == '\\' {
            letters.next().unwrap_or('"')
        } else {
            letter
        });
    }
    out
}

/// RFC 3986 section 3.2, without user information; the host may be empty.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("", port),
            _ => return false,
        },
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let mut escapes = host.split('%');
    let plain = escapes.next().unwrap_or_default();
    let is_plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte))
    };
    let is_escape = |text: &str| {
        text.len() >= 2
            && text.is_char_boundary(2)
            && u8::from_str_radix(&text[..2], 16).is_ok()
            && is_plain(&text[2..])
    };
    let digits = port.strip_prefix(':').unwrap_or("");
    is_plain(plain)
        && escapes.all(is_escape)
        && (port.is_empty() || port.starts_with(':'))
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.is_empty() || digits.parse::<u16>().is_ok())
}

fn is_key(key: &[u8]) -> bool {
    let body = key.strip_suffix(b"==").unwrap_or_default();
    body.len() == 22
        && body
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte))
}

fn all<'a>(fields: &'a [Field], name: &str) -> Vec<&'a [u8]> {
    fields
        .iter()
        .filter(|(other, _)| other == name)
        .map(|(_, value)| &value[..])
        .collect()
}

/// The elements of all lines, and whether there were empty ones.
fn list<'a>(lines: &[&'a [u8]]) -> (Vec<&'a [u8]>, bool) {
    let parts: Vec<&[u8]> = lines
        .iter()
        .flat_map(|line| line.split(|&byte| byte == b','))
        .map(trim)
        .collect();
    let elements: Vec<&[u8]> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    (elements.clone(), elements.len() < parts.len())
}

fn has(elements: &[&[u8]], wanted: &[u8]) -> bool {
    elements
        .iter()
        .any(|element| element.eq_ignore_ascii_case(wanted))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes
        .iter()
        .position(|byte| !is_space(byte))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(start, |at| at + 1);
    &bytes[start..end]
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}
