//! A client: sends numbered messages, compares their echoes, and reconnects.

use std::collections::VecDeque;
use std::time::Duration;

use embedding_tokio::websocket_proto::{Fin, MessageKind, Payload, Role, Text, entropy};
use embedding_tokio::{
    Backoff, ClientRequest, Event, Message as Outgoing, OpenError, SendError, WebSocket, client_with,
};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turmoil::net::TcpStream;

use crate::checks::{self, Side};
use crate::config::{self, CONNECT_TIMEOUT, FIRST_BACKOFF, LONGEST_BACKOFF, PING_TIMEOUT};
use crate::ledger::Shared;
use crate::link::{Link, Times};
use crate::message::{Id, Message};
use crate::plan::{Host, millis};
use crate::random::Random;
use crate::run::move_clock;

/// How many messages may wait for their echo.
const WINDOW: u64 = 30;

/// How many messages a client exchanges after the repair before it closes.
const LAST: u64 = 5;

/// Runs until everything is repaired, and the client has finished.
pub async fn run(number: usize, ledger: Shared) -> turmoil::Result {
    let host = Host::Client(number);
    ledger.borrow_mut().trace(format!("client {number} starts"));
    spawn_local(move_clock(host, ledger.clone()));
    let random = Random::new(ledger.borrow_mut().random.number());
    let mut client = Client {
        number,
        ledger,
        random,
        backoff: Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF),
    };
    while !client.connect().await? {
        let random = &mut client.random;
        let delay = client
            .backoff
            .delay_from(&mut entropy::from_fn(|bytes| fill(random, bytes)));
        sleep(delay).await;
    }
    client.ledger.borrow_mut().done[number] = true;
    Ok(())
}

fn fill(random: &mut Random, bytes: &mut [u8]) {
    bytes.fill_with(|| random.number() as u8);
}

struct Client {
    number: usize,
    ledger: Shared,
    random: Random,
    backoff: Backoff,
}

impl Client {
    /// Opens a connection, and uses it until it ends. Returns whether the client has finished.
    async fn connect(&mut self) -> turmoil::Result<bool> {
        let began = self.ledger.borrow().now;
        let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(("server", 80))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.trace(format!("not connected: {error}"));
                return Ok(false);
            }
            Err(_) => {
                self.trace("not connected in time".into());
                return Ok(false);
            }
        };
        let (link, times) = Link::new(stream, Host::Client(self.number), &self.ledger, false);
        // Unique also after a restart.
        let connection = u64::from(self.random.number() as u32);
        let side = Side {
            role: Role::Client,
            client: self.number,
            connection: Some(connection),
            began,
            times: &times,
        };
        let request = ClientRequest::from_url(&format!("ws://server/{connection}"))?;
        let mut random = Random::new(self.random.number());
        let entropy = entropy::from_fn(move |bytes| fill(&mut random, bytes));
        match client_with(link, request, &config::endpoint(PING_TIMEOUT), entropy).await {
            Ok((socket, _)) => {
                let id = Id {
                    client: self.number,
                    connection,
                };
                let (socket, has_finished) = self.talk(socket, id, &times).await;
                checks::ended(&mut self.ledger.borrow_mut(), &side, &socket.into_end());
                return Ok(has_finished);
            }
            Err(OpenError::Failed(end)) => checks::ended(&mut self.ledger.borrow_mut(), &side, &end),
            Err(error) => self
                .ledger
                .borrow_mut()
                .fault(format!("client {}: {error}", self.number)),
        }
        Ok(false)
    }

    /// Exchanges messages until the connection ends.
    async fn talk(&mut self, mut socket: WebSocket<Link>, id: Id, times: &Times) -> (WebSocket<Link>, bool) {
        self.trace(format!("connection {}", id.connection));
        self.ledger.borrow_mut().tally.count("connections");
        let mut talk = Talk {
            id,
            sent: 0,
            echoed: 0,
            waiting: VecDeque::new(),
            final_from: None,
        };
        let mut due = Instant::now();
        loop {
            tokio::select! {
                biased;
                event = socket.next() => match event {
                    None => return (socket, false),
                    Some(Event::Close(_)) => times.close(),
                    Some(event) => self.receive(&mut talk, &event),
                },
                () = sleep_until(due) => {
                    due = Instant::now() + self.pause();
                    self.send(&mut talk, &mut socket);
                }
            }
            checks::bounded(
                &mut self.ledger.borrow_mut(),
                Host::Client(self.number),
                socket.endpoint(),
            );
            if talk.is_finished() && socket.endpoint().is_open() {
                return (self.close(socket, id, times).await, true);
            }
        }
    }

    /// How long to wait between messages: one client in three is mostly silent except for its Pings.
    fn pause(&mut self) -> Duration {
        let is_repaired = self.ledger.borrow().repaired.is_some();
        let is_quiet = self.number % 3 == 2 && !is_repaired;
        millis(&mut self.random, 1, if is_quiet { 5000 } else { 200 })
    }

    /// Sends one or several messages, as far as the limits allow.
    fn send(&mut self, talk: &mut Talk, socket: &mut WebSocket<Link>) {
        let (seed, is_repaired) = (self.ledger.borrow().seed, self.ledger.borrow().repaired.is_some());
        if is_repaired {
            talk.final_from.get_or_insert(talk.sent);
        }
        for _ in 0..1 + self.random.below(4) {
            if talk.waiting.is_empty() && talk.sent - talk.echoed < WINDOW && !talk.has_sent_all() {
                talk.queue(Message::numbered(seed, talk.id, talk.sent));
            }
            while let Some(message) = talk.waiting.front() {
                match socket.try_send(message.clone()) {
                    Ok(()) => _ = talk.waiting.pop_front(),
                    Err(SendError::Full { .. } | SendError::NotOpen) => return,
                    Err(error) => self.ledger.borrow_mut().fault(error),
                }
            }
        }
    }

    fn receive(&mut self, talk: &mut Talk, event: &Event<'_>) {
        let mut ledger = self.ledger.borrow_mut();
        let expected = Message::numbered(ledger.seed, talk.id, talk.echoed);
        match expected.is(event) {
            None => return,
            Some(true) if talk.echoed < talk.sent => {}
            Some(_) => {
                let (number, id) = (talk.echoed, talk.id);
                ledger.fault(format!(
                    "{id:?} received something else than the echo of message {number}"
                ));
            }
        }
        ledger.tally.count("echoes received by clients");
        if talk.final_from.is_some_and(|number| talk.echoed >= number) {
            ledger.is_through(self.number);
        }
        talk.echoed += 1;
        self.backoff.reset();
    }

    async fn close(&mut self, mut socket: WebSocket<Link>, id: Id, times: &Times) -> WebSocket<Link> {
        times.close();
        self.ledger.borrow_mut().calls_close(id, Role::Client);
        if let Err(error) = socket.close(checks::code_of(Role::Client), "").await {
            self.ledger.borrow_mut().fault(error);
        }
        socket
    }

    fn trace(&self, line: String) {
        self.ledger
            .borrow_mut()
            .trace(format!("client {}: {line}", self.number));
    }
}

/// What was exchanged on a connection.
struct Talk {
    id: Id,
    sent: u64,
    echoed: u64,
    /// What could not be sent yet of the last message.
    waiting: VecDeque<Outgoing<'static>>,
    /// The first message that is sent after the repair.
    final_from: Option<u64>,
}

impl Talk {
    fn queue(&mut self, message: Message) {
        self.sent += 1;
        let Message {
            kind,
            mut payload,
            split,
        } = message;
        match (split, kind) {
            (Some(at), _) => {
                let rest = payload.split_off(at);
                self.waiting
                    .push_back(Outgoing::Fragment(kind, Payload::from(payload), Fin::More));
                self.waiting
                    .push_back(Outgoing::Fragment(kind, Payload::from(rest), Fin::Last));
            }
            (None, MessageKind::Binary) => self.waiting.push_back(payload.into()),
            (None, MessageKind::Text) => {
                let text = String::from_utf8(payload).unwrap_or_default();
                self.waiting.push_back(Outgoing::Text(Text::from(text)));
            }
        }
    }

    fn has_sent_all(&self) -> bool {
        self.final_from.is_some_and(|number| self.sent >= number + LAST)
    }

    fn is_finished(&self) -> bool {
        self.has_sent_all() && self.echoed == self.sent
    }
}
