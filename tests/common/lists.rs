//! Lists of fields, and a second implementation of RFC 8441, rule by rule, over text.

use std::net::Ipv6Addr;

use websocket_proto::Config;
use websocket_proto::handshake::{ExtensionList, HandshakeError, Upgrade};

pub type List = Vec<(Vec<u8>, Vec<u8>)>;

/// The content of a request that a server may accept.
#[derive(Debug, Eq, PartialEq)]
pub struct Facts {
    pub path: String,
    pub query: Option<String>,
    pub host: String,
    pub origin: Option<String>,
    pub protocols: Vec<String>,
    pub extensions: Vec<String>,
    pub response: Vec<(String, Vec<u8>)>,
}

pub fn facts(upgrade: &Upgrade) -> Facts {
    let owned = |(name, value): (&str, &[u8])| (name.to_owned(), value.to_vec());
    Facts {
        path: upgrade.path().to_owned(),
        query: upgrade.query().map(str::to_owned),
        host: upgrade.authority().to_owned(),
        origin: upgrade.origin().map(str::to_owned),
        protocols: upgrade.subprotocols().map(str::to_owned).collect(),
        extensions: upgrade.extensions().map(|one| one.to_string()).collect(),
        response: upgrade.response_fields().map(owned).collect(),
    }
}

pub fn read_connect(list: &List) -> Result<Facts, HandshakeError> {
    Upgrade::from_extended_connect(&Config::new(), pairs(list)).map(|upgrade| facts(&upgrade))
}

pub fn pairs(fields: &List) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
    fields.iter().map(|(name, value)| (name, value))
}

/// Whether HTTP/2 and HTTP/3 allow this list: pseudo-fields first, lowercase names, no control bytes, no leading or trailing white
/// space.
#[track_caller]
pub fn assert_list(list: &List) {
    let fields = list
        .iter()
        .skip_while(|(name, value)| name.starts_with(b":") && value.iter().all(u8::is_ascii_graphic));
    for (name, value) in fields {
        let text = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
        let (name, value) = (text(name), text(value));
        assert!(is_field(&name, &value), "{name:?} {value:?}");
        assert_eq!(value.trim_matches([' ', '\t']), value);
        assert!(
            !["connection", "upgrade", "te", "host"].contains(&&name[..]),
            "{name:?}"
        );
    }
}

/// The result of an extended CONNECT, or the status that rejects it.
pub fn second_reading(list: &List) -> Result<Facts, u16> {
    let read = Reading::new(list);
    if !read.is_well_formed() || read.pseudo(":method") != Some("CONNECT") {
        return Err(400);
    }
    let protocol = read.pseudo(":protocol").ok_or(400_u16)?;
    let scheme = read.pseudo(":scheme").ok_or(400_u16)?;
    let path = read.pseudo(":path").ok_or(400_u16)?;
    if protocol != "websocket" {
        return Err(501);
    }
    let host = read.host(match &scheme.to_ascii_lowercase()[..] {
        "http" => 80,
        "https" => 443,
        _ => return Err(400),
    })?;
    if !path.starts_with('/') || path.contains('#') || !read.all("content-length").is_empty() {
        return Err(400);
    }
    let expectations = read.all("expect").join(",");
    let mut expectations = expectations.split(',').map(|one| one.trim_matches([' ', '\t']));
    if !expectations.all(|one| one.is_empty() || one.eq_ignore_ascii_case("100-continue")) {
        return Err(417);
    }
    if read.all("sec-websocket-version") != ["13"] {
        return Err(400);
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path, None),
    };
    Ok(Facts {
        path: path.to_owned(),
        query,
        host,
        origin: read.origin()?,
        protocols: read.protocols()?,
        extensions: read.extensions()?,
        response: Vec::new(),
    })
}

/// A list as text, one character for each byte.
struct Reading {
    pseudo: Vec<(String, String)>,
    fields: Vec<(String, String)>,
}

impl Reading {
    fn new(list: &List) -> Self {
        let text = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
        let mut pseudo: Vec<_> = list
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        let first = pseudo.iter().position(|(name, _)| !name.starts_with(':'));
        let fields = pseudo.split_off(first.unwrap_or(list.len()));
        Self { pseudo, fields }
    }

    fn pseudo(&self, name: &str) -> Option<&str> {
        let mut found = self.pseudo.iter().filter(|(other, _)| other == name);
        found.next().map(|(_, value)| &value[..])
    }

    /// The values of all lines with a name.
    fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.fields.iter().filter(|(other, _)| other == name);
        lines.map(|(_, value)| value.trim_matches([' ', '\t'])).collect()
    }

    fn is_well_formed(&self) -> bool {
        let known = [":method", ":protocol", ":scheme", ":authority", ":path"];
        let is_pseudo = |(name, value): &(String, String)| {
            let count = self.pseudo.iter().filter(|(other, _)| other == name).count();
            let is_printable = !value.is_empty() && value.chars().all(|char| ('!'..='~').contains(&char));
            known.contains(&&name[..]) && count == 1 && is_printable
        };
        let of_http_1 = [
            "connection",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
            "upgrade",
        ];
        self.pseudo.iter().all(is_pseudo)
            && self.fields.iter().all(|(name, value)| is_field(name, value))
            && of_http_1.iter().all(|name| self.all(name).is_empty())
            && self
                .all("te")
                .iter()
                .all(|value| value.eq_ignore_ascii_case("trailers"))
    }

    fn host(&self, default_port: u16) -> Result<String, u16> {
        let read = |text: &str| split_authority(text, default_port);
        let host = match (self.pseudo(":authority"), &self.all("host")[..]) {
            (Some(authority), []) => authority,
            (Some(authority), [host]) if read(authority)? == read(host)? => authority,
            (None, [host]) => host,
            _ => return Err(400),
        };
        match read(host)?.0.is_empty() {
            true => Err(400),
            false => Ok(host.to_owned()),
        }
    }

    fn origin(&self) -> Result<Option<String>, u16> {
        match self.all("origin")[..] {
            [] | [""] => Ok(None),
            [origin] if !origin.is_empty() && origin.chars().all(|char| (' '..='~').contains(&char)) => {
                Ok(Some(origin.to_owned()))
            }
            _ => Err(400),
        }
    }

    fn protocols(&self) -> Result<Vec<String>, u16> {
        let lines = self.all("sec-websocket-protocol");
        let names: Vec<String> = lines
            .join(",")
            .split(',')
            .map(|name| name.trim_matches([' ', '\t']).to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        let is_new = |(at, name): (usize, &String)| !names[..at].contains(name) && name.chars().all(is_tchar);
        match names.iter().enumerate().all(is_new) && names.is_empty() == lines.is_empty() {
            true => Ok(names),
            false => Err(400),
        }
    }

    fn extensions(&self) -> Result<Vec<String>, u16> {
        let lines = self.all("sec-websocket-extensions");
        let mut offers = Vec::new();
        for line in &lines {
            let list = ExtensionList::parse(line).map_err(|_| 400_u16)?;
            offers.extend(list.map(|offer| offer.to_string()));
        }
        match offers.is_empty() == lines.is_empty() {
            true => Ok(offers),
            false => Err(400),
        }
    }
}

/// Whether HTTP/2 and HTTP/3 allow such a field.
pub fn is_field(name: &str, value: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|char| is_tchar(char) && !char.is_ascii_uppercase())
        && value
            .chars()
            .all(|char| char == '\t' || !(char.is_ascii_control() || char == '\x7f'))
}

pub fn is_tchar(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

/// A host in lowercase, and a port.
pub fn split_authority(text: &str, default_port: u16) -> Result<(String, u16), u16> {
    let (host, port) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest.trim_end_matches(']').parse::<Ipv6Addr>().is_ok(),
        None => host.split('%').enumerate().all(|(at, part)| {
            let is_encoded = at == 0
                || part
                    .get(..2)
                    .is_some_and(|two| two.chars().all(|char| char.is_ascii_hexdigit()));
            is_encoded
                && part
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || "-._~!$&'()*+;=".contains(char))
        }),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port,
        Some("") => default_port,
        Some(digits) if digits.chars().all(|char| char.is_ascii_digit()) => {
            digits.parse().map_err(|_| 400_u16)?
        }
        _ => return Err(400),
    };
    if is_host {
        Ok((host.to_ascii_lowercase(), port))
    } else {
        Err(400)
    }
}
