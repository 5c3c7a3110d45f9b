//! A page, an API and a WebSocket on one port, with hyper.
//!
//!     cargo run --release -p embedding-hyper -- [ADDR]
//!
//! Open the address that it prints. hyper reads the requests. If `Upgrade` accepts one, hyper sends the response and
//! then hands over the socket, which is a transport like any other: the library in `examples/tokio` drives an endpoint
//! on it that is open from the start.

use std::env;
use std::error::Error;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use embedding_tokio::{Config, EndpointConfig, Event, Upgrade, WebSocket};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::http::{self, Method, Request, Response, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// The timeout of a request. After that, the endpoint's deadlines apply.
const REQUEST_TIME: Duration = Duration::from_secs(10);
const CONFIG: Config = Config::new();
const PAGE: &str = include_str!("page.html");

type Failure = Box<dyn Error + Send + Sync>;

/// What the API reports.
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
            .header_read_timeout(REQUEST_TIME)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Responds to a request.
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

/// Accepts a WebSocket connection, which begins after hyper has sent the response.
fn upgrade(request: Request<Incoming>, counts: Arc<Counts>) -> http::Result<Response<Full<Bytes>>> {
    let upgrade = match Upgrade::from_http(&CONFIG, &request, None) {
        Ok(upgrade) => upgrade,
        Err(error) => return Ok(error.to_http().map(|()| format!("{error}\n").into())),
    };
    // Browsers send the origin of the page; other programs may not.
    if upgrade.origin().is_some() && !upgrade.is_same_origin() {
        return respond(403, "text/plain", "foreign origin\n");
    }
    let (response, connection) = upgrade.accept_http()?;
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        counts.connections.fetch_add(1, Relaxed);
        match upgraded.await {
            Ok(stream) => {
                let mut socket = WebSocket::open(TokioIo::new(stream), connection, &EndpointConfig::new());
                echo(&mut socket, &counts).await;
                eprintln!("{}", socket.into_end());
            }
            Err(error) => eprintln!("upgrade: {error}"),
        }
        counts.connections.fetch_sub(1, Relaxed);
    });
    Ok(response.map(|()| Full::default()))
}

/// Echoes messages. The endpoint replies to Pings and Closes.
async fn echo(socket: &mut WebSocket<TokioIo<Upgraded>>, counts: &Counts) {
    while socket.ready().await {
        let mut events = socket.events();
        while let Some((event, mut sender)) = events.next() {
            // A client that is closing gets no more messages, so this error is ignored.
            _ = match event {
                Event::Text(text) => {
                    counts.add(text.len());
                    sender.send_text(&text)
                }
                Event::Binary(payload) => {
                    counts.add(payload.len());
                    sender.send_binary(&payload)
                }
                _ => Ok(()),
            };
        }
    }
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
