//! A server whose behavior depends on the path, with the same paths and texts as the servers in JavaScript and Python.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;

use crate::cells::{FRAGMENTS, PINGS};
use crate::{Incoming, Message, Result, Server, Socket, compression};

pub fn run(server: &impl Server) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}", listener.local_addr()?);
    let ended = Mutex::new(HashMap::new());
    thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            let ended = &ended;
            scope.spawn(move || {
                let result = stream
                    .set_nodelay(true)
                    .map_err(Into::into)
                    .and_then(|()| server.accept(stream));
                match result {
                    Ok(Some((target, mut socket))) => {
                        if let Err(error) = serve(&target, &mut socket, ended) {
                            eprintln!("{target}: {error}");
                        }
                    }
                    Ok(None) => {}
                    Err(error) => eprintln!("handshake: {error}"),
                }
            });
        }
    });
    Ok(())
}

/// Serves one connection. The query of its URL is its name. `ended` records how named connections ended for this side; a client
/// requests that from `/closed`, with the same query.
fn serve(target: &str, socket: &mut impl Socket, ended: &Mutex<HashMap<String, String>>) -> Result<()> {
    let (path, name) = target.split_once('?').unwrap_or((target, ""));
    let compressing = compression(path).is_some();
    let (mut code, mut reason, mut messages) = (1006, String::new(), 0);
    let told = ended.lock().unwrap().get(name).cloned().unwrap_or_default();
    let result = behave(path, socket, &told).and_then(|()| {
        let mut pongs = Vec::new();
        loop {
            match socket.receive()? {
                Incoming::Message(message) => {
                    messages += 1;
                    match &message {
                        Message::Text(text) if compressing && text.starts_with("plain") => {
                            socket.send_plain(message)?;
                        }
                        Message::Text(text) if compressing && text.starts_with("fragments") => {
                            let (front, back) = text.as_bytes().split_at(500);
                            socket.send_fragments(&[front, b"", back])?;
                        }
                        _ => socket.send(message)?,
                    }
                }
                Incoming::Pong(payload) if path == "/ping" => {
                    socket.send(Message::Text(format!(
                        "pong {}",
                        String::from_utf8_lossy(&payload)
                    )))?;
                }
                Incoming::Pong(payload) if path == "/flood" => {
                    pongs.push(String::from_utf8_lossy(&payload).parse::<u32>()?);
                    if pongs.last() == Some(&(PINGS - 1)) {
                        let order = if pongs.is_sorted() {
                            "in order"
                        } else {
                            "out of order"
                        };
                        socket.send(Message::Text(format!("{} pongs {order}", pongs.len())))?;
                    }
                }
                Incoming::Pong(_) => {}
                Incoming::Close {
                    code: received,
                    reason: why,
                } => (code, reason) = (received, why),
                Incoming::End { clean } => {
                    if !clean {
                        code = 1006;
                    }
                    return Ok(());
                }
            }
        }
    });
    if path != "/closed" {
        let how = format!("code={code} reason={reason} messages={messages}");
        ended.lock().unwrap().insert(name.to_string(), how);
    }
    result
}

fn behave(path: &str, socket: &mut impl Socket, ended: &str) -> Result<()> {
    match path {
        "/close" => socket.close(4001, "bye"),
        "/last" => socket.send_and_close(Message::Text("last words".into()), 4001, "bye"),
        "/ping" => socket.ping(b"there?"),
        "/flood" => (0..PINGS).try_for_each(|number| socket.ping(number.to_string().as_bytes())),
        "/fragments" => socket.send_fragments(&FRAGMENTS),
        "/closed" => socket.send(Message::Text(ended.into())),
        _ => Ok(()), // only echoes
    }
}
