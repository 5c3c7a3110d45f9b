//! A member of the room: a client that sends when it is asked to, and checks what it receives.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use embedding_tokio::{Backoff, ClientRequest, EndpointConfig, Event, WebSocket, client};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

/// What the members share.
#[derive(Default)]
pub struct World {
    /// The addresses of the servers.
    pub addresses: Mutex<Vec<String>>,
    /// What must not happen.
    pub violations: Mutex<Vec<String>>,
    /// When each message was sent, by its sender and number.
    pub sent_at: Mutex<HashMap<(usize, u64), Instant>>,
}

#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// Sends a message of about this many bytes.
    Say(usize),
    /// Stops reading, or starts again.
    Read(bool),
}

pub struct Member {
    pub index: usize,
    pub process: usize,
    commands: mpsc::UnboundedSender<Command>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub is_open: bool,
    /// How many connections have ended, and how the last one did.
    pub ended: usize,
    pub end: String,
    /// The numbers received from each sender.
    pub received: HashMap<usize, Vec<u64>>,
    /// How many messages were sent; the number of the next.
    pub sent: u64,
    pub refused: HashSet<u64>,
    pub unknown: HashSet<u64>,
    pub away: usize,
    pub back: usize,
    pub missed: u64,
    /// From the call that sent a message to its receipt here.
    pub delays: Vec<Duration>,
}

impl Member {
    pub fn spawn(world: &Arc<World>, index: usize, process: usize, reconnects: bool) -> Self {
        let (commands, asked) = mpsc::unbounded_channel();
        let state = Arc::new(Mutex::new(State::default()));
        let task = Task {
            world: world.clone(),
            index,
            process,
            state: state.clone(),
            asked,
            posted: Vec::new(),
        };
        tokio::spawn(task.run(reconnects));
        Self {
            index,
            process,
            commands,
            state,
        }
    }

    pub fn ask(&self, command: Command) {
        _ = self.commands.send(command);
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether every message of a sender from one number to before another was received.
    pub fn has(&self, sender: usize, from: u64, to: u64) -> bool {
        let state = self.state();
        let received = state.received.get(&sender).map_or(&[][..], Vec::as_slice);
        received
            .iter()
            .filter(|number| (from..to).contains(number))
            .count() as u64
            == to - from
    }
}

struct Task {
    world: Arc<World>,
    index: usize,
    process: usize,
    state: Arc<Mutex<State>>,
    asked: mpsc::UnboundedReceiver<Command>,
    /// The numbers that were sent on this connection, as its server counts them.
    posted: Vec<u64>,
}

impl Task {
    async fn run(mut self, reconnects: bool) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            match self.connect(!reconnects).await {
                Ok(socket) => {
                    backoff.reset();
                    self.posted.clear();
                    lock(&self.state).is_open = true;
                    let end = self.talk(socket).await;
                    let mut state = lock(&self.state);
                    (state.is_open, state.end) = (false, end);
                    state.ended += 1;
                    if !reconnects {
                        return;
                    }
                }
                Err(error) => lock(&self.state).end = error,
            }
            tokio::time::sleep(backoff.delay()).await;
        }
    }

    /// A member that is to be slow has a small buffer in the kernel.
    async fn connect(&self, is_slow: bool) -> Result<WebSocket<TcpStream>, String> {
        let address = lock(&self.world.addresses)[self.process].clone();
        let parsed = address.parse().map_err(|_| "no address")?;
        let socket = TcpSocket::new_v4().map_err(|error| error.to_string())?;
        if is_slow {
            socket
                .set_recv_buffer_size(4096)
                .map_err(|error| error.to_string())?;
        }
        let stream = socket.connect(parsed).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let request =
            ClientRequest::from_url(&format!("ws://{address}/")).map_err(|error| error.to_string())?;
        let opened = client(stream, request, &EndpointConfig::new()).await;
        opened
            .map(|(socket, _)| socket)
            .map_err(|error| error.to_string())
    }

    /// Returns how the connection ended.
    async fn talk(&mut self, mut socket: WebSocket<TcpStream>) -> String {
        let mut reads = true;
        loop {
            tokio::select! {
                event = socket.next(), if reads => match event {
                    Some(Event::Text(text)) => self.receive(&text),
                    Some(_) => {}
                    None => return socket.into_end().to_string(),
                },
                Some(command) = self.asked.recv() => match command {
                    Command::Read(read) => reads = read,
                    Command::Say(size) => self.say(&mut socket, size).await,
                },
                else => return "not read until the end".into(),
            }
        }
    }

    async fn say(&mut self, socket: &mut WebSocket<TcpStream>, size: usize) {
        let number = lock(&self.state).sent;
        lock(&self.state).sent += 1;
        self.posted.push(number);
        lock(&self.world.sent_at).insert((self.index, number), Instant::now());
        // Its end will say why not.
        _ = socket.send(body(self.index, number, size)).await;
    }

    fn receive(&self, text: &str) {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let count = |add: fn(&mut State)| {
            add(&mut lock(&self.state));
            Some(())
        };
        let result = match kind {
            "said" => self.hear(rest),
            "missed" => rest
                .parse()
                .ok()
                .map(|count: u64| lock(&self.state).missed += count),
            "away" => count(|state| state.away += 1),
            "back" => count(|state| state.back += 1),
            "refused" => self
                .posted(rest)
                .map(|number| _ = lock(&self.state).refused.insert(number)),
            "unknown" => self
                .posted(rest)
                .map(|number| _ = lock(&self.state).unknown.insert(number)),
            _ => None,
        };
        if result.is_none() {
            self.violation(format!(
                "received {:?}",
                text.chars().take(60).collect::<String>()
            ));
        }
    }

    fn posted(&self, count: &str) -> Option<u64> {
        self.posted.get(count.parse::<usize>().ok()?).copied()
    }

    /// Checks a message: its content, and that it follows the last one of its sender.
    fn hear(&self, said: &str) -> Option<()> {
        let content = said.splitn(3, ' ').nth(2)?;
        let mut parts = content.splitn(4, ' ');
        let sender: usize = parts.next()?.parse().ok()?;
        let number: u64 = parts.next()?.parse().ok()?;
        let size: usize = parts.next()?.parse().ok()?;
        if content != body(sender, number, size) {
            return None;
        }
        let mut state = lock(&self.state);
        let received = state.received.entry(sender).or_default();
        if let Some(last) = received.last().filter(|last| **last >= number) {
            self.violation(format!("message {number} of {sender} after message {last}"));
        }
        received.push(number);
        if let Some(at) = lock(&self.world.sent_at).get(&(sender, number)) {
            state.delays.push(at.elapsed());
        }
        Some(())
    }

    fn violation(&self, what: String) {
        lock(&self.world.violations).push(format!("member {}: {what}", self.index));
    }
}

/// The content of a message, which each member can compute.
fn body(sender: usize, number: u64, size: usize) -> String {
    let letter = char::from(b'a' + ((sender as u64 * 7 + number) % 26) as u8);
    format!("{sender} {number} {size} {}", letter.to_string().repeat(size))
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
