//! Two ends and any operations on them, compared with the reference model.

use super::common::model::{Operation, Pair, Setup};
use super::ends::Settings;
use super::input::Input;
use super::output::prepared;
use websocket_proto::{AutoPong, Compression, Connection, Fin, Role};

fn read(input: &mut Input) -> Operation {
    match input.byte() % 16 {
        0 => Operation::Text(input.text()),
        1 => Operation::Binary(input.bytes().to_vec()),
        2 => {
            // Lengths on both sides of the boundaries at which the header grows.
            let size = input.pick(&[125, 126, 300, 2000, 65_535, 65_536]);
            Operation::Binary(vec![input.byte(); size])
        }
        3 => Operation::Prepared(Box::new(prepared(input))),
        4 => Operation::Ping(input.bytes().to_vec()),
        5 => Operation::Pong(input.bytes().to_vec()),
        6 => Operation::Close {
            code: Some(input.number()).filter(|code| *code != 0),
            reason: input.text(),
        },
        7 => Operation::Compress(input.pick(&[Compression::Off, Compression::On])),
        8 => Operation::Lose,
        9 => Operation::Deliver(usize::MAX),
        10 | 11 => Operation::Deliver(usize::from(input.byte())),
        14 => Operation::Header(input.bytes().to_vec()),
        15 => Operation::InPlace {
            text: input.byte() & 1 != 0,
            bytes: input.bytes().to_vec(),
        },
        kind => {
            let flags = input.byte();
            Operation::Fragment {
                text: kind == 12,
                bytes: input.bytes().to_vec(),
                fin: if flags & 1 == 0 { Fin::More } else { Fin::Last },
            }
        }
    }
}

/// One end, configured by its own flags and by those of both ends.
fn end(role: Role, settings: &Settings, flags: u8, [split, stream]: [bool; 2]) -> (Connection, Setup) {
    let setup = Setup {
        hold: flags & 1 != 0,
        recycle: flags & 2 != 0,
        stream,
        split,
        auto_pong: settings.auto_pong,
        auto_close: settings.auto_close,
        deflated: settings.is_deflated(),
    };
    let config = setup.deliver(settings.config().max_message_size(1 << 20));
    (settings.open_with(role, &config), setup)
}

/// Any operations on a pair, whose output arrives in any segments or not at all: each end behaves as the model predicts, receives
/// what the other end sent, and emits only complete, valid frames.
pub fn operations(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut client = Settings::read(&mut input);
    // Compression is negotiated; everything else is up to each end.
    let mut server = client;
    let flags = input.byte();
    if flags & 4 != 0 {
        server.auto_close = !client.auto_close;
    }
    if flags & 8 != 0 {
        client.auto_pong = AutoPong::UntilPeerCloses;
    }
    let both = [flags & 1 != 0, flags & 2 != 0];
    let server = end(Role::Server, &server, flags >> 4, both);
    let mut pair = Pair::new(server, end(Role::Client, &client, flags >> 6, both));
    // Bounds the work: an operation may be one byte, and a large message three.
    let mut work = 0;
    while work < 200_000 && !input.is_empty() {
        let role = match input.byte() & 1 {
            0 => Role::Server,
            _ => Role::Client,
        };
        let operation = read(&mut input);
        work += match &operation {
            Operation::Binary(bytes) => 500 + bytes.len(),
            _ => 500,
        };
        pair.run(role, &operation);
    }
    pair.finish();
}
