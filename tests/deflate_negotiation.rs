//! Offers of `permessage-deflate` and responses to them: RFC 7692 sections 5 and 7.1.

#[path = "common/naive_deflate.rs"]
mod naive_deflate;

use std::collections::BTreeMap;

use naive_deflate::Naive;
use proptest::prelude::*;
use websocket_proto::Role;
use websocket_proto::deflate::{
    self, Compressor, DeflateConfig, NegotiationError as Refusal, Parameter, Parameters, Window,
};
use websocket_proto::handshake::ExtensionList;

/// The defaults of RFC 7692: nothing is limited or requested.
const OPEN: DeflateConfig = DeflateConfig::new()
    .client_max_window_bits(15)
    .server_max_window_bits(15);

fn list(value: &str) -> ExtensionList<'_> {
    ExtensionList::parse(value).unwrap()
}

fn answer(offers: &str, config: &DeflateConfig) -> Option<String> {
    deflate::accept(list(offers), config).map(|(_, answer)| answer)
}

fn check(answer: &str, offers: &str) -> Result<Option<Parameters>, Refusal> {
    deflate::check_answer(list(answer), list(offers))
}

/// The windows of client and server, as bits and whether taken over.
fn windows(parameters: Parameters) -> [(u8, bool); 2] {
    [Role::Client, Role::Server].map(|role| {
        let window = parameters.sender_window(role);
        (window.bits(), window.has_context_takeover())
    })
}

fn agreed(answer: &str, offers: &str) -> [(u8, bool); 2] {
    windows(check(answer, offers).unwrap().unwrap())
}

// RFC 7692 section 5: 7692-5-01, 7692-5-02; section 7: 7692-7-01
#[test]
fn client_writes_its_offers_in_order() {
    assert_eq!(deflate::offer(&[]), "");
    assert_eq!(
        deflate::offer(&[OPEN]),
        "permessage-deflate; client_max_window_bits"
    );
    assert_eq!(
        deflate::offer(&[OPEN.client_max_window_bits(12).server_max_window_bits(12), OPEN]),
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12, \
         permessage-deflate; client_max_window_bits",
    );
    // RFC 7692 section 7.1.1.1: 7692-7.1.1.1-01
    assert_eq!(
        deflate::offer(&[OPEN
            .server_no_context_takeover(true)
            .client_no_context_takeover(true)]),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
    );
}

// D51: the offer of browsers, which every server in the field opens for. RFC 7692 section 7.1.2.2: 7692-7.1.2.2-01
#[test]
fn client_offers_what_a_browser_offers() {
    let offer = |config: &DeflateConfig| deflate::offer(std::slice::from_ref(config));
    let default = DeflateConfig::new();
    let open = "permessage-deflate; client_max_window_bits";
    assert_eq!(offer(&default), open);
    // The window for sending is not announced: D54.
    assert_eq!(offer(&default.clone().send_window_bits(9)), open);
    // For servers that fail on the parameter.
    let bare = default.offer_client_max_window_bits(false);
    assert_eq!(offer(&bare), "permessage-deflate");
    assert_eq!(
        offer(&bare.client_max_window_bits(10).server_max_window_bits(10)),
        "permessage-deflate; server_max_window_bits=10"
    );
}

// D53: nothing is included that the client has not requested. RFC 7692 section 7.1.2.1: 7692-7.1.2.1-03; section 7.1.2.2:
// 7692-7.1.2.2-02
#[test]
fn server_includes_no_window_that_was_not_requested() {
    let default = DeflateConfig::new();
    for (offer, answered, expected) in [
        ("", "", [(15, true), (15, true)]),
        (
            "; client_no_context_takeover; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
            [(15, false), (15, false)],
        ),
        (
            "; server_max_window_bits=10",
            "; server_max_window_bits=10",
            [(15, true), (10, true)],
        ),
        (
            "; server_max_window_bits=15",
            "; server_max_window_bits=15",
            [(15, true), (15, true)],
        ),
        // Clients that let the server choose may be unable to honor its choice: stock Netty 4.1.
        ("; client_max_window_bits", "", [(15, true), (15, true)]),
        ("; client_max_window_bits=15", "", [(15, true), (15, true)]),
        (
            "; client_max_window_bits=9",
            "; client_max_window_bits=9",
            [(9, true), (15, true)],
        ),
    ] {
        let offer = format!("permessage-deflate{offer}");
        let (parameters, answer) = deflate::accept(list(&offer), &default).unwrap();
        assert_eq!(answer, format!("permessage-deflate{answered}"), "{offer}");
        assert_eq!(windows(parameters), expected, "{offer}");
        assert_eq!(check(&answer, &offer), Ok(Some(parameters)), "{offer}");
    }
}

#[test]
fn windows_have_8_to_15_bits() {
    for bits in 0..=255 {
        let expected = (8..=15).contains(&bits).then_some((bits, true));
        let window = Window::new(bits);
        assert_eq!(
            window.map(|window| (window.bits(), window.has_context_takeover())),
            expected
        );
        let window = window.map(Window::without_context_takeover);
        assert_eq!(
            window.map(|window| (window.bits(), window.has_context_takeover())),
            expected.map(|(bits, _)| (bits, false))
        );
    }
}

#[test]
fn numbers_are_clamped() {
    type Setting = fn(DeflateConfig, u8) -> DeflateConfig;
    let settings: [(Setting, u8, u8); 4] = [
        (DeflateConfig::client_max_window_bits, 8, 15),
        (DeflateConfig::server_max_window_bits, 8, 15),
        (DeflateConfig::send_window_bits, 9, 15),
        (DeflateConfig::level, 1, 9),
    ];
    for (index, (set, min, max)) in settings.into_iter().enumerate() {
        let mut configs = Vec::new();
        for number in 0..=u8::MAX {
            let config = set(OPEN, number);
            assert_eq!(
                config,
                set(OPEN, number.clamp(min, max)),
                "{number} in setting {index}"
            );
            if !configs.contains(&config) {
                configs.push(config);
            }
        }
        assert_eq!(configs.len(), usize::from(max - min) + 1, "setting {index}");
    }
}

#[test]
fn bits_are_clamped() {
    for (bits, taken) in [(0, 8), (7, 8), (8, 8), (15, 15), (16, 15), (255, 15)] {
        let config = OPEN.client_max_window_bits(bits).server_max_window_bits(bits);
        let (parameters, _) = deflate::accept(list(&deflate::offer(&[config])), &OPEN).unwrap();
        assert_eq!(windows(parameters), [(taken, true); 2]);
    }
}

// RFC 7692 section 5: 7692-5-04, 7692-5-06, 7692-5-07; section 7.1: 7692-7.1-01; section
// 7.1.1.1: 7692-7.1.1.1-01; D34
#[test]
fn server_skips_bad_offers() {
    for bad in [
        "permessage-deflate; foo",
        "permessage-deflate; foo=1",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        // RFC 6455 section 9.1: 6455-9.1-07
        "permessage-deflate; Server_no_context_takeover",
        "PERMESSAGE-DEFLATE",
        "permessage-bzip2",
        "x-webkit-deflate-frame",
        "",
    ] {
        assert_eq!(answer(bad, &OPEN), None, "{bad}");
        let offers = format!("{bad}, permessage-deflate; server_max_window_bits=9, permessage-deflate");
        assert_eq!(
            answer(&offers, &OPEN).as_deref(),
            Some("permessage-deflate; server_max_window_bits=9"),
            "{bad}"
        );
    }
}

// RFC 7692 section 7.1.2: 7692-7.1.2.1-01, 7692-7.1.2.2-01
#[test]
fn bits_are_8_to_15_in_plain_decimals() {
    for parameter in ["server_max_window_bits", "client_max_window_bits"] {
        for bits in 8..=15 {
            for value in [format!("{bits}"), format!("\"{bits}\"")] {
                let element = format!("permessage-deflate; {parameter}={value}");
                let (parameters, _) = deflate::accept(list(&element), &OPEN).unwrap();
                assert!(windows(parameters).contains(&(bits, true)));
                let offer = "permessage-deflate; client_max_window_bits";
                assert!(agreed(&element, offer).contains(&(bits, true)));
            }
        }
        let invalid = match parameter {
            "server_max_window_bits" => Parameter::ServerMaxWindowBits,
            _ => Parameter::ClientMaxWindowBits,
        };
        for value in [
            "08",
            "7",
            "16",
            "+9",
            "-9",
            "9.0",
            "0",
            "1",
            "010",
            "108",
            "0x9",
            "x",
            "99999999999",
            "1o",
        ] {
            let element = format!("permessage-deflate; {parameter}={value}");
            assert_eq!(answer(&element, &OPEN), None, "{element}");
            assert_eq!(
                check(&element, "permessage-deflate"),
                Err(Refusal::InvalidValue(invalid))
            );
        }
    }
    // A value is required in a response.
    for parameter in [Parameter::ServerMaxWindowBits, Parameter::ClientMaxWindowBits] {
        assert_eq!(
            check(
                &format!("permessage-deflate; {parameter}"),
                "permessage-deflate; client_max_window_bits"
            ),
            Err(Refusal::InvalidValue(parameter)),
        );
    }
}

#[test]
fn server_answers_by_offer_and_settings() {
    let none = OPEN
        .client_no_context_takeover(true)
        .server_no_context_takeover(true);
    let small = OPEN.client_max_window_bits(10).server_max_window_bits(11);
    for (offer, config, answered, expected) in [
        ("permessage-deflate", OPEN, "", [(15, true), (15, true)]),
        (
            "permessage-deflate; client_max_window_bits",
            OPEN,
            "",
            [(15, true), (15, true)],
        ),
        // RFC 7692 section 7.1.1.1: 7692-7.1.1.1-02
        (
            "permessage-deflate; server_no_context_takeover",
            OPEN,
            "; server_no_context_takeover",
            [(15, true), (15, false)],
        ),
        // The hint is in the response, so both sides can rely on it.
        (
            "permessage-deflate; client_no_context_takeover",
            OPEN,
            "; client_no_context_takeover",
            [(15, false), (15, true)],
        ),
        // RFC 7692 section 7.1.1.1: 7692-7.1.1.1-03; section 7.1.1.2: 7692-7.1.1.2-02
        (
            "permessage-deflate",
            none,
            "; server_no_context_takeover; client_no_context_takeover",
            [(15, false), (15, false)],
        ),
        // RFC 7692 section 7.1.2.1: 7692-7.1.2.1-02
        (
            "permessage-deflate; server_max_window_bits=10",
            OPEN,
            "; server_max_window_bits=10",
            [(15, true), (10, true)],
        ),
        (
            "permessage-deflate; server_max_window_bits=15",
            OPEN,
            "; server_max_window_bits=15",
            [(15, true), (15, true)],
        ),
        (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits",
            small.clone(),
            "; server_max_window_bits=11; client_max_window_bits=10",
            [(10, true), (11, true)],
        ),
        // RFC 7692 section 7.1.2.1: 7692-7.1.2.1-03; section 7.1.2.2: 7692-7.1.2.2-02, 7692-7.1.2.2-04.
        // The client's window cannot be limited, so it is not kept.
        (
            "permessage-deflate",
            small.clone(),
            "; client_no_context_takeover; server_max_window_bits=11",
            [(15, false), (11, true)],
        ),
        // RFC 7692 section 7.1.2.2: 7692-7.1.2.2-03
        (
            "permessage-deflate; client_max_window_bits=9",
            small.clone(),
            "; server_max_window_bits=11; client_max_window_bits=9",
            [(9, true), (11, true)],
        ),
        (
            "permessage-deflate; client_max_window_bits=12",
            small.clone(),
            "; server_max_window_bits=11; client_max_window_bits=10",
            [(10, true), (11, true)],
        ),
        // D23: accepted, but never used for sending.
        (
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
            OPEN,
            "; server_max_window_bits=8; client_max_window_bits=8",
            [(8, true), (8, true)],
        ),
    ] {
        let (parameters, answer) = deflate::accept(list(offer), &config).unwrap();
        assert_eq!(answer, format!("permessage-deflate{answered}"), "{offer}");
        assert_eq!(windows(parameters), expected, "{offer}");
        // RFC 7692 section 5: 7692-5-03
        assert_eq!(check(&answer, offer), Ok(Some(parameters)), "{offer}");
    }
}

// RFC 7692 section 5: 7692-5-08; section 7.1: 7692-7.1-02; D39
#[test]
fn client_refuses_unfit_answers() {
    use Parameter::*;
    let plain = "permessage-deflate";
    let hinted = "permessage-deflate; client_max_window_bits";
    for (offer, answer, refusal) in [
        ("", plain, Refusal::NotOffered),
        ("x-other", plain, Refusal::NotOffered),
        ("PERMESSAGE-DEFLATE", plain, Refusal::NotOffered),
        (plain, "permessage-deflate, permessage-deflate", Refusal::Repeated),
        (plain, "permessage-deflate; foo", Refusal::UnknownParameter),
        (
            plain,
            "permessage-deflate; server_no_context_takeover=1",
            Refusal::InvalidValue(ServerNoContextTakeover),
        ),
        (
            plain,
            "permessage-deflate; client_no_context_takeover=0",
            Refusal::InvalidValue(ClientNoContextTakeover),
        ),
        (
            plain,
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            Refusal::RepeatedParameter(ServerNoContextTakeover),
        ),
        (
            plain,
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
            Refusal::RepeatedParameter(ServerMaxWindowBits),
        ),
        (
            hinted,
            "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
            Refusal::RepeatedParameter(ClientMaxWindowBits),
        ),
        // RFC 7692 section 7.1.1.1: 7692-7.1.1.1-02
        (
            "permessage-deflate; server_no_context_takeover",
            plain,
            Refusal::MissingParameter(ServerNoContextTakeover),
        ),
        // RFC 7692 section 7.1.2.1: 7692-7.1.2.1-04
        (
            "permessage-deflate; server_max_window_bits=10",
            plain,
            Refusal::MissingParameter(ServerMaxWindowBits),
        ),
        (
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=12",
            Refusal::LargerThanOffered {
                offered: 10,
                answered: 12,
            },
        ),
        // RFC 7692 section 7.1.2.2: 7692-7.1.2.2-01, 7692-7.1.2.2-02
        (hinted, hinted, Refusal::InvalidValue(ClientMaxWindowBits)),
        (
            plain,
            "permessage-deflate; client_max_window_bits=15",
            Refusal::UnofferedParameter(ClientMaxWindowBits),
        ),
    ] {
        assert_eq!(check(answer, offer), Err(refusal), "{offer} / {answer}");
        assert!(refusal.to_string().starts_with("server "), "{refusal}");
    }
}

#[test]
fn client_accepts_what_fits() {
    let hinted = "permessage-deflate; client_max_window_bits";
    // Declined.
    assert_eq!(check("", hinted), Ok(None));
    assert_eq!(check("x-other; foo", hinted), Ok(None));
    assert_eq!(agreed("permessage-deflate", hinted), [(15, true), (15, true)]);
    assert_eq!(
        agreed("x-other, permessage-deflate", hinted),
        [(15, true), (15, true)]
    );
    // What a server may add: RFC 7692 section 7.1.1.1: 7692-7.1.1.1-03; section 7.1.1.2: 7692-7.1.1.2-02;
    // section 7.1.2.1: 7692-7.1.2.1-03
    assert_eq!(
        agreed(
            "permessage-deflate; server_max_window_bits=10; client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate"
        ),
        [(15, false), (10, false)],
    );
    // RFC 7692 section 7.1.2.2: 7692-7.1.2.2-03, 7692-7.1.2.2-05
    assert_eq!(
        agreed("permessage-deflate; client_max_window_bits=8", hinted),
        [(8, true), (15, true)]
    );
    // Hints apply even if the response does not repeat them: RFC 7692 section 7.1.1.2: 7692-7.1.1.2-01
    assert_eq!(
        agreed(
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=9"
        ),
        [(9, false), (15, true)],
    );
    // The response fits the second offer.
    let offers =
        "permessage-deflate; server_max_window_bits=9, permessage-deflate; client_max_window_bits=12";
    assert_eq!(agreed("permessage-deflate", offers), [(12, true), (15, true)]);
    assert_eq!(
        agreed("permessage-deflate; server_max_window_bits=9", offers),
        [(15, true), (9, true)]
    );
    assert_eq!(
        agreed("permessage-deflate; server_max_window_bits=10", offers),
        [(12, true), (10, true)]
    );
}

// RFC 7692 section 7.1.2.2: a hint is not a demand, and the client honors it for any response: 7692-7.1.2.2-05, D52.
// Servers that respond like this: ws 8.18 with a `clientMaxWindowBits` of 13 to 15, Netty with a `preferredClientWindowSize`.
#[test]
fn client_keeps_to_its_hint_whatever_is_answered() {
    for (hint, answered) in (8..=15u8).flat_map(|hint| (8..=15u8).map(move |answered| (hint, answered))) {
        let offer = format!("permessage-deflate; client_max_window_bits={hint}");
        let answer = format!("permessage-deflate; client_max_window_bits={answered}");
        assert_eq!(agreed(&answer, &offer), [(hint.min(answered), true), (15, true)]);
    }
}

// RFC 7692 section 7.1.2.1: 7692-7.1.2.1-04. 15 is the default, so a server that omits it has accepted it: D55.
#[test]
fn response_may_omit_a_demand_of_15_bits() {
    for bits in 8..=15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}");
        let refusal = Refusal::MissingParameter(Parameter::ServerMaxWindowBits);
        let result = check("permessage-deflate", &offer).map(|agreed| agreed.map(windows));
        match bits {
            15 => assert_eq!(result, Ok(Some([(15, true), (15, true)]))),
            _ => assert_eq!(result, Err(refusal), "{bits}"),
        }
    }
}

/// The settings of a configuration.
#[derive(Clone, Debug)]
struct Settings {
    client: Option<u8>,
    server: u8,
    alone: [bool; 2],
    hints: bool,
    send: u8,
}

impl Settings {
    fn config(&self) -> DeflateConfig {
        let config = DeflateConfig::new()
            .server_max_window_bits(self.server)
            .client_no_context_takeover(self.alone[0])
            .server_no_context_takeover(self.alone[1])
            .offer_client_max_window_bits(self.hints)
            .send_window_bits(self.send);
        match self.client {
            Some(bits) => config.client_max_window_bits(bits),
            None => config,
        }
    }
}

fn any_settings() -> impl Strategy<Value = Settings> {
    let client = prop::option::of(8..=15_u8);
    (client, 8..=15_u8, any::<[bool; 2]>(), any::<bool>(), 9..=15_u8).prop_map(
        |(client, server, alone, hints, send)| Settings {
            client,
            server,
            alone,
            hints,
            send,
        },
    )
}

fn any_element() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        "foo",
    ]);
    let value = prop::option::of((6..=17_u8).prop_map(|bits| bits.to_string()));
    let param = (name, value).prop_map(|(name, value)| match value {
        Some(value) => format!("; {name}={value}"),
        None => format!("; {name}"),
    });
    let name = prop::sample::select(vec!["permessage-deflate", "permessage-deflate", "x-other"]);
    (name, prop::collection::vec(param, 0..4)).prop_map(|(name, params)| name.to_owned() + &params.concat())
}

/// The verdict of a peer that follows the RFC's text.
fn any_fair_element() -> impl Strategy<Value = String> {
    let bits = prop::option::of(8..=15_u8);
    let hint = prop::option::of(prop::option::of(8..=15_u8));
    (any::<[bool; 2]>(), bits, hint).prop_map(|([client, server], bits, hint)| {
        let params = [
            client.then(|| "; client_no_context_takeover".to_owned()),
            server.then(|| "; server_no_context_takeover".to_owned()),
            bits.map(|bits| format!("; server_max_window_bits={bits}")),
            hint.map(|hint| match hint {
                Some(bits) => format!("; client_max_window_bits={bits}"),
                None => "; client_max_window_bits".to_owned(),
            }),
        ];
        params
            .into_iter()
            .flatten()
            .fold("permessage-deflate".to_owned(), |element, param| element + &param)
    })
}

fn any_list() -> impl Strategy<Value = String> {
    let some = prop::collection::vec(prop_oneof![any_element(), any_fair_element()], 0..4);
    prop_oneof![some.prop_map(|elements| elements.join(", ")), any_fair_element()]
}

fn elements(list: &str) -> Vec<&str> {
    let name = |element: &&str| element.split(';').next() == Some("permessage-deflate");
    list.split(", ").filter(name).collect()
}

/// The parameters of an element, with the bits of those that have some. `None` if one is not as the text has it.
fn read(element: &str) -> Option<Params> {
    let mut params = BTreeMap::new();
    for param in element.split("; ").skip(1) {
        let (name, value) = param
            .split_once('=')
            .map_or((param, None), |(name, value)| (name, Some(value)));
        let bits = value.and_then(|value| value.parse().ok());
        let valid = match name {
            "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
            "server_max_window_bits" => matches!(bits, Some(8..=15)),
            "client_max_window_bits" => matches!((value, bits), (None, _) | (_, Some(8..=15))),
            _ => false,
        };
        if !valid || params.insert(name.to_owned(), bits).is_some() {
            return None;
        }
    }
    Some(params)
}

type Params = BTreeMap<String, Option<u8>>;

type Agreed = [(u8, bool); 2];

/// The windows of client and server, and the parameters of the response.
fn naive_accept(offers: &str, settings: &Settings) -> Option<(Agreed, Params)> {
    let offer = elements(offers).into_iter().find_map(read)?;
    let mut answer = BTreeMap::new();
    let mut agreed = [(15, true); 2];
    for (end, name) in ["client_no_context_takeover", "server_no_context_takeover"]
        .into_iter()
        .enumerate()
    {
        if offer.contains_key(name) || settings.alone[end] {
            answer.insert(name.to_owned(), None);
            agreed[end].1 = false;
        }
    }
    if offer.contains_key("server_max_window_bits") || settings.server < 15 {
        agreed[1].0 = settings.server.min(
            offer
                .get("server_max_window_bits")
                .map_or(15, |bits| bits.unwrap()),
        );
        answer.insert("server_max_window_bits".to_owned(), Some(agreed[1].0));
    }
    match (offer.get("client_max_window_bits"), settings.client) {
        (Some(hint), limit) => {
            agreed[0].0 = hint.unwrap_or(15).min(limit.unwrap_or(15));
            if agreed[0].0 < 15 {
                answer.insert("client_max_window_bits".to_owned(), Some(agreed[0].0));
            }
        }
        (None, Some(..=14)) => {
            answer.insert("client_no_context_takeover".to_owned(), None);
            agreed[0].1 = false;
        }
        (None, Some(_) | None) => {}
    }
    Some((agreed, answer))
}

fn naive_check(answer: &str, offers: &str) -> Result<Option<Agreed>, ()> {
    let answer = match elements(answer)[..] {
        [] => return Ok(None),
        [answer] => read(answer).ok_or(())?,
        [..] => return Err(()),
    };
    if answer.get("client_max_window_bits") == Some(&None) {
        return Err(());
    }
    let bits = |params: &Params, name: &str| params.get(name).copied().flatten().unwrap_or(15);
    let fit = |offer: &Params| {
        let alone = "server_no_context_takeover";
        let hint = "client_max_window_bits";
        answer.contains_key(alone) >= offer.contains_key(alone)
            && answer.contains_key(hint) <= offer.contains_key(hint)
            && bits(&answer, "server_max_window_bits") <= bits(offer, "server_max_window_bits")
    };
    let offer = elements(offers)
        .into_iter()
        .filter_map(read)
        .find(fit)
        .ok_or(())?;
    let alone = [&answer, &offer].map(|params| params.contains_key("client_no_context_takeover"));
    let client = [&answer, &offer].map(|params| bits(params, "client_max_window_bits"));
    Ok(Some([
        (client[0].min(client[1]), alone == [false; 2]),
        (
            bits(&answer, "server_max_window_bits"),
            !answer.contains_key("server_no_context_takeover"),
        ),
    ]))
}

/// Bytes that do not repeat internally, so that they appear only in another message with the same `seed`.
fn noise(seed: usize, size: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

proptest! {
    // RFC 7692 section 5: 7692-5-03
    #[test]
    fn both_roles_agree(client in prop::collection::vec(any_settings(), 0..3), server in any_settings()) {
        let offers = deflate::offer(&client.iter().map(Settings::config).collect::<Vec<_>>());
        match deflate::accept(list(&offers), &server.config()) {
            Some((parameters, answer)) => {
                prop_assert_eq!(check(&answer, &offers), Ok(Some(parameters)));
                let [of_client, of_server] = windows(parameters);
                // The server's limits are kept, and so are the demands of the client's first offer.
                prop_assert!(of_server.0 <= server.server.min(client[0].server));
                prop_assert!(of_client.0 <= server.client.unwrap_or(15) || !of_client.1);
                for settings in [&server, &client[0]] {
                    prop_assert!(!settings.alone[0] || !of_client.1);
                    prop_assert!(!settings.alone[1] || !of_server.1);
                }
            }
            None => prop_assert!(client.is_empty()),
        }
    }

    // RFC 7692 sections 5.1 and 7.1; D51, D53
    #[test]
    fn server_accepts_as_the_text_reads(offers in any_list(), settings in any_settings()) {
        let accepted = deflate::accept(list(&offers), &settings.config());
        let accepted = accepted.map(|(parameters, answer)| {
            assert_eq!(elements(&answer).len(), 1);
            (windows(parameters), read(&answer).unwrap())
        });
        prop_assert_eq!(accepted, naive_accept(&offers, &settings));
    }

    // RFC 7692 sections 5.1 and 7.1; D52, D55
    #[test]
    fn client_judges_responses_as_the_rfc_does(answer in any_list(), offers in any_list()) {
        let agreed = check(&answer, &offers).map(|agreed| agreed.map(windows));
        prop_assert_eq!(agreed.map_err(drop), naive_check(&answer, &offers), "{} / {}", offers, answer);
    }

    // RFC 7692 section 7.1.2: 7692-7.1.2.1-05, 7692-7.1.2.2-05; D54: what is sent keeps to the agreed windows, and to a
    // smaller one that only the sender knows of
    #[test]
    fn what_is_sent_fits_the_agreed_windows(
        client in any_settings(),
        server in any_settings(),
        messages in prop::collection::vec((0..4_usize, 1..3000_usize), 1..8),
    ) {
        let offers = deflate::offer(&[client.config()]);
        let (parameters, _) = deflate::accept(list(&offers), &server.config()).unwrap();
        for (role, settings) in [(Role::Client, &client), (Role::Server, &server)] {
            let window = parameters.sender_window(role);
            let Some(mut compressor) = Compressor::new(window, &settings.config()) else {
                prop_assert_eq!(window.bits(), 8);
                continue;
            };
            let mut naive = Naive::default();
            for &(seed, size) in &messages {
                let message = noise(seed, size);
                let mut wire = Vec::new();
                compressor.compress(&message, &mut wire);
                if !window.has_context_takeover() {
                    naive.out.clear();
                }
                prop_assert_eq!(naive.message(&wire), Some(message));
            }
            prop_assert!(naive.distance <= 1 << window.bits().min(settings.send));
        }
    }

    #[test]
    fn client_accepts_any_answer_of_ours(offers in any_list(), settings in any_settings()) {
        if let Some((parameters, answer)) = deflate::accept(list(&offers), &settings.config()) {
            prop_assert_eq!(check(&answer, &offers), Ok(Some(parameters)));
        }
    }
}
