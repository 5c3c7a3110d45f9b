//! The programs of this package, run as a user runs them, on the loopback interface.
#![cfg(all(feature = "axum", feature = "tls"))]

use std::error::Error;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use embedding_tokio::{
    ClientRequest, ClientStream, CloseCode, Config, EndpointConfig, Event, WebSocket, accept, client, connect,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const ROOM: &str = env!("CARGO_BIN_EXE_embedding-room");
const FEED: &str = env!("CARGO_BIN_EXE_embedding-feed");
const TUNNEL: &str = env!("CARGO_BIN_EXE_embedding-tunnel");
const PATIENCE: Duration = Duration::from_secs(30);

/// A feed reconnects after longer and longer delays, and after short ones once a connection has worked.
#[tokio::test]
async fn feed_reconnects_with_backoff() -> Result {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let file = std::env::temp_dir().join(format!("embedding-feed-{}.pem", std::process::id()));
    std::fs::write(&file, cert.pem())?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key)?;
    let tls = TlsAcceptor::from(Arc::new(tls));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("wss://localhost:{}/", listener.local_addr()?.port());
    let mut feed = Command::new(FEED)
        .args([&url, file.to_str().ok_or("not UTF-8")?])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(feed.stdout.take().ok_or("no output")?).lines();
    let mut delays = Vec::new();
    let mut ended = Instant::now();
    for good in [true, false, false, true, true] {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
        delays.push(ended.elapsed());
        if !good {
            ended = Instant::now();
            continue; // during the TLS handshake
        }
        let mut socket = accept(tls.accept(stream).await?, &EndpointConfig::new())
            .await
            .map_err(|end| end.to_string())?;
        socket.send("a line").await?;
        socket.flush().await?;
        let line = timeout(PATIENCE, lines.next_line()).await??;
        assert_eq!(line.as_deref(), Some("a line"));
        ended = Instant::now();
        match delays.len() {
            1 => drop(socket), // like a server that crashes
            _ => _ = socket.close(CloseCode::SERVICE_RESTART, "").await?,
        }
    }
    std::fs::remove_file(file)?;
    // Each is a random part, at least half, of the full delay: 0.5 s, 1 s, 2 s, and 0.5 s again after a line was
    // received.
    let [_, first, second, third, again] = delays[..] else {
        panic!("{delays:?}");
    };
    let at_least = |delay: Duration, millis| delay >= Duration::from_millis(millis);
    assert!(
        at_least(first, 240) && at_least(second, 490) && at_least(third, 990),
        "{delays:?}"
    );
    assert!(at_least(again, 240) && again < third, "{delays:?}");
    Ok(())
}

/// Everyone gets every message. A client that does not read is closed, or dropped if it does not read that either,
/// while the others do not wait; at the end, all get 1001.
#[tokio::test(flavor = "multi_thread")]
async fn room_drops_a_slow_reader_and_closes_all() -> Result {
    let (mut room, address) = start(ROOM, &["127.0.0.1:0"]).await?;
    let mut log = room.stderr.take().ok_or("no log")?;
    let (mut speaker, mut listener) = (enter(address).await?, enter(address).await?);
    let mut slow = enter_with_little_space(address).await?; // does not read until it is too late
    let _dead = enter_with_little_space(address).await?; // never reads, and the room ends all the same
    let message = vec![7; 100_000];
    // More than fits in the sockets and the output limit.
    for _ in 0..80 {
        speaker.send(&message[..]).await?;
        for client in [&mut speaker, &mut listener] {
            let event = timeout(PATIENCE, client.next()).await?;
            assert_eq!(event, Some(Event::Binary(message.clone().into())));
        }
    }
    // It was closed meanwhile: what it still has to read ends with 1013.
    let mut events = 0;
    let code = loop {
        match timeout(PATIENCE, slow.next()).await? {
            Some(Event::Binary(_)) => events += 1,
            Some(Event::Close(close)) => break close.code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, Some(CloseCode::TRY_AGAIN_LATER));
    assert!(events < 80, "{events} of 80 messages");
    assert_eq!(timeout(PATIENCE, slow.next()).await?, None); // its reply is written

    let pid = room.id().ok_or("it has ended")?.to_string();
    Command::new("kill").args(["-INT", &pid]).status().await?;
    for mut client in [speaker, listener] {
        match timeout(PATIENCE, client.next()).await? {
            Some(Event::Close(close)) => assert_eq!(close.code, Some(CloseCode::GOING_AWAY)),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.next().await, None);
        assert!(client.into_end().is_clean());
    }
    assert!(timeout(PATIENCE, room.wait()).await??.success());
    // The server saw which of the two got its 1013.
    let mut ends = String::new();
    log.read_to_string(&mut ends).await?;
    let ends: Vec<_> = ends.lines().collect();
    let slow = "closed locally, clean, sent 1013, received 1013";
    let dead = "peer did not read, not clean, 1013 not written";
    assert!(ends.contains(&slow) && ends.contains(&dead), "{ends:?}");
    Ok(())
}

/// The page of another origin is rejected (RFC 6455 section 10.2), and so is a request that is not for WebSocket.
#[tokio::test]
async fn room_is_closed_to_other_origins() -> Result {
    let (_room, address) = start(ROOM, &["127.0.0.1:0"]).await?;
    let request = ClientRequest::from_url(&format!("ws://{address}/"))?.with_origin("https://example.com")?;
    let error = connect(request, &EndpointConfig::new())
        .await
        .expect_err("it is foreign");
    assert_eq!(error.to_string(), "rejected with status 403");
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    assert!(response.starts_with("HTTP/1.1 426 "), "{response}");
    Ok(())
}

/// The bytes and the FIN of each direction arrive while the other continues, and memory does not grow with them.
#[tokio::test(flavor = "multi_thread")]
async fn tunnel_carries_each_direction_to_its_end() -> Result {
    let size: u64 = if cfg!(debug_assertions) {
        128 << 20
    } else {
        1 << 30
    };
    let service = TcpListener::bind("127.0.0.1:0").await?;
    let (far, far_address) = start(
        TUNNEL,
        &["--to", &service.local_addr()?.to_string(), "127.0.0.1:0"],
    )
    .await?;
    let url = format!("ws://{far_address}/");
    let (near, near_address) = start(TUNNEL, &["--through", &url, "127.0.0.1:0"]).await?;
    let both = async || -> Result<(TcpStream, TcpStream)> {
        let client = TcpStream::connect(near_address).await?;
        Ok((client, timeout(PATIENCE, service.accept()).await??.0))
    };
    let (client, server) = both().await?;
    carry(client, server, size, Duration::from_millis(500)).await?;
    let (client, server) = both().await?;
    carry(server, client, size, Duration::from_millis(500)).await?;
    // A service that pauses for longer than an endpoint waits by default for a peer that does not read.
    let (client, server) = both().await?;
    carry(client, server, 64 << 20, Duration::from_secs(12)).await?;
    for tunnel in [far, near] {
        let memory = peak_memory(&tunnel)?;
        assert!(memory < 16 << 10, "{memory} KiB");
        println!("{size} bytes each way through {memory} KiB");
    }
    Ok(())
}

/// One side sends much and ends its direction; the other pauses, reads all of it, and only then reports how much it
/// was.
async fn carry(mut from: TcpStream, mut to: TcpStream, size: u64, pause: Duration) -> Result {
    let answering = tokio::spawn(async move {
        tokio::time::sleep(pause).await; // what is sent meanwhile has to wait at the sender
        let received = tokio::io::copy(&mut to, &mut tokio::io::sink()).await?;
        to.write_all(received.to_string().as_bytes()).await?;
        to.shutdown().await
    });
    tokio::io::copy(&mut tokio::io::repeat(7).take(size), &mut from).await?;
    from.shutdown().await?;
    let mut answer = String::new();
    timeout(PATIENCE, from.read_to_string(&mut answer)).await??;
    assert_eq!(answer, size.to_string());
    Ok(answering.await??)
}

/// A reset on one side is a reset on the other, not a FIN that looks like the end of the data.
#[tokio::test]
async fn tunnel_passes_a_reset_on() -> Result {
    let service = TcpListener::bind("127.0.0.1:0").await?;
    let (_far, far_address) = start(
        TUNNEL,
        &["--to", &service.local_addr()?.to_string(), "127.0.0.1:0"],
    )
    .await?;
    let url = format!("ws://{far_address}/");
    let (_near, near_address) = start(TUNNEL, &["--through", &url, "127.0.0.1:0"]).await?;
    let mut stream = TcpStream::connect(near_address).await?;
    let (mut accepted, _) = timeout(PATIENCE, service.accept()).await??;
    accepted.write_all(b"7").await?;
    assert_eq!(timeout(PATIENCE, stream.read_u8()).await??, b'7');
    accepted.set_zero_linger()?;
    drop(accepted);
    let read = timeout(PATIENCE, stream.read(&mut [0; 16])).await?;
    assert!(read.is_err(), "{read:?}");
    Ok(())
}

/// The lengths that the documentation states, without comments and empty lines; and one import line for all types.
#[test]
fn programs_are_as_short_as_the_documentation_says() {
    for (program, most) in [
        (include_str!("../src/bin/feed.rs"), 40),
        (include_str!("../src/bin/room.rs"), 110),
    ] {
        let lines = code_lines(program);
        assert!(lines <= most, "{lines} lines, of {most}");
        assert_eq!(program.matches("use embedding_tokio").count(), 1);
        assert!(!program.contains("websocket_proto"));
    }
}

/// The lines of code that the chapter on migrating states, each in the row that starts so.
#[test]
fn programs_have_the_lines_that_the_guide_says() {
    let migrating = include_str!("../../../src/guide/migrating.md");
    let embedding = include_str!("../../../src/guide/embedding.md");
    for (row, code) in [
        ("`echo.rs`", include_str!("../src/bin/echo.rs")),
        ("`feed.rs`", include_str!("../src/bin/feed.rs")),
        ("`room.rs`", include_str!("../src/bin/room.rs")),
        ("`tunnel.rs`", include_str!("../src/bin/tunnel.rs")),
        ("a client on a poll loop", block(embedding, "trait Socket")),
        ("a blocking client", block(migrating, "fn print_all")),
        ("a client on tokio", block(migrating, "async fn ask")),
    ] {
        let lines = code_lines(code);
        let is_right =
            |line: &str| line.starts_with(&format!("| {row}")) && line.ends_with(&format!(" | {lines} |"));
        assert!(migrating.lines().any(is_right), "{row}: {lines} lines");
    }
}

/// The block of code of a chapter that contains `part`.
fn block<'c>(chapter: &'c str, part: &str) -> &'c str {
    let mut blocks = chapter.split("```").skip(1).step_by(2);
    let found = blocks.find(|block| block.contains(part));
    found.expect("the chapter has the block")
}

/// The lines without comments, empty lines, and lines that rustdoc does not show.
fn code_lines(code: &str) -> usize {
    let is_code = |line: &&str| {
        let (line, is_hidden) = (line.trim(), line.starts_with("# ") || *line == "#");
        !line.is_empty() && !line.starts_with("//") && !is_hidden
    };
    code.lines().filter(is_code).count()
}

/// The code in the right column of the chapter on migrating is in one of its blocks, which are compiled and run as
/// doctests of this package. Links are checked by rustdoc.
#[test]
fn code_in_the_tables_of_the_guide_is_compiled() {
    let chapter = include_str!("../../../src/guide/migrating.md");
    let (_, chapter) = chapter
        .split_once("# From tokio-tungstenite")
        .expect("it has this section");
    let mut parts = chapter.split("```"); // text and code by turns
    let (mut text, mut code) = (String::new(), String::new());
    while let Some(part) = parts.next() {
        text += part;
        code += parts.next().unwrap_or_default();
    }
    let mut found = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let here = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        let mut spans = here.split('`').skip(1).step_by(2);
        let links: Vec<_> = here
            .split("[`")
            .skip(1)
            .filter_map(|link| link.split('`').next())
            .collect();
        for span in spans.by_ref().filter(|span| !links.contains(span)) {
            assert!(
                code.contains(span),
                "no block has {span:?}, which is in the row {row}"
            );
            found += 1;
        }
    }
    assert!(found > 20, "the rows are found: {found}");
}

/// Starts a program, and waits until it listens.
async fn start(program: &str, args: &[&str]) -> Result<(Child, SocketAddr)> {
    let mut child = Command::new(program)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    timeout(PATIENCE, output.read_line(&mut line)).await??;
    let address = line
        .trim_end()
        .strip_prefix("listening on ws://")
        .ok_or("it does not listen")?;
    Ok((child, address.parse()?))
}

async fn enter(address: SocketAddr) -> Result<WebSocket<ClientStream>> {
    let config = EndpointConfig::new().connection(Config::new());
    let request = ClientRequest::from_url(&format!("ws://{address}/"))?;
    Ok(connect(request, &config).await?.0)
}

/// Enters with a socket that holds little of what it does not read, so that little has to be sent until it is full.
async fn enter_with_little_space(address: SocketAddr) -> Result<WebSocket<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 * 1024)?;
    let request = ClientRequest::from_url(&format!("ws://{address}/"))?;
    let stream = socket.connect(address).await?;
    Ok(client(stream, request, &EndpointConfig::new()).await?.0)
}

/// The most memory that a process has used, in KiB.
fn peak_memory(child: &Child) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().ok_or("it has ended")?))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
