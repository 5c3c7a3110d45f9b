//! A chat room over several processes: each serves its own members, and Redis publishes every message to all processes.
//!
//!     cargo run --release -p embedding-cluster -- REDIS_URL [ADDR]
//!
//! such as `redis://127.0.0.1:6379`. A member sends texts, and receives texts that begin with a word:
//!
//! | text | says |
//! |---|---|
//! | `said NAME NUMBER BODY` | the member NAME of any process sent BODY, as its message with this number, counted from 0 |
//! | `refused NUMBER` | your message was not sent to anyone |
//! | `unknown NUMBER` | your message may have been sent: Redis failed before it replied |
//! | `away` | this process has lost Redis: until `back` you may miss messages, and yours are refused |
//! | `back` | this process is subscribed again |
//! | `missed COUNT` | up to this many messages and heartbeats of another process were not received, or not published |
//!
//! `GET /stats` returns the same counts as text. A message is encoded once in each process, as
//! [`Prepared`](embedding_tokio::Prepared), and written to each member without waiting.
//!
//! # What is guaranteed
//!
//! - **Order.** Every member receives the messages of one sender in the order in which they were sent, none twice: a
//!   member's task passes them to the one publisher of its process, Redis executes its commands one after the other, and
//!   each process has one subscription. While nothing fails, none is missing.
//! - **Receipt.** A message that comes back to its sender was delivered to every process that was subscribed then.
//! - **A process that dies** loses its own connections, and of its members' messages those not yet published. The others
//!   lose nothing.
//! - **Redis that goes away** costs no connection. Each process says `away`, refuses what cannot be published,
//!   reconnects with a backoff, subscribes, and says `back`. Messages published before are delivered, those after every
//!   process is back as well. In between each is delivered, refused, unknown, or lost to the members of processes that
//!   are not yet back, which then say `missed`.
//! - **A member that does not read** is closed with 1013 when [`MAX_BUFFERED`] bytes wait for it, and dropped if it does
//!   not read that within the write timeout. Others do not wait for it.
//! - **A process that is slow** reports it. It publishes a heartbeat each second, and measures how late it is published,
//!   and how long it takes to come back behind all other messages: more than [`room::LAG`] is a line on the standard error
//!   output, and `/stats` has the longest. If heartbeats do not come back, the process reconnects.
//!
//! # What is not
//!
//! Pub/sub stores nothing: a message lost is lost, so use Redis streams if members have to catch up. Redis keeps the
//! output for a subscriber that does not read up to `client-output-buffer-limit pubsub`, by default 32 MiB, or 8 MiB for
//! 60 seconds, and then closes its connection: such a process is `away` for a moment and reports what it missed
//! (<https://redis.io/docs/latest/develop/reference/clients/>). The crate `redis` reads a subscription into a queue
//! without a limit, so a process that reads but cannot keep up grows instead: watch the lag. There are no accounts,
//! rooms, TLS or checks of the origin.

mod bus;
mod room;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use embedding_tokio::{Config, EndpointConfig, Event, Incoming};
use room::Room;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How many bytes may wait for a member.
pub const MAX_BUFFERED: usize = 256 * 1024;

/// How many messages may wait to be published; more are refused.
const MAX_POSTS: usize = 4096;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let redis = args.next().ok_or("usage: embedding-cluster REDIS_URL [ADDR]")?;
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let redis = redis::Client::open(redis)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let (outbox, posts) = mpsc::channel(MAX_POSTS);
    let room = Arc::new(Room::new(outbox));
    tokio::spawn(bus::run(room.clone(), redis, posts));
    tokio::select! {
        result = accept(listener, room.clone()) => result?,
        _ = tokio::signal::ctrl_c() => {}
    }
    room.close();
    // The reading halves write the Closes, and wait for those of the members.
    tokio::time::timeout(Duration::from_secs(5), room.empty()).await?;
    Ok(())
}

async fn accept(listener: TcpListener, room: Arc<Room>) -> std::io::Result<()> {
    let config = Config::new().max_message_size(64 * 1024);
    let config = Arc::new(
        EndpointConfig::new()
            .connection(config)
            .max_buffered(MAX_BUFFERED),
    );
    loop {
        match listener.accept().await {
            Ok((stream, _)) => _ = tokio::spawn(serve(stream, config.clone(), room.clone())),
            // Such as too many open files, which passes when members leave.
            Err(error) => {
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one member, until its connection ends.
async fn serve(stream: TcpStream, config: Arc<EndpointConfig>, room: Arc<Room>) {
    _ = stream.set_nodelay(true);
    let Ok(incoming) = Incoming::read(stream, &config).await else {
        return;
    };
    if incoming.request().path() == "/stats" {
        incoming
            .reject(200, &[("Content-Type", "text/plain")], room.stats().as_bytes())
            .await;
        return;
    }
    let Ok(socket) = incoming.accept().await else {
        return;
    };
    let (mut reader, writer) = socket.split();
    let id = room.join(writer);
    let mut number = 0;
    while let Some(event) = reader.next().await {
        if let Event::Text(text) = event {
            room.post(id, number, text.to_string());
            number += 1;
        }
    }
    room.leave(id);
}
