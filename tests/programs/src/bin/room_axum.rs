//! A chat room behind axum: `examples/tokio/src/bin/room.rs` with axum's own WebSocket.
//!
//!     room_axum [ADDR]
//!
//! Duties of both: everyone gets every message, including its sender; pages of other origins are rejected; messages of up
//! to 1 MiB; a client that does not read is closed with 1013 while the others do not wait, and dropped if it does not read
//! that either; what waits for it is bounded; Pings, and the end of a connection to a client that does not reply; Ctrl-C
//! closes all with 1001 and waits for them; a log of how each connection ended.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many messages a client may be late.
const CAPACITY: usize = 16;
const PING_INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Room {
    messages: broadcast::Sender<Message>,
    closing: CancellationToken,
    clients: TaskTracker,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let room = Room {
        messages: broadcast::Sender::new(CAPACITY),
        closing: CancellationToken::new(),
        clients: TaskTracker::new(),
    };
    let app = Router::new().route("/", any(enter)).with_state(room.clone());
    let closing = room.closing.clone();
    let shutdown = async move {
        _ = tokio::signal::ctrl_c().await;
        closing.cancel();
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await?;
    room.clients.close();
    room.clients.wait().await;
    Ok(())
}

async fn enter(State(room): State<Room>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if is_foreign(&headers) {
        return (StatusCode::FORBIDDEN, "foreign origin\n").into_response();
    }
    let client = room.clients.token();
    let upgrade = upgrade.max_message_size(1 << 20);
    upgrade.on_upgrade(async move |mut socket| {
        let end = serve(&mut socket, &room).await;
        eprintln!("{}", end.unwrap_or_else(|error| error.to_string()));
        drop(client);
    })
}

/// Whether a browser says that the page is from another host. Other clients need not send an origin.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST);
    text(ORIGIN).is_some_and(|origin| origin.split_once("://").map(|(_scheme, own)| own) != host)
}

/// Serves one client, and reports how the connection ended.
async fn serve(socket: &mut WebSocket, room: &Room) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut messages = room.messages.subscribe();
    let (mut ping, mut heard) = (interval(PING_INTERVAL), Instant::now());
    let (code, reason) = loop {
        let message = tokio::select! {
            received = socket.recv() => {
                heard = Instant::now();
                match received.ok_or("the connection ended")?? {
                    Message::Close(close) => {
                        _ = timeout(TIMEOUT, socket.recv()).await; // writes the reply
                        return Ok(format!("closed by the client: {close:?}"));
                    }
                    Message::Ping(_) | Message::Pong(_) => {}
                    message => _ = room.messages.send(message),
                }
                continue;
            }
            message = messages.recv() => match message {
                Ok(message) => message,
                Err(_lagged) => break (close_code::AGAIN, "too slow".into()),
            },
            _ = ping.tick() => {
                if heard.elapsed() > PING_INTERVAL * 3 / 2 {
                    return Err("the client does not reply".into());
                }
                Message::Ping(Bytes::new())
            }
            _ = room.closing.cancelled() => break (close_code::AWAY, "shutting down".into()),
        };
        let sent = timeout(TIMEOUT, socket.send(message)).await;
        sent.map_err(|_| "the client does not read")??;
    };
    let close = Message::Close(Some(CloseFrame { code, reason }));
    let closing = async {
        socket.send(close).await?;
        while let Some(message) = socket.recv().await {
            message?;
        }
        Ok(format!("closed with {code}"))
    };
    timeout(TIMEOUT, closing).await?
}
