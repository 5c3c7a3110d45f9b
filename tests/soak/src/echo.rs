//! Well-behaved clients of `echo_server`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use websocket_proto::endpoint::SendError;
use websocket_proto::{Event, Fin, MessageKind};

use crate::client::{Client, PATIENCE};
use crate::random::Random;
use crate::run::{Run, Stage};

/// What the server has to send back.
enum Expected {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
}

/// Runs one client after another, until the end of the run.
pub fn live(run: &Run, address: SocketAddr, mut random: Random) -> Result<(), String> {
    loop {
        let compresses = random.one_in(2);
        let mut client = Client::open(address, "/", compresses)?;
        for _ in 0..=random.below(200) {
            if run.stage() == Stage::Finish {
                break;
            }
            round(run, &mut client, &mut random)?;
            pause(&mut client, &mut random)?;
        }
        let is_last = run.stage() == Stage::Finish;
        if is_last {
            round(run, &mut client, &mut random)?;
        }
        client.close(unexpected)?;
        run.counts.closed();
        if is_last {
            return Ok(());
        }
    }
}

/// Sends a few messages, and waits for all echoes.
fn round(run: &Run, client: &mut Client, random: &mut Random) -> Result<(), String> {
    let (began, mut expected) = (Instant::now(), VecDeque::new());
    for _ in 0..=random.below(4) {
        expected.push_back(send(client, random).map_err(|error| format!("send: {error}"))?);
    }
    let complete = client.run(began + PATIENCE, |event| {
        let Some(next) = expected.pop_front() else {
            return Err(format!("an unexpected event: {:.80}", format!("{event:?}")));
        };
        let (is_same, size) = match (&next, &event) {
            (Expected::Text(sent), Event::Text(text)) => (sent == text.as_str(), sent.len()),
            (Expected::Binary(sent), Event::Binary(payload)) => (sent == payload.as_slice(), sent.len()),
            (Expected::Pong(sent), Event::Pong(payload)) => (sent == payload.as_slice(), sent.len()),
            _ => (false, 0),
        };
        if !is_same {
            return Err(format!("a wrong echo: {:.80}", format!("{event:?}")));
        }
        run.counts.compared(size);
        Ok(expected.is_empty())
    })?;
    if !complete {
        return Err(format!(
            "{} echoes did not arrive within {PATIENCE:?}",
            expected.len()
        ));
    }
    run.counts.took(began.elapsed());
    Ok(())
}

fn send(client: &mut Client, random: &mut Random) -> Result<Expected, SendError> {
    let mut sender = client.sender();
    if random.one_in(10) {
        let size = random.below(126);
        let payload = random.bytes(size);
        sender.send_ping(&payload)?;
        return Ok(Expected::Pong(payload));
    }
    let size = match random.below(100) {
        0 => random.below(1 << 20),
        1..=9 => random.below(70_000),
        10..=14 => 0,
        _ => random.below(1000),
    };
    if random.one_in(2) {
        let text = text(random, size);
        match random.one_in(8) {
            true => send_fragments(client, random, MessageKind::Text, text.as_bytes())?,
            false => sender.send_text(&text)?,
        }
        return Ok(Expected::Text(text));
    }
    let payload = random.bytes(size);
    match random.one_in(8) {
        true => send_fragments(client, random, MessageKind::Binary, &payload)?,
        false => sender.send_binary(&payload)?,
    }
    Ok(Expected::Binary(payload))
}

/// Sends a message in fragments, which may be split inside a character.
fn send_fragments(
    client: &mut Client,
    random: &mut Random,
    kind: MessageKind,
    payload: &[u8],
) -> Result<(), SendError> {
    let (front, rest) = payload.split_at(random.below(payload.len() + 1));
    let (middle, last) = rest.split_at(random.below(rest.len() + 1));
    let mut sender = client.sender();
    sender.send_fragment(kind, front, Fin::More)?;
    sender.send_fragment(kind, middle, Fin::More)?;
    sender.send_fragment(kind, last, Fin::Last)
}

/// Words, so that compression has an effect, some with non-ASCII characters.
fn text(random: &mut Random, size: usize) -> String {
    const WORDS: [&str; 8] = [
        "frame ",
        "mask ",
        "message ",
        "größe ",
        "ключ ",
        "終わり ",
        "🦀 ",
        "close ",
    ];
    let mut text = String::new();
    while text.len() < size {
        text.push_str(random.pick(&WORDS));
    }
    text
}

/// Asserts that nothing arrives for a while.
fn pause(client: &mut Client, random: &mut Random) -> Result<(), String> {
    let until = Instant::now() + Duration::from_millis(random.below(400) as u64);
    client.run(until, |event| unexpected(event).map(|()| false))?;
    Ok(())
}

fn unexpected(event: Event<'_>) -> Result<(), String> {
    Err(format!("nothing was expected: {:.80}", format!("{event:?}")))
}
