//! Well-behaved clients of `chat`. Each has to receive everything that the others send, in order.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use websocket_proto::Event;

use crate::client::{Client, PATIENCE};
use crate::random::Random;
use crate::run::{Run, Stage};

/// State shared by all clients.
pub struct Room {
    /// How many messages each client has sent.
    said: Vec<AtomicU32>,
    /// How many clients have joined for the last time.
    inside: AtomicU32,
    /// How many clients have sent their last message.
    silent: AtomicU32,
}

impl Room {
    pub fn new(clients: usize) -> Self {
        Self {
            said: (0..clients).map(|_| AtomicU32::new(0)).collect(),
            inside: AtomicU32::new(0),
            silent: AtomicU32::new(0),
        }
    }

    /// Whether `count` has reached all clients. After a failure, also `true`, because the others may have ended.
    fn all(&self, run: &Run, count: &AtomicU32) -> bool {
        count.load(Ordering::SeqCst) as usize == self.said.len() || run.has_failed()
    }
}

/// One client in the chat.
struct Member<'a> {
    run: &'a Run,
    room: &'a Room,
    place: usize,
    client: Client,
    /// The number of the last message received from each client since this one joined.
    heard: Vec<Option<u32>>,
}

/// Runs one client after another, until the end of the run.
pub fn live(
    run: &Run,
    room: &Room,
    place: usize,
    address: SocketAddr,
    mut random: Random,
) -> Result<(), String> {
    loop {
        let mut member = Member {
            run,
            room,
            place,
            client: Client::open(address, "/chat", false)?,
            heard: vec![None; room.said.len()],
        };
        // The client joins after the server's response. Receiving its own message shows that it has joined.
        member.say_and_hear()?;
        for _ in 0..=random.below(60) {
            member.listen(Duration::from_millis(random.below(8000) as u64))?;
            if run.stage() == Stage::Finish {
                return member.end();
            }
            member.say_and_hear()?;
        }
        member.leave()?;
    }
}

impl Member<'_> {
    fn say(&mut self) -> Result<u32, String> {
        let number = self.room.said[self.place].fetch_add(1, Ordering::SeqCst) + 1;
        let message = message(self.place, number);
        self.client
            .sender()
            .send_text(&message)
            .map_err(|error| format!("send: {error}"))?;
        Ok(number)
    }

    fn say_and_hear(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let number = self.say()?;
        self.hear(began + PATIENCE, |member| {
            member.heard[member.place] == Some(number)
        })?;
        self.run.counts.took(began.elapsed());
        Ok(())
    }

    fn listen(&mut self, time: Duration) -> Result<(), String> {
        let until = Instant::now() + time;
        let heard = &mut self.heard;
        let run = self.run;
        self.client.run(until, |event| {
            take(run, heard, event)?;
            Ok(run.stage() == Stage::Finish)
        })?;
        Ok(())
    }

    /// Receives until a condition holds.
    fn hear(&mut self, until: Instant, is_so: impl Fn(&Self) -> bool) -> Result<(), String> {
        while !is_so(self) {
            if Instant::now() >= until {
                return Err(self.missing());
            }
            let (run, heard) = (self.run, &mut self.heard);
            let turn = Instant::now() + Duration::from_millis(50);
            self.client
                .run(turn, |event| take(run, heard, event).map(|()| true))?;
        }
        Ok(())
    }

    /// Describes the clients whose messages did not arrive.
    fn missing(&self) -> String {
        let said = self.room.said.iter().map(|said| said.load(Ordering::SeqCst));
        let behind = self.heard.iter().zip(said).enumerate();
        let behind: Vec<_> = behind
            .filter(|(_, (heard, said))| **heard != Some(*said))
            .map(|(place, (heard, said))| format!("{heard:?} of {said} by {place}"))
            .collect();
        format!("after {PATIENCE:?}, it has received {:.200}", behind.join(", "))
    }

    /// Waits until all have joined, then sends a last message. Everyone has to receive everyone's last message.
    fn end(mut self) -> Result<(), String> {
        self.room.inside.fetch_add(1, Ordering::SeqCst);
        self.hear(Instant::now() + 2 * PATIENCE, |member| {
            member.room.all(member.run, &member.room.inside)
        })?;
        self.say()?;
        self.room.silent.fetch_add(1, Ordering::SeqCst);
        self.hear(Instant::now() + 2 * PATIENCE, |member| {
            member.room.all(member.run, &member.room.silent)
        })?;
        self.hear(Instant::now() + PATIENCE, |member| {
            let mut both = member.heard.iter().zip(&member.room.said);
            both.all(|(heard, said)| *heard == Some(said.load(Ordering::SeqCst)))
        })?;
        self.leave()
    }

    fn leave(self) -> Result<(), String> {
        let Self {
            run,
            client,
            mut heard,
            ..
        } = self;
        client.close(|event| take(run, &mut heard, event))?;
        run.counts.closed();
        Ok(())
    }
}

/// A message of a well-behaved client, determined by its index and a counter.
fn message(place: usize, number: u32) -> String {
    let mut random = Random::new((place as u64) << 32 | u64::from(number));
    let size = if random.one_in(20) {
        random.below(4000)
    } else {
        random.below(200)
    };
    let filler: String = (0..size)
        .map(|_| char::from(b' ' + random.below(95) as u8))
        .collect();
    format!("well {place} {number} {filler}")
}

/// Compares a received message. Misbehaving peers may send anything.
fn take(run: &Run, heard: &mut [Option<u32>], event: Event<'_>) -> Result<(), String> {
    let Event::Text(text) = event else {
        return Err(format!("unexpected event: {event:?}"));
    };
    let Some(words) = text.as_str().strip_prefix("well ") else {
        return Ok(());
    };
    let mut words = words.splitn(3, ' ');
    let (place, number) = (number(words.next()), number(words.next()));
    let Some(last) = heard.get_mut(place as usize) else {
        return Err(format!("there is no client {place}"));
    };
    if last.is_some_and(|last| number != last + 1) {
        return Err(format!(
            "client {place} sent {number} after {last:?}: a message is lost or repeated"
        ));
    }
    if text.as_str() != message(place as usize, number) {
        return Err(format!(
            "not the text that client {place} sent: {:.80}",
            text.as_str()
        ));
    }
    *last = Some(number);
    run.counts.compared(text.len());
    Ok(())
}

fn number(word: Option<&str>) -> u32 {
    word.and_then(|word| word.parse().ok()).unwrap_or(u32::MAX)
}
