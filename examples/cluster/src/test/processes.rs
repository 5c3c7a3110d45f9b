//! Redis and the servers as processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// A process that is killed when it is dropped.
pub struct Process {
    child: Child,
    /// What it has printed on its standard error output.
    errors: Arc<Mutex<String>>,
}

impl Process {
    fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = Arc::new(Mutex::new(String::new()));
        let (kept, stderr) = (errors.clone(), child.stderr.take().ok_or("no stderr")?);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Ok(Self { child, errors })
    }

    pub fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn kill(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, name: &str) -> Result {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("kill -{name}: {status}").into())
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts Redis on this port, with a small limit for subscribers that do not read.
pub fn redis(port: u16) -> Result<Process> {
    let mut command = Command::new("redis-server");
    command
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
        ])
        .arg(port.to_string());
    command.args(["--client-output-buffer-limit", "pubsub", "1mb", "512kb", "2"]);
    let mut process = Process::spawn(&mut command)?;
    let mut stdout = process.child.stdout.take().ok_or("no stdout")?;
    thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err("redis-server did not start".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(process)
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Starts a server, and returns its address.
pub fn server(redis: u16) -> Result<(Process, String)> {
    let program = std::env::current_exe()?.with_file_name("embedding-cluster");
    let mut command = Command::new(program);
    command.args([format!("redis://127.0.0.1:{redis}"), "127.0.0.1:0".into()]);
    let mut process = Process::spawn(&mut command)?;
    let mut line = String::new();
    BufReader::new(process.child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    match line.trim().strip_prefix("listening on ws://") {
        Some(address) => Ok((process, address.to_owned())),
        None => Err(format!("the server did not start: {}", process.errors()).into()),
    }
}

/// A figure of `/stats`.
pub fn stat(address: &str, name: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /stats HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let line = response
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.ok_or("no such figure")?.parse()?)
}
