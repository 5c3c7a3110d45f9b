//! The connection of this process to the others: Redis pub/sub.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use embedding_tokio::Backoff;
use embedding_tokio::websocket_proto::{Entropy, OsEntropy};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub, PubSubStream};
use redis::{AsyncConnectionConfig, Pipeline};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::room::{Post, Room};

const CHANNEL: &str = "websocket-proto-room";
const HEARTBEAT: Duration = Duration::from_secs(1);
/// So many heartbeats in a row do not come back from a connection that is dead.
const LOST_HEARTBEATS: u32 = 5;
/// How long Redis may take to connect, to subscribe, or to reply.
const TIMEOUT: Duration = Duration::from_secs(5);
const BATCH: usize = 256;

type Failure = Box<dyn Error + Send + Sync>;

/// What a process publishes: `PROCESS SERIAL t MICROS` for a heartbeat, `PROCESS SERIAL m MEMBER NUMBER BODY`.
struct Outbox {
    process: String,
    /// Counts everything that is published, so that the others notice what they miss.
    serial: u64,
    posts: mpsc::Receiver<Post>,
    /// The posts that were published without a reply so far.
    in_flight: Vec<Post>,
}

struct Heartbeats {
    /// The origin of their times.
    start: Instant,
    /// How many were published since the last one that came back.
    unheard: AtomicU32,
}

/// The last serial number of each process, and when it was received.
type Heard = HashMap<String, (u64, Instant)>;

/// Connects to Redis, and publishes the posts, for as long as the process runs.
pub async fn run(room: Arc<Room>, redis: redis::Client, posts: mpsc::Receiver<Post>) {
    let mut random = [0; 4];
    OsEntropy.fill(&mut random);
    let process = format!("{:08x}", u32::from_ne_bytes(random));
    let (mut heard, serial, in_flight) = (Heard::new(), 0, Vec::new());
    let mut outbox = Outbox {
        process: process.clone(),
        serial,
        posts,
        in_flight,
    };
    let heartbeats = Heartbeats {
        start: Instant::now(),
        unheard: AtomicU32::new(0),
    };
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        match open(&redis).await {
            Ok((publisher, subscription)) => {
                backoff.reset();
                heartbeats.unheard.store(0, Relaxed);
                room.connected();
                let (_sink, messages) = subscription.split();
                let result = tokio::select! {
                    result = publish(publisher, &room, &mut outbox, &heartbeats) => result,
                    result = receive(messages, &room, &process, &mut heard, &heartbeats) => result,
                };
                eprintln!(
                    "redis: {}",
                    result
                        .err()
                        .unwrap_or_else(|| "the subscription has ended".into())
                );
                room.disconnected();
                outbox.fail(&room);
            }
            Err(error) => eprintln!("redis: {error}"),
        }
        sleep(backoff.delay()).await;
    }
}

async fn open(redis: &redis::Client) -> Result<(MultiplexedConnection, PubSub), Failure> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    let publisher = redis
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let mut subscription = timeout(TIMEOUT, redis.get_async_pubsub()).await??;
    timeout(TIMEOUT, subscription.subscribe(CHANNEL)).await??;
    Ok((publisher, subscription))
}

impl Outbox {
    /// Reports what becomes of the posts now that Redis is lost.
    fn fail(&mut self, room: &Room) {
        self.in_flight.drain(..).for_each(|post| room.unknown(&post));
        while let Ok(post) = self.posts.try_recv() {
            room.refuse(&post);
        }
    }

    fn add(&mut self, pipe: &mut Pipeline, rest: &str) {
        self.serial += 1;
        let text = format!("{} {} {rest}", self.process, self.serial);
        pipe.cmd("PUBLISH").arg(CHANNEL).arg(text).ignore();
    }
}

async fn publish(
    mut publisher: MultiplexedConnection,
    room: &Room,
    outbox: &mut Outbox,
    heartbeats: &Heartbeats,
) -> Result<(), Failure> {
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut pipe = redis::pipe();
        tokio::select! {
            biased;
            due = heartbeat.tick() => {
                room.lagged("a heartbeat was published late", due.elapsed());
                if heartbeats.unheard.fetch_add(1, Relaxed) >= LOST_HEARTBEATS {
                    return Err("heartbeats do not come back".into());
                }
                outbox.add(&mut pipe, &format!("t {}", heartbeats.start.elapsed().as_micros()));
            }
            _ = outbox.posts.recv_many(&mut outbox.in_flight, BATCH) => {
                let texts: Vec<_> = outbox.in_flight.iter().map(Post::to_string).collect();
                texts.iter().for_each(|text| outbox.add(&mut pipe, text));
            }
        }
        pipe.query_async::<()>(&mut publisher).await?;
        outbox.in_flight.clear();
    }
}

async fn receive(
    mut messages: PubSubStream,
    room: &Room,
    process: &str,
    heard: &mut Heard,
    heartbeats: &Heartbeats,
) -> Result<(), Failure> {
    while let Some(message) = messages.next().await {
        let text: String = message.get_payload()?;
        let mut parts = text.splitn(4, ' ');
        let (Some(sender), Some(serial), Some(kind), Some(rest)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("a foreign message in the channel {CHANNEL}").into());
        };
        note(room, heard, sender, serial.parse()?);
        if kind == "m" {
            room.stats.said.fetch_add(1, Relaxed);
            room.say(&format!("said {sender}-{rest}"));
            // A large room takes a while, and what is to be published does not wait for all that has arrived.
            yield_now().await;
        } else if sender == process {
            heartbeats.unheard.store(0, Relaxed);
            let published = Duration::from_micros(rest.parse()?);
            room.lagged(
                "a heartbeat came back late",
                heartbeats.start.elapsed().saturating_sub(published),
            );
            // A process that was silent for a minute has ended.
            heard.retain(|_, (_, at)| at.elapsed() < Duration::from_secs(60));
        }
    }
    Ok(())
}

/// Notes a serial number, and reports those that are missing before it.
fn note(room: &Room, heard: &mut Heard, sender: &str, serial: u64) {
    let now = Instant::now();
    match heard.get_mut(sender) {
        Some((last, at)) => {
            let missing = serial.saturating_sub(*last + 1);
            (*last, *at) = (serial, now);
            if missing > 0 {
                eprintln!("missed {missing} messages of process {sender}");
                room.missed(missing);
            }
        }
        None => _ = heard.insert(sender.to_owned(), (serial, now)),
    }
}
