//! A server under test: its program, its output, and its figures in `/proc`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub struct Server {
    pub name: &'static str,
    pub address: SocketAddr,
    process: Child,
    started: Instant,
    told: Arc<Mutex<Told>>,
    samples: Vec<Sample>,
}

/// What the server wrote to stderr.
#[derive(Default)]
struct Told {
    lines: u64,
    panics: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The time since the start.
    pub at: Duration,
    /// How many connections have ended so far.
    pub ended: u64,
    /// Resident memory, in KiB.
    pub memory: u64,
    pub threads: u64,
    pub descriptors: u64,
}

impl Server {
    /// Starts the example of this name, on a free port.
    pub fn start(folder: &Path, name: &'static str, args: &[&str]) -> Result<Self, String> {
        let program = folder.join(name);
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", program.display());
        let mut process = Command::new(&program)
            .args(args)
            .arg("127.0.0.1:0")
            // With several arenas, the resident memory would depend on which threads run at the same time.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let mut ready = String::new();
        if let Some(stdout) = stdout {
            _ = BufReader::new(stdout).read_line(&mut ready);
        }
        let address = ready
            .trim_end()
            .rsplit('/')
            .next()
            .and_then(|address| address.parse().ok());
        let told = Arc::new(Mutex::new(Told::default()));
        if let Some(stderr) = stderr {
            let told = Arc::clone(&told);
            thread::spawn(move || listen(BufReader::new(stderr), &told));
        }
        let address = address.ok_or_else(|| {
            _ = process.kill();
            failed(&format!("the server did not start, but wrote {ready:?}"))
        })?;
        Ok(Self {
            name,
            address,
            process,
            started: Instant::now(),
            told,
            samples: Vec::new(),
        })
    }

    /// Reads the figures from the system, and records them.
    pub fn sample(&mut self) -> Result<Sample, String> {
        if let Ok(Some(status)) = self.process.try_wait() {
            return Err(format!("{} ended: {status}", self.name));
        }
        let folder = format!("/proc/{}", self.process.id());
        let failed = |error| format!("{folder}: {error}");
        let status = fs::read_to_string(format!("{folder}/status")).map_err(failed)?;
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .ok_or_else(|| format!("{folder}/status has no {name}"))
        };
        let sample = Sample {
            at: self.started.elapsed(),
            ended: self.told.lock().unwrap().lines,
            memory: value("VmRSS:")?,
            threads: value("Threads:")?,
            descriptors: fs::read_dir(format!("{folder}/fd")).map_err(failed)?.count() as u64,
        };
        self.samples.push(sample);
        Ok(sample)
    }

    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    pub fn panics(&self) -> Vec<String> {
        self.told.lock().unwrap().panics.clone()
    }
}

/// Counts the ended connections, for each of which the server writes a line, and collects panics.
fn listen(lines: impl BufRead, told: &Mutex<Told>) {
    for line in lines.lines().map_while(Result::ok) {
        let mut told = told.lock().unwrap();
        told.lines += 1;
        if line.contains("panicked at") {
            told.panics.push(line);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
