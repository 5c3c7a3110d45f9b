//! The server: a page, and an echo for clients that use extended CONNECT.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use h2::server::{Builder, SendResponse};
use http::{Method, Request, Response, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use websocket_proto::handshake::Upgrade;
use websocket_proto::{Config, Event};

use crate::stream::{self, Stream, carry};
use crate::{Failure, HANDSHAKE_TIME, MAX_STREAMS, WINDOW_SIZE, tls};

const CONFIG: Config = Config::new();
const PAGE: &[u8] = include_bytes!("page.html");

/// Serves over TLS if there is a file for the certificate.
pub async fn run(address: &str, certificate: Option<&Path>) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    let acceptor = certificate.map(tls::acceptor).transpose()?;
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
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
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let served = match acceptor {
                None => serve(stream).await,
                Some(acceptor) => match timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream).await,
                    Ok(Err(error)) => Err(error.into()),
                    Err(late) => Err(late.into()),
                },
            };
            if let Err(error) = served {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Serves one HTTP/2 connection, each of its requests in a task.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failure> {
    let handshake = Builder::new()
        .enable_connect_protocol() // the setting that allows clients to use extended CONNECT
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(16 * 1024)
        .initial_window_size(WINDOW_SIZE)
        .initial_connection_window_size(MAX_STREAMS * WINDOW_SIZE)
        .handshake(stream);
    let mut http = timeout(HANDSHAKE_TIME, handshake).await??;
    while let Some(request) = http.accept().await {
        let (request, respond) = request?;
        tokio::spawn(async move {
            let stream = respond.stream_id();
            match answer(request, respond).await {
                Ok(what) => eprintln!("stream {}: {what}", stream.as_u32()),
                Err(error) => eprintln!("stream {}: {error}", stream.as_u32()),
            }
        });
    }
    Ok(())
}

/// Responds to a request. Returns what was done.
async fn answer(request: Request<RecvStream>, respond: SendResponse<Bytes>) -> Result<String, Failure> {
    match (request.method(), request.uri().path()) {
        (&Method::CONNECT, _) | (_, "/echo") => open(request, respond).await,
        (&Method::GET, "/") => {
            let html = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
            reply(respond, html.body(())?, PAGE)
        }
        _ => reply(respond, Response::builder().status(404).body(())?, "not found\n"),
    }
}

/// Opens a connection if the request asks for one, and echoes its messages.
async fn open(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<String, Failure> {
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let upgrade = match Upgrade::from_http(&CONFIG, &request, protocol) {
        Ok(upgrade) => upgrade,
        Err(error) => return reply(respond, error.to_http(), format!("{error}\n")),
    };
    // Browsers send the origin of the page; other programs may not.
    let is_foreign = upgrade.origin().is_some() && !upgrade.is_same_origin();
    let refusal = match upgrade.path() {
        "/echo" if request.body().is_end_stream() => Some((400, "the stream has ended\n")),
        "/echo" if is_foreign => Some((403, "foreign origin\n")),
        "/echo" => None,
        _ => Some((404, "not found\n")),
    };
    if let Some((status, why)) = refusal {
        return reply(respond, Response::builder().status(status).body(())?, why);
    }
    let (response, connection) = upgrade.accept_http()?;
    let stream = Stream {
        send: respond.send_response(response, false)?,
        receive: request.into_body(),
    };
    let (mut endpoint, clock) = stream::open(connection);
    let (mut messages, mut bytes) = (0, 0);
    carry(&mut endpoint, clock, stream, |event, mut sender| {
        let (sent, size) = match event {
            Event::Text(text) => (sender.send_text(&text), text.len()),
            Event::Binary(payload) => (sender.send_binary(&payload), payload.len()),
            _ => return, // the endpoint replies to Pings and Closes
        };
        if sent.is_ok() {
            messages += 1;
            bytes += size;
        }
    })
    .await;
    Ok(format!(
        "{messages} messages, {bytes} bytes, {}",
        endpoint.into_end()
    ))
}

/// Any other response.
fn reply(
    mut respond: SendResponse<Bytes>,
    response: Response<()>,
    body: impl Into<Bytes>,
) -> Result<String, Failure> {
    let status = response.status();
    let mut send = respond.send_response(response, false)?;
    send.send_data(body.into(), true)?;
    Ok(status.to_string())
}
