//! An endpoint on a blocking transport, for two threads: one reads; the other writes and applies the deadlines.
//!
//! The reading thread must not wait for the writing one: two ends that both send more than the network can buffer would wait for each
//! other indefinitely. Each thread asks the endpoint for the next step and, if it belongs to that thread, performs it without the lock.
//! While a read or a write is in progress, the endpoint treats that direction as blocked.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use websocket_proto::endpoint::{Endpoint, Step};

/// How much is copied for a write without the lock: what a write does not accept is copied again for the next.
const WRITE_SIZE: usize = 64 * 1024;

pub struct Link {
    stream: TcpStream,
    clock: Instant,
    endpoint: Mutex<Endpoint>,
    changed: Condvar,
}

impl Link {
    /// The endpoint's clock starts now.
    pub fn new(stream: TcpStream, endpoint: impl FnOnce(Duration) -> Endpoint) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // A write that makes no progress has to return, so that the endpoint can time out.
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        Ok(Self {
            stream,
            clock: Instant::now(),
            endpoint: Mutex::new(endpoint(Duration::ZERO)),
            changed: Condvar::new(),
        })
    }

    pub fn endpoint(&self) -> MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap()
    }

    /// Lends the endpoint to `work`, which may send.
    pub fn update<T>(&self, work: impl FnOnce(&mut Endpoint) -> T) -> T {
        let result = work(&mut self.endpoint());
        self.changed.notify_all();
        result
    }

    /// Lends the endpoint to `work` once it accepts more to send, or has ended.
    #[allow(dead_code, reason = "not every program has something to send that can wait")]
    pub fn update_when<T>(
        &self,
        mut ready: impl FnMut(&mut Endpoint) -> bool,
        work: impl FnOnce(&mut Endpoint) -> T,
    ) -> T {
        let must_wait = |endpoint: &mut Endpoint| endpoint.end().is_none() && !ready(endpoint);
        let mut endpoint = self.changed.wait_while(self.endpoint(), must_wait).unwrap();
        let result = work(&mut endpoint);
        self.changed.notify_all();
        result
    }

    /// Reads until the end, and passes each request, response and event to `handle`, which holds the lock and may drop it.
    pub fn read(&self, mut handle: impl FnMut(Step, MutexGuard<'_, Endpoint>)) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let mut endpoint = self.endpoint();
            match endpoint.step(self.clock.elapsed()) {
                step @ (Step::Request | Step::Response | Step::Event) => {
                    handle(step, endpoint);
                    self.changed.notify_all();
                }
                Step::Read => {
                    endpoint.read_blocked();
                    drop(endpoint);
                    let result = (&self.stream).read(&mut buffer);
                    self.update(|endpoint| match result {
                        Ok(size) => endpoint.receive(&buffer[..size]),
                        Err(error) if error.kind() == ErrorKind::Interrupted => endpoint.ready(),
                        Err(error) => endpoint.read_failed(error),
                    });
                }
                Step::Done => return,
                Step::Write | Step::Flush | Step::Shutdown | Step::Wait(_) => self.wait(endpoint),
            }
        }
    }

    /// Writes and applies the deadlines, until the end.
    pub fn write(&self) {
        loop {
            let mut endpoint = self.endpoint();
            match endpoint.step(self.clock.elapsed()) {
                step @ (Step::Write | Step::Flush | Step::Shutdown) => {
                    let output = endpoint.output();
                    let output = output[..output.len().min(WRITE_SIZE)].to_vec();
                    endpoint.write_blocked();
                    drop(endpoint);
                    self.changed.notify_all();
                    let result = match step {
                        Step::Write => (&self.stream).write(&output),
                        Step::Flush => (&self.stream).flush().map(|()| 0),
                        _ => self.stream.shutdown(Shutdown::Write).map(|()| 0),
                    };
                    self.update(|endpoint| match (step, result) {
                        (Step::Write, Ok(size)) => endpoint.written(size),
                        (Step::Flush, Ok(_)) => endpoint.flushed(),
                        (_, Ok(_)) => endpoint.shut_down(),
                        (_, Err(error)) => match error.kind() {
                            ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                                endpoint.ready()
                            }
                            _ => endpoint.write_failed(error),
                        },
                    });
                }
                Step::Done => {
                    drop(endpoint);
                    self.changed.notify_all();
                    _ = self.stream.shutdown(Shutdown::Both); // the other thread may be reading
                    return;
                }
                Step::Request | Step::Response | Step::Event | Step::Read | Step::Wait(_) => {
                    self.wait(endpoint)
                }
            }
        }
    }

    /// Waits until the other thread has done something, or until the deadline.
    fn wait(&self, endpoint: MutexGuard<'_, Endpoint>) {
        let deadline = endpoint.deadline().unwrap_or(Duration::MAX);
        let left = deadline.saturating_sub(self.clock.elapsed());
        _ = self.changed.wait_timeout(endpoint, left).unwrap();
    }
}
