use std::net::SocketAddr;

use embedding_tokio::{ClientRequest, CloseCode, EndpointConfig, Event, WebSocket, client, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{PATIENCE, ROOM, Result, ends_without_pongs, enter, next, peak_memory, peers, start};

/// Everyone gets every message. A client that does not read is closed, or dropped if it does not read that either,
/// while the others do not wait; at the end, all get 1001.
#[tokio::test(flavor = "multi_thread")]
async fn drops_a_slow_reader_and_closes_all() -> Result {
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
            let event = next(client).await?;
            assert_eq!(event, Some(Event::Binary(message.clone().into())));
        }
    }
    // It was closed meanwhile: what it still has to read ends with 1013.
    let mut events = 0;
    let code = loop {
        match next(&mut slow).await? {
            Some(Event::Binary(_)) => events += 1,
            Some(Event::Close(close)) => break close.code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, Some(CloseCode::TRY_AGAIN_LATER));
    assert!(events < 80, "{events} of 80 messages");
    assert_eq!(next(&mut slow).await?, None); // its reply is written

    interrupt(&room).await?;
    for mut client in [speaker, listener] {
        match next(&mut client).await? {
            Some(Event::Close(close)) => assert_eq!(close.code, Some(CloseCode::GOING_AWAY)),
            other => panic!("{other:?}"),
        }
        assert_eq!(next(&mut client).await?, None);
        assert!(client.into_end().is_clean());
    }
    assert!(timeout(PATIENCE, room.wait()).await??.success());
    // The server saw which of the two got its 1013.
    let mut ends = String::new();
    log.read_to_string(&mut ends).await?;
    let ends: Vec<_> = ends.lines().collect();
    let [slow, dead] = match peers() {
        None => [
            "closed locally, clean, sent 1013, received 1013",
            "peer did not read for the 10s of EndpointConfig::write_timeout, not clean, 1013 not written",
        ],
        Some(_) => ["closed with 1013", "the client does not read"],
    };
    assert!(ends.contains(&slow) && ends.contains(&dead), "{ends:?}");
    Ok(())
}

/// The page of another origin is rejected (RFC 6455 section 10.2), and so is a request that is not for WebSocket.
#[tokio::test]
async fn is_closed_to_other_origins() -> Result {
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
    let status = if peers().is_none() { "426" } else { "400" };
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
    Ok(())
}

/// A thousand clients, or as many as this process may have open files: all get a message, and all get 1001.
#[tokio::test(flavor = "multi_thread")]
async fn holds_a_thousand() -> Result {
    let (mut room, address) = start(ROOM, &["127.0.0.1:0"]).await?;
    let count = open_files()?.saturating_sub(200).min(1000);
    let (progress, mut steps) = mpsc::channel(count);
    let mut clients = JoinSet::new();
    for _ in 0..count {
        clients.spawn(stay(address, progress.clone()));
    }
    for _ in 0..count {
        steps.recv().await; // one has entered
    }
    let mut speaker = enter(address).await?;
    speaker.send("hello").await?;
    for _ in 0..count {
        steps.recv().await; // one has heard it
    }
    println!("{count} clients, {} KiB", peak_memory(&room)?);
    interrupt(&room).await?;
    while let Some(left) = clients.join_next().await {
        left??;
    }
    while next(&mut speaker).await?.is_some() {}
    assert!(timeout(PATIENCE, room.wait()).await??.success());
    Ok(())
}

/// One client, which reports that it has entered, and that it has heard a text.
async fn stay(address: SocketAddr, progress: mpsc::Sender<()>) -> Result {
    let mut client = enter(address).await?;
    progress.send(()).await?;
    assert_eq!(next(&mut client).await?, Some(Event::Text("hello".into())));
    progress.send(()).await?;
    match next(&mut client).await? {
        Some(Event::Close(close)) => assert_eq!(close.code, Some(CloseCode::GOING_AWAY)),
        other => panic!("{other:?}"),
    }
    assert_eq!(next(&mut client).await?, None);
    Ok(())
}

#[tokio::test]
#[ignore = "takes 40 seconds"]
async fn drops_a_dead_client() -> Result {
    let (_room, address) = start(ROOM, &["127.0.0.1:0"]).await?;
    ends_without_pongs(address).await
}

async fn interrupt(program: &Child) -> Result {
    let pid = program.id().ok_or("it has ended")?.to_string();
    Command::new("kill").args(["-INT", &pid]).status().await?;
    Ok(())
}

/// How many files this process may open.
fn open_files() -> Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    Ok(limit
        .and_then(|limit| limit.split_whitespace().next())
        .unwrap_or("256")
        .parse()?)
}

/// Enters with a socket that holds little of what it does not read, so that little has to be sent until it is full.
async fn enter_with_little_space(address: SocketAddr) -> Result<WebSocket<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 * 1024)?;
    let request = ClientRequest::from_url(&format!("ws://{address}/"))?;
    let stream = socket.connect(address).await?;
    Ok(client(stream, request, &EndpointConfig::new()).await?.0)
}
