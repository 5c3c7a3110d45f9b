//! The server: echoes, and compares every message.

use std::rc::Rc;
use std::time::Duration;

use embedding_tokio::websocket_proto::{Fin, Role};
use embedding_tokio::{End, EndpointConfig, Event, Incoming, SendError, Sender, WebSocket};
use tokio::task::spawn_local;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

use crate::checks::{self, Side};
use crate::config::{self, MAX_BUFFERED, PING_TIMEOUT};
use crate::ledger::Shared;
use crate::link::{Link, Times};
use crate::message::{Id, Message};
use crate::plan::Host;
use crate::run::{Plant, move_clock};

/// Runs until the host is stopped.
pub async fn run(ledger: Shared, plant: Option<Plant>) -> turmoil::Result {
    ledger.borrow_mut().trace("the server starts");
    spawn_local(move_clock(Host::Server, ledger.clone()));
    spawn_local(count_streams(ledger.clone()));
    let ping_timeout = match plant {
        Some(Plant::NoPingTimeout) => Duration::MAX,
        Some(Plant::EarlyPingTimeout) => PING_TIMEOUT / 2,
        _ => PING_TIMEOUT,
    };
    let server = Rc::new(Server {
        ledger: ledger.clone(),
        config: config::endpoint(ping_timeout),
        plant,
    });
    let leaving = ledger.borrow().leaving.clone();
    let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
    loop {
        tokio::select! {
            biased;
            () = leaving.notified() => break,
            accepted = listener.accept() => {
                let (stream, address) = accepted?;
                let name = turmoil::reverse_lookup(address.ip()).unwrap_or_default();
                let client = name.trim_start_matches("client-").parse()?;
                let server = server.clone();
                let task = Task::new(&server.ledger);
                spawn_local(async move {
                    server.serve(stream, client).await;
                    if plant == Some(Plant::KeptTask) {
                        std::future::pending::<()>().await;
                    }
                    drop(task);
                });
            }
        }
    }
    drop(listener);
    std::future::pending().await
}

async fn count_streams(ledger: Shared) {
    loop {
        ledger.borrow_mut().streams = turmoil::established_tcp_stream_count();
        sleep(Duration::from_millis(50)).await;
    }
}

struct Server {
    ledger: Shared,
    config: EndpointConfig,
    plant: Option<Plant>,
}

impl Server {
    async fn serve(&self, stream: TcpStream, client: usize) {
        let began = self.ledger.borrow().now;
        let loses_output = self.plant == Some(Plant::LostOutput);
        let (link, times) = Link::new(stream, Host::Server, &self.ledger, loses_output);
        let mut side = Side {
            role: Role::Server,
            client,
            connection: None,
            began,
            times: &times,
        };
        match self.open(link, &mut side).await {
            Ok(socket) => {
                let connection = side.connection.unwrap_or_default();
                let end = self.echo(socket, Id { client, connection }, &times).await;
                checks::ended(&mut self.ledger.borrow_mut(), &side, &end);
            }
            Err(end) => checks::ended(&mut self.ledger.borrow_mut(), &side, &end),
        }
    }

    /// The path names the connection.
    async fn open(&self, link: Link, side: &mut Side<'_>) -> Result<WebSocket<Link>, Box<End>> {
        let incoming = Incoming::read(link, &self.config).await?;
        let path = incoming.request().path().trim_start_matches('/');
        match path.parse() {
            Ok(connection) => side.connection = Some(connection),
            Err(_) => return Err(incoming.reject(404, &[], b"").await),
        }
        incoming.accept().await
    }

    async fn echo(&self, mut socket: WebSocket<Link>, id: Id, times: &Times) -> End {
        let leaving = self.ledger.borrow().leaving.clone();
        let mut next = 0;
        loop {
            if self.ledger.borrow().is_leaving {
                times.close();
                self.ledger.borrow_mut().calls_close(id, Role::Server);
                _ = socket.close(checks::code_of(Role::Server), "").await;
                return socket.into_end();
            }
            tokio::select! {
                biased;
                () = leaving.notified() => {}
                is_open = socket.ready() => {
                    if !is_open {
                        return socket.into_end();
                    }
                    let mut events = socket.events();
                    while let Some((event, sender)) = events.next() {
                        if let Event::Close(_) = event {
                            times.close();
                        }
                        next += self.answer(&event, sender, id, next);
                    }
                    drop(events);
                    checks::bounded(&mut self.ledger.borrow_mut(), Host::Server, socket.endpoint());
                }
            }
        }
    }

    /// Compares a message, and echoes it. Returns how many messages the event is.
    fn answer(&self, event: &Event<'_>, mut sender: Sender<'_>, id: Id, number: u64) -> u64 {
        let mut ledger = self.ledger.borrow_mut();
        let message = Message::numbered(ledger.seed, id, number);
        match message.is(event) {
            None => return 0,
            Some(true) => {}
            Some(false) => ledger.fault(format!(
                "the server received something else than message {number} of {id:?}"
            )),
        }
        ledger.tally.count("messages received by the server");
        let message = match self.plant {
            Some(Plant::SwappedEchoes) if number == 5 => Message::numbered(ledger.seed, id, 6),
            _ => message,
        };
        // Echoed differently than it was sent: what was in fragments in one frame, and the reverse. The first reply to an
        // event is always accepted, and a second one only below the limit.
        let has_space = sender.buffered_amount() + message.payload.len() + 14 < MAX_BUFFERED;
        let sent = match (message.split, event) {
            (None, _) if has_space => {
                let (first, rest) = message.payload.split_at(message.payload.len() / 3);
                let first = sender.send_fragment(message.kind, first, Fin::More);
                first.and_then(|()| sender.send_fragment(message.kind, rest, Fin::Last))
            }
            (_, Event::Text(text)) => sender.send_text(text),
            _ => sender.send_binary(&message.payload),
        };
        match sent {
            // Its end will say why.
            Ok(()) | Err(SendError::NotOpen) => {}
            Err(error) => ledger.fault(format!(
                "the server cannot echo message {number} of {id:?}: {error}"
            )),
        }
        1
    }
}

/// Counts the tasks that have not ended.
struct Task(Shared);

impl Task {
    fn new(ledger: &Shared) -> Self {
        ledger.borrow_mut().tasks += 1;
        Self(ledger.clone())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.borrow_mut().tasks -= 1;
    }
}
