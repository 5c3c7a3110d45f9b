//! Many clients of the server, which is a separate process, so that only the connections use its memory.

use std::mem::size_of;
use std::time::Instant;

use embedding_load::{Client, Result, Server};
use websocket_proto::endpoint::EndpointConfig;

/// Connections to one address of the server. A system has about 28,000 ports for them.
const PER_ADDRESS: usize = 20_000;
const ROUNDS: usize = 3;
/// The limit of the server's memory for each connection, in bytes.
const MOST_EACH: u64 = 512;

pub fn run(count: usize) -> Result<()> {
    let server = Server::start(&[match count {
        ..=PER_ADDRESS => "127.0.0.1:0",
        _ => "0.0.0.0:0",
    }])?;
    let before = server.memory("VmRSS")?;

    let started = Instant::now();
    let mut clients = (0..count)
        .map(|number| connect(number, &server))
        .collect::<Result<Vec<_>>>()?;
    println!(
        "{count} connections opened in {:.1} s",
        started.elapsed().as_secs_f64()
    );

    let started = Instant::now();
    for round in 0..ROUNDS {
        // All messages are sent before the first echo is read.
        for (number, client) in clients.iter_mut().enumerate() {
            client.endpoint.sender().send_text(&words(number, round))?;
            client.flush();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.hear(&words(number, round))?;
        }
    }
    let echoes = ROUNDS * count;
    println!(
        "{echoes} echoes, {:.0} a second",
        echoes as f64 / started.elapsed().as_secs_f64()
    );

    let taken = server.memory("VmRSS")?.saturating_sub(before);
    let each = taken * 1024 / count.max(1) as u64;
    println!(
        "memory of the server: {before} KiB and {taken} KiB for the connections, {each} bytes each, {} of them in `Client`",
        size_of::<embedding_epoll::Client>(),
    );
    for client in &mut clients {
        client.send_close()?;
    }
    for client in &mut clients {
        client.hear_close()?;
    }
    println!("{count} connections closed, all cleanly");
    match each {
        ..=MOST_EACH => Ok(()),
        _ => Err(format!("more than {MOST_EACH} bytes each").into()),
    }
}

fn connect(number: usize, server: &Server) -> Result<Client> {
    let (_, port) = server.address.rsplit_once(':').ok_or("no port")?;
    let address = format!("127.0.0.{}:{port}", 1 + number / PER_ADDRESS);
    Client::connect(&address, &EndpointConfig::new())
}

/// The message of a client in a round: 125 bytes, different from all others.
fn words(number: usize, round: usize) -> String {
    format!("{:125}", format!("client {number}, round {round}"))
}
