use std::net::SocketAddr;
use std::time::Duration;

use embedding_tokio::{ClientRequest, EndpointConfig, OpenError, connect};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::{LONG_PATIENCE, PATIENCE, Result, TUNNEL, peak_memory, start};

/// Starts the end that connects to a service.
async fn far_end(service: SocketAddr) -> Result<(Child, SocketAddr)> {
    start(TUNNEL, &["--to", &service.to_string(), "127.0.0.1:0"]).await
}

/// Starts the end that clients connect to.
async fn near_end(far: SocketAddr) -> Result<(Child, SocketAddr)> {
    start(TUNNEL, &["--through", &format!("ws://{far}/"), "127.0.0.1:0"]).await
}

/// The bytes and the FIN of each direction arrive while the other continues, and memory does not grow with them.
#[tokio::test(flavor = "multi_thread")]
async fn carries_each_direction_to_its_end() -> Result {
    let size: u64 = if cfg!(debug_assertions) {
        128 << 20
    } else {
        1 << 30
    };
    let service = TcpListener::bind("127.0.0.1:0").await?;
    let (far, far_address) = far_end(service.local_addr()?).await?;
    let (near, near_address) = near_end(far_address).await?;
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
    let mut bytes = tokio::io::repeat(7).take(size);
    timeout(LONG_PATIENCE, tokio::io::copy(&mut bytes, &mut from)).await??;
    from.shutdown().await?;
    let mut answer = String::new();
    timeout(PATIENCE, from.read_to_string(&mut answer)).await??;
    assert_eq!(answer, size.to_string());
    Ok(answering.await??)
}

/// A reset on one side is a reset on the other, not a FIN that looks like the end of the data.
#[tokio::test]
async fn passes_a_reset_on() -> Result {
    let service = TcpListener::bind("127.0.0.1:0").await?;
    let (_far, far_address) = far_end(service.local_addr()?).await?;
    let (_near, near_address) = near_end(far_address).await?;
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

/// A tunnel that has no descriptor left for another client serves the next one once it has.
#[tokio::test]
async fn outlasts_a_lack_of_descriptors() -> Result {
    let nothing = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let (mut far, far_address) = far_end(nothing).await?;
    let id = far.id().ok_or("it has ended")?.to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &id, "--nofile=32"])
        .status()
        .await?;
    assert!(limited.success());
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(TcpStream::connect(far_address).await?);
    }
    let mut log = BufReader::new(far.stderr.take().ok_or("no log")?).lines();
    while let Some(line) = timeout(PATIENCE, log.next_line()).await?? {
        if line.starts_with("accept: ") {
            drop(clients);
            let request = ClientRequest::from_url(&format!("ws://{far_address}/"))?;
            let refused = connect(request, &EndpointConfig::new()).await;
            assert!(matches!(refused, Err(OpenError::Rejected(response, _)) if response.status() == 502));
            return Ok(());
        }
    }
    Err("it has ended".into())
}

/// A client of a service that is down gets a reset, and a WebSocket client the status 502.
#[tokio::test]
async fn reports_that_there_is_no_service() -> Result {
    let nothing = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let (_far, far_address) = far_end(nothing).await?;
    let url = format!("ws://{far_address}/");
    let refused = connect(ClientRequest::from_url(&url)?, &EndpointConfig::new()).await;
    assert!(matches!(refused, Err(OpenError::Rejected(response, _)) if response.status() == 502));
    let (_near, near_address) = near_end(far_address).await?;
    let mut stream = TcpStream::connect(near_address).await?;
    let read = timeout(PATIENCE, stream.read(&mut [0; 16])).await?;
    assert!(read.is_err(), "{read:?}");
    Ok(())
}
