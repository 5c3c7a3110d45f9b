use embedding_tokio::{CloseCode, Event};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{ECHO, PATIENCE, Result, ends, ends_without_pongs, enter, next, start, upgraded};

#[tokio::test]
async fn returns_texts_and_bytes() -> Result {
    let (_echo, address) = start(ECHO, &["127.0.0.1:0"]).await?;
    let mut socket = enter(address).await?;
    socket.send("a text").await?;
    assert_eq!(next(&mut socket).await?, Some(Event::Text("a text".into())));
    let bytes = vec![7; 100_000];
    socket.send(&bytes[..]).await?;
    let event = next(&mut socket).await?;
    assert_eq!(event, Some(Event::Binary(bytes.into())));
    let end = timeout(PATIENCE, socket.close(CloseCode::NORMAL, "")).await??;
    assert!(end.is_clean(), "{end}");
    Ok(())
}

/// A client that sends no request.
#[tokio::test]
async fn drops_a_silent_client() -> Result {
    let (_echo, address) = start(ECHO, &["127.0.0.1:0"]).await?;
    ends(TcpStream::connect(address).await?, PATIENCE).await
}

/// A client that sends without end, and does not read what it gets back.
#[tokio::test]
async fn drops_a_client_that_does_not_read() -> Result {
    let (_echo, address) = start(ECHO, &["127.0.0.1:0"]).await?;
    let mut stream = upgraded(address).await?;
    // A frame with a payload of 125 bytes, and a mask key of zeros.
    let frame = [&[0x82, 0x80 | 125, 0, 0, 0, 0][..], &[7; 125]].concat();
    let sending = async { while stream.write_all(&frame).await.is_ok() {} };
    Ok(timeout(PATIENCE, sending).await?)
}

#[tokio::test]
#[ignore = "takes 40 seconds"]
async fn drops_a_dead_client() -> Result {
    let (_echo, address) = start(ECHO, &["127.0.0.1:0"]).await?;
    ends_without_pongs(address).await
}
