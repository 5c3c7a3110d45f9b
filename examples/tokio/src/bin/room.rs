//! A chat room behind axum: everyone gets every message, including its sender.
//!
//!     cargo run --release -p embedding-tokio --bin embedding-room -- [ADDR]
//!
//! A client that does not read the messages is closed with 1013, and dropped if it does not read that either. Ctrl-C
//! closes all connections with 1001, and waits for them.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use embedding_tokio::{
    Close, CloseCode, Config, End, EndpointConfig, Event, Message, Prepared, SendError, Upgrade, WebSocket,
    Writer,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const CONFIG: Config = Config::new();

type Socket = WebSocket<TokioIo<Upgraded>>;
type Clients = HashMap<u64, Writer<TokioIo<Upgraded>>>;

/// The clients in the room; `None` once it is closed.
struct Room {
    clients: Mutex<Option<Clients>>,
    next_id: AtomicU64,
    /// Dropped with the room, when the last client has left.
    _open: mpsc::Sender<()>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let (open, mut all_gone) = mpsc::channel(1);
    let room = Arc::new(Room {
        clients: Mutex::new(Some(Clients::new())),
        next_id: AtomicU64::new(0),
        _open: open,
    });
    let app = Router::new().route("/", any(enter)).with_state(room.clone());
    let shutdown = async move {
        _ = tokio::signal::ctrl_c().await;
        room.close();
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await?;
    all_gone.recv().await;
    Ok(())
}

/// Accepts a client, whose connection begins when hyper has sent the response.
async fn enter(State(room): State<Arc<Room>>, request: Request) -> Result<Response, Response> {
    let upgrade = Upgrade::from_http(&CONFIG, &request, None)
        .map_err(|error| error.to_http().map(|()| Body::from(format!("{error}\n"))))?;
    if upgrade.origin().is_some() && !upgrade.is_same_origin() {
        return Err((StatusCode::FORBIDDEN, "foreign origin\n").into_response());
    }
    let (response, connection) = upgrade
        .accept_http()
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
    let upgraded = hyper::upgrade::on(request); // after `accept_http`, as `upgrade` borrows the request
    tokio::spawn(async move {
        match upgraded.await {
            Ok(stream) => {
                let socket = WebSocket::open(TokioIo::new(stream), connection, &EndpointConfig::new());
                eprintln!("{}", room.serve(socket).await);
            }
            Err(error) => eprintln!("upgrade: {error}"),
        }
    });
    Ok(response.map(|()| Body::empty()))
}

impl Room {
    /// Serves one client, and reports how the connection ended.
    async fn serve(&self, socket: Socket) -> String {
        let (mut reader, writer) = socket.split();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        match &mut *self.clients() {
            Some(clients) => _ = clients.insert(id, writer),
            None => _ = writer.try_send(going_away()),
        }
        while let Some(event) = reader.next().await {
            match event {
                Event::Text(text) => self.say(Prepared::text(&text)),
                Event::Binary(payload) => self.say(Prepared::binary(&payload)),
                _ => {}
            }
        }
        self.clients().as_mut().and_then(|clients| clients.remove(&id));
        reader.with_end(End::to_string).unwrap_or_default()
    }

    /// Queues a message for all without waiting: a client with too much buffered output is closed.
    fn say(&self, message: Prepared) {
        let message = Message::from(Arc::new(message));
        for client in self.clients().iter().flat_map(HashMap::values) {
            if let Err(SendError::Full { .. }) = client.try_send(message.clone()) {
                _ = client.try_send(Close::new(CloseCode::TRY_AGAIN_LATER, "too slow"));
            }
        }
    }

    fn close(&self) {
        for client in self.clients().take().iter().flat_map(HashMap::values) {
            _ = client.try_send(going_away());
        }
    }

    fn clients(&self) -> MutexGuard<'_, Option<Clients>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn going_away() -> Close<'static> {
    Close::new(CloseCode::GOING_AWAY, "shutting down")
}
