//! Endpoints, their steps, and what was done.

use websocket_proto::endpoint::{Endpoint, Interest, Step};
use websocket_proto::handshake::Request;
use websocket_proto::utf8;

use crate::code::Code;
use crate::config::time;
use crate::edge::{Instance, Shared, enter, lend, lend_space, on};

/// What a handle is of.
pub struct Entry {
    pub endpoint: Endpoint,
    /// Taken from the endpoint, and not answered.
    pub request: Option<Box<Request>>,
    /// The size of the space to read into, while it is lent.
    pub space: usize,
}

impl Entry {
    /// Returns the endpoint for a call that may need its buffers. If it has none, it gets those of an endpoint that is idle.
    pub fn busy(&mut self, shared: &mut Shared) -> &mut Endpoint {
        if self.endpoint.capacity() == 0 {
            if let Some(buffers) = shared.buffers.take() {
                self.endpoint.lend_buffers(buffers);
            }
        }
        &mut self.endpoint
    }
}

/// Opens the server's end of a stream on which a client is about to send its request, and returns its handle, which [`ws_free`] has to
/// free; or a negative code, as a number.
///
/// `now`: the same clock for all calls on the instance.
#[unsafe(no_mangle)]
pub extern "C" fn ws_open(now: f64) -> f64 {
    let mut handle = 0.0;
    let code = enter(|Instance { table, config, .. }| {
        handle = table.insert(Entry {
            endpoint: Endpoint::server(config, time(now)?),
            request: None,
            space: 0,
        })?;
        Ok(0)
    });
    if code < 0 { f64::from(code) } else { handle }
}

/// Frees an endpoint, in whatever state it is. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_free(handle: f64) -> i32 {
    enter(|instance| {
        let mut entry = instance.table.remove(handle)?;
        if let Some(buffers) = entry.endpoint.take_buffers() {
            instance.shared.buffers = Some(buffers);
        }
        Ok(0)
    })
}

/// Returns the number of endpoints that are not freed.
#[unsafe(no_mangle)]
pub extern "C" fn ws_count() -> i32 {
    enter(|instance| Ok(instance.table.live() as i32)) // at most 2^21
}

/// Returns the next thing to do:
///
/// | number | what to do |
/// |---|---|
/// | 0 | look at the request with [`ws_request`](crate::ws_request), and answer it with [`ws_accept`](crate::ws_accept) or [`ws_respond`](crate::ws_respond) |
/// | 1 | call [`ws_next_event`](crate::ws_next_event) until it returns 0 |
/// | 2 | write what [`ws_output`] lends, and report it with [`ws_written`] |
/// | 3 | flush the stream, and call [`ws_flushed`] |
/// | 4 | read into what [`ws_read_space`] lends, and report it with [`ws_received`] |
/// | 5 | end the writing side of the stream, and call [`ws_shut_down`] |
/// | 6 | close the stream, look at [`ws_end`](crate::ws_end), and free the endpoint |
/// | 7 | from [`ws_flush_step`] only: everything is written and flushed |
/// | 8 | wait for the deadline, then call [`ws_ready`] |
/// | 9 | wait until the stream can be read, or for the deadline, then call [`ws_ready`] |
/// | 10 | wait until the stream accepts output, or for the deadline, then call [`ws_ready`] |
/// | 11 | wait until either, or for the deadline, then call [`ws_ready`] |
///
/// An earlier `now` than before counts as the one before.
#[unsafe(no_mangle)]
pub extern "C" fn ws_step(handle: f64, now: f64) -> i32 {
    on(handle, |entry, shared| {
        let step = entry.endpoint.step(time(now)?);
        entry.space = 0;
        if let Step::Wait(_) = step {
            shared.buffers = entry.endpoint.take_buffers().or(shared.buffers.take());
        }
        Ok(number(step))
    })
}

/// Returns the next thing to do to get the output written and flushed, while events wait in the endpoint because the host is busy: a
/// number as of [`ws_step`].
#[unsafe(no_mangle)]
pub extern "C" fn ws_flush_step(handle: f64, now: f64) -> i32 {
    on(handle, |entry, _| {
        let step = entry.endpoint.flush_step(time(now)?);
        entry.space = 0;
        Ok(step.map_or(7, number))
    })
}

fn number(step: Step) -> i32 {
    match step {
        Step::Request => 0,
        Step::Event => 1,
        Step::Write => 2,
        Step::Flush => 3,
        Step::Read => 4,
        Step::Shutdown => 5,
        Step::Done => 6,
        // A server gets no response.
        Step::Response | Step::Wait(Interest::Nothing) => 8,
        Step::Wait(Interest::Readable) => 9,
        Step::Wait(Interest::Writable) => 10,
        Step::Wait(Interest::Both) => 11,
    }
}

/// Returns the latest time for the next step, or `Infinity`; or a negative code, as a number.
#[unsafe(no_mangle)]
pub extern "C" fn ws_deadline(handle: f64) -> f64 {
    let mut deadline = f64::INFINITY;
    let code = on(handle, |entry, _| {
        if let Some(due) = entry.endpoint.deadline() {
            deadline = due.as_secs_f64() * 1000.0;
        }
        Ok(0)
    });
    if code < 0 { f64::from(code) } else { deadline }
}

/// Lends the space to read into, which is initialized and not empty. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_read_space(handle: f64) -> i32 {
    on(handle, |entry, shared| {
        let space = entry.busy(shared).read_space();
        let size = space.len();
        lend_space(space);
        entry.space = size;
        Ok(0)
    })
}

/// Records that `size` bytes were read into the space that [`ws_read_space`] lends; 0 is the end of the stream. Returns 0.
///
/// [`Code::SizeTooLarge`] if the space is smaller, or no longer lent. It is lent until this call or [`ws_step`], [`ws_flush_step`],
/// [`ws_next_event`](crate::ws_next_event), [`ws_accept`](crate::ws_accept), [`ws_respond`](crate::ws_respond), or any of the functions
/// that record something, except [`ws_written`].
#[unsafe(no_mangle)]
pub extern "C" fn ws_received(handle: f64, size: u32) -> i32 {
    on(handle, |entry, _| {
        let size = size as usize;
        if size > entry.space {
            return Err(Code::SizeTooLarge);
        }
        entry.space = 0;
        entry.endpoint.received(size);
        Ok(0)
    })
}

/// Lends the bytes to write. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_output(handle: f64) -> i32 {
    on(handle, |entry, _| {
        lend(entry.endpoint.output());
        Ok(0)
    })
}

/// Records that the stream accepted the first `size` bytes of [`ws_output`]. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_written(handle: f64, size: u32) -> i32 {
    on(handle, |entry, _| {
        let size = size as usize;
        if size > entry.endpoint.output().len() {
            return Err(Code::SizeTooLarge);
        }
        entry.endpoint.written(size);
        Ok(0)
    })
}

/// Records that the stream has nothing to read now. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_read_blocked(handle: f64) -> i32 {
    record(handle, Endpoint::read_blocked)
}

/// Records that the stream could not be read. The argument is the error, in UTF-8, for the text of the end. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_read_failed(handle: f64, len: u32) -> i32 {
    fail(handle, len, |endpoint, error| endpoint.read_failed(error))
}

/// Records that the stream could not be written to, flushed or ended. The argument is as for [`ws_read_failed`]. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_write_failed(handle: f64, len: u32) -> i32 {
    fail(handle, len, |endpoint, error| endpoint.write_failed(error))
}

/// Records that the stream accepts no output now, or that not everything written is flushed. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_write_blocked(handle: f64) -> i32 {
    record(handle, Endpoint::write_blocked)
}

/// Records that everything written is flushed. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_flushed(handle: f64) -> i32 {
    record(handle, Endpoint::flushed)
}

/// Records that the writing side is ended. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_shut_down(handle: f64) -> i32 {
    record(handle, Endpoint::shut_down)
}

/// Records that the stream may be ready again, or that the deadline has passed. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_ready(handle: f64) -> i32 {
    record(handle, Endpoint::ready)
}

/// Ends the endpoint immediately: the next step is 6. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn ws_abort(handle: f64) -> i32 {
    record(handle, Endpoint::abort)
}

fn record(handle: f64, record: impl FnOnce(&mut Endpoint)) -> i32 {
    on(handle, |entry, _| {
        entry.space = 0;
        record(&mut entry.endpoint);
        Ok(0)
    })
}

fn fail(handle: f64, len: u32, record: impl FnOnce(&mut Endpoint, String)) -> i32 {
    on(handle, |entry, shared| {
        entry.space = 0;
        let error = utf8::validate(shared.argument(len)?).map_err(|_| Code::InvalidUtf8)?;
        record(&mut entry.endpoint, error.to_owned());
        Ok(0)
    })
}
