//! A page, an API and a WebSocket on one port, with hyper.
//!
//!     cargo run --release -p embedding-hyper -- [ADDR]
//!
//! Open the address that it prints. hyper reads the requests. For one that `Upgrade` accepts it sends the
//! response and then hands over the socket, which is a transport as any other: what is left is a `Connection`
//! and a loop.

use std::env;
use std::error::Error;
use std::future::ready;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::http::{self, Method, Request, Response, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use websocket_proto::handshake::Upgrade;
use websocket_proto::{CloseCode, Config, Connection, Event, Transport};

/// For a request to arrive, and for the closing handshake, each in total.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a client that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For a client to say nothing at all.
const IDLE_TIME: Duration = Duration::from_secs(10 * 60);
/// For the client to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much is read at a time, and how much output is gathered before it is written.
const BUFFER_SIZE: usize = 16 * 1024;

const CONFIG: Config = Config::new();
const PAGE: &str = include_str!("page.html");

type Failure = Box<dyn Error + Send + Sync>;

/// What the API tells.
#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9003".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let counts = Arc::new(Counts::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        _ = stream.set_nodelay(true);
        let counts = counts.clone();
        let service = service_fn(move |request| ready(answer(request, &counts)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HANDSHAKE_TIME)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// All that this server has.
fn answer(request: Request<Incoming>, counts: &Arc<Counts>) -> http::Result<Response<Full<Bytes>>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => respond(200, "text/html; charset=utf-8", PAGE),
        (&Method::GET | &Method::HEAD, "/api/counts") => respond(200, "application/json", counts.to_json()),
        (_, "/echo") => upgrade(request, counts.clone()),
        _ => respond(404, "text/plain", "not found\n"),
    }
}

fn respond(status: u16, kind: &str, body: impl Into<Bytes>) -> http::Result<Response<Full<Bytes>>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .body(Full::new(body.into()))
}

/// Accepts a WebSocket, which begins when hyper has sent the response.
fn upgrade(request: Request<Incoming>, counts: Arc<Counts>) -> http::Result<Response<Full<Bytes>>> {
    let upgrade = match Upgrade::from_http(&CONFIG, &request, None) {
        Ok(upgrade) => upgrade,
        Err(error) => return Ok(error.to_http().map(|()| format!("{error}\n").into())),
    };
    // Browsers say from which page a connection comes; other programs need not.
    if upgrade.origin().is_some() && !upgrade.is_same_origin() {
        return respond(403, "text/plain", "foreign origin\n");
    }
    let (response, connection) = upgrade.accept_http()?;
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        counts.connections.fetch_add(1, Relaxed);
        match upgraded.await {
            Ok(stream) => eprintln!("{}", serve(TokioIo::new(stream), connection, &counts).await),
            Err(error) => eprintln!("upgrade: {error}"),
        }
        counts.connections.fetch_sub(1, Relaxed);
    });
    Ok(response.map(|()| Full::default()))
}

/// The open connection, first byte to last. Says how it ended.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut connection: Connection,
    counts: &Counts,
) -> String {
    let result = echo(&mut stream, &mut connection, counts).await;
    let end = connection.receive_eof();
    match result {
        Ok(()) => end.to_string(),
        Err(error) => format!("{end} ({error})"),
    }
}

/// Sends back what comes, until the transport is to be closed.
async fn echo(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    connection: &mut Connection,
    counts: &Counts,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut out = Vec::new();
    let mut input: &mut [u8] = &mut [];
    let mut deadline = Instant::now();
    loop {
        // An error ends this loop too: the Close that tells the peer is in `out`, and `receive_eof` tells us.
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            match event {
                _ if connection.transport() != Transport::Open => {} // nothing follows our Close
                Event::Text(text) => {
                    counts.add(text.len());
                    connection.send_text(&text, &mut out)?;
                }
                Event::Binary(payload) => {
                    counts.add(payload.len());
                    connection.send_binary(&payload, &mut out)?;
                }
                _ => {} // what a Ping or a Close is answered with is in `out`
            }
            if out.len() > BUFFER_SIZE {
                write(stream, &mut out).await?;
            }
        }
        write(stream, &mut out).await?;
        match connection.transport() {
            Transport::Open => deadline = Instant::now() + IDLE_TIME,
            Transport::AwaitPeer => {} // a byte now and then does not prolong it
            Transport::Close => return linger(stream, &mut buffer).await,
        }
        match timeout_at(deadline, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => return Ok(()),
            Ok(size) => input = &mut buffer[..size?],
            Err(late) if connection.transport() == Transport::AwaitPeer => return Err(late.into()),
            Err(_) => {
                connection.close(CloseCode::GOING_AWAY, "idle", &mut out)?;
                deadline = Instant::now() + HANDSHAKE_TIME;
                input = &mut [];
            }
        }
    }
}

/// Writes all of `out` and empties it. What a large message took is given back.
async fn write(stream: &mut (impl AsyncWrite + Unpin), out: &mut Vec<u8>) -> io::Result<()> {
    let mut rest = &out[..];
    while !rest.is_empty() {
        match timeout(WRITE_TIME, stream.write(rest)).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            size => rest = &rest[size..],
        }
    }
    timeout(WRITE_TIME, stream.flush()).await??;
    out.clear();
    out.shrink_to(BUFFER_SIZE);
    Ok(())
}

/// Ends our direction, then waits for the end of the client's. A socket that is closed with bytes unread is
/// reset, and the reset may overtake what was written last.
async fn linger(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    buffer: &mut [u8],
) -> Result<(), Failure> {
    stream.shutdown().await?;
    _ = timeout(LINGER_TIME, async {
        while stream.read(buffer).await.is_ok_and(|size| size > 0) {}
    })
    .await;
    Ok(())
}

impl Counts {
    fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn to_json(&self) -> String {
        let [connections, messages, bytes] =
            [&self.connections, &self.messages, &self.bytes].map(|count| count.load(Relaxed));
        format!(r#"{{"connections":{connections},"messages":{messages},"bytes":{bytes}}}"#)
    }
}
