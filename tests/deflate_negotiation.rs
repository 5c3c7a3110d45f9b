//! Offers and answers of `permessage-deflate`: RFC 7692 sections 5 and 7.1.

use proptest::prelude::*;
use websocket_proto::Role;
use websocket_proto::deflate::{
    self, DeflateConfig, NegotiationError as Refusal, Parameter, Parameters, Window,
};
use websocket_proto::handshake::ExtensionList;

/// The defaults of RFC 7692: nothing limited, nothing asked for.
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
        let window = parameters.sent_by(role);
        (window.bits(), window.takeover())
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
        deflate::offer(&[DeflateConfig::new(), OPEN]),
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

#[test]
fn windows_have_8_to_15_bits() {
    for bits in 0..=255 {
        let expected = (8..=15).contains(&bits).then_some((bits, true));
        let window = Window::new(bits);
        assert_eq!(window.map(|window| (window.bits(), window.takeover())), expected);
        let window = window.map(Window::no_context_takeover);
        assert_eq!(
            window.map(|window| (window.bits(), window.takeover())),
            expected.map(|(bits, _)| (bits, false))
        );
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
    // A value is needed in an answer.
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
        // The hint is answered: both may then count on it.
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
        // D23: agreed to, and never used for sending.
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
                parameter: ServerMaxWindowBits,
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
        (
            "permessage-deflate; client_max_window_bits=10",
            "permessage-deflate; client_max_window_bits=11",
            Refusal::LargerThanOffered {
                parameter: ClientMaxWindowBits,
                offered: 10,
                answered: 11,
            },
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
    // Hints hold without an answer to them: RFC 7692 section 7.1.1.2: 7692-7.1.1.2-01
    assert_eq!(
        agreed(
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=9"
        ),
        [(9, false), (15, true)],
    );
    // The answer fits the second offer.
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

fn any_config() -> impl Strategy<Value = DeflateConfig> {
    (8..=15_u8, 8..=15_u8, any::<[bool; 2]>()).prop_map(|(client, server, [c, s])| {
        DeflateConfig::new()
            .client_max_window_bits(client)
            .server_max_window_bits(server)
            .client_no_context_takeover(c)
            .server_no_context_takeover(s)
    })
}

/// What a configuration allows, of client and server: what a server that limits nothing grants it.
fn limits(config: &DeflateConfig) -> [(u8, bool); 2] {
    windows(
        deflate::accept(list(&deflate::offer(std::slice::from_ref(config))), &OPEN)
            .unwrap()
            .0,
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

fn any_list() -> impl Strategy<Value = String> {
    prop::collection::vec(any_element(), 0..4).prop_map(|elements| elements.join(", "))
}

proptest! {
    // RFC 7692 section 5: 7692-5-03
    #[test]
    fn both_roles_agree(client in prop::collection::vec(any_config(), 0..3), server in any_config()) {
        let offers = deflate::offer(&client);
        match deflate::accept(list(&offers), &server) {
            Some((parameters, answer)) => {
                prop_assert_eq!(check(&answer, &offers), Ok(Some(parameters)));
                prop_assert!(!client.is_empty());
                // The server's limits hold, and so do those of what the client offers first.
                for config in [&server, &client[0]] {
                    for (agreed, limit) in windows(parameters).into_iter().zip(limits(config)) {
                        prop_assert!(agreed.0 <= limit.0 && agreed.1 <= limit.1);
                    }
                }
            }
            None => prop_assert!(client.is_empty()),
        }
    }

    #[test]
    fn client_accepts_any_answer_of_ours(offers in any_list(), config in any_config()) {
        if let Some((parameters, answer)) = deflate::accept(list(&offers), &config) {
            prop_assert_eq!(check(&answer, &offers), Ok(Some(parameters)));
        }
    }

    #[test]
    fn any_answer_fits_or_fails(answer in any_list(), offers in any_list()) {
        if let Ok(Some(parameters)) = check(&answer, &offers) {
            let element = list(&answer).find(|extension| extension.name() == deflate::EXTENSION).unwrap();
            let [client, server] = windows(parameters);
            for param in element.params() {
                match param.name() {
                    "server_no_context_takeover" => prop_assert!(!server.1),
                    "client_no_context_takeover" => prop_assert!(!client.1),
                    "server_max_window_bits" => prop_assert_eq!(param.value(), Some(&*server.0.to_string())),
                    "client_max_window_bits" => prop_assert_eq!(param.value(), Some(&*client.0.to_string())),
                    other => prop_assert!(false, "{}", other),
                }
            }
            prop_assert!(offers.contains(deflate::EXTENSION));
        }
    }
}
