//! Steps: what to do next, and what was done.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use websocket_proto::endpoint::{Endpoint, Interest, Step};

use crate::bytes::{wsp_bytes, wsp_space};
use crate::code::wsp_code;
use crate::edge::{enter, enter_lending, out};
use crate::table::wsp_endpoint;

/// The one thing to do next.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum wsp_step_kind {
    /// Server: a request has arrived. Look at it with `wsp_get_request`, and answer it with `wsp_accept` or `wsp_respond`.
    Request = 0,
    /// Client: the response has arrived. Take it with `wsp_take_response`.
    Response = 1,
    /// Call `wsp_next_event` until it returns `WSP_EVENT_KIND_NONE`.
    Event = 2,
    /// Write `wsp_output` to the transport, and report with `wsp_written` how much was accepted.
    Write = 3,
    /// Flush the transport, and report it with `wsp_flushed`. Nothing to do for a plain socket.
    Flush = 4,
    /// Read into `wsp_read_space`, and report with `wsp_received` how many bytes were read.
    Read = 5,
    /// Shut down writing: shutdown(2) with SHUT_WR, close_notify in TLS. Report it with `wsp_shut_down`.
    Shutdown = 6,
    /// Wait for what `wsp_step.interest` says, or until `wsp_step.deadline`; then call `wsp_ready`.
    Wait = 7,
    /// Close the transport. `wsp_get_end` has the reason.
    Done = 8,
}

/// What to wait for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum wsp_interest {
    /// Nothing: the endpoint waits for the program, or for the deadline.
    Nothing = 0,
    /// Until the transport has something to read.
    Readable = 1,
    /// Until the transport accepts output.
    Writable = 2,
    /// Until either.
    Both = 3,
}

/// What to do next.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct wsp_step {
    pub kind: wsp_step_kind,
    /// For `WSP_STEP_KIND_WAIT`; otherwise `WSP_INTEREST_NOTHING`.
    pub interest: wsp_interest,
    /// The latest time for the next call of `wsp_next_step`, on the clock of `now`. UINT64_MAX: never.
    pub deadline: u64,
}

/// Returns the next thing to do. Does not block, like all functions here.
///
/// `now`: nanoseconds of the clock that the endpoint was created with; an earlier time than before counts as the time before. `step`:
/// not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_next_step(
    endpoint: wsp_endpoint,
    now: u64,
    step: Option<&mut MaybeUninit<wsp_step>>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let step = out(step)?;
        entry.opening.release_response();
        let endpoint = entry.owner.endpoint();
        let next = endpoint.step(Duration::from_nanos(now));
        step.write(wsp_step::new(next, endpoint.deadline()));
        Ok(())
    })
}

/// Returns the space to read into. It is initialized, and valid until the next call on the endpoint that is not a send.
///
/// `space`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_read_space(
    endpoint: wsp_endpoint,
    space: Option<&mut MaybeUninit<wsp_space>>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let space = out(space)?;
        let lent = entry.owner.endpoint().read_space();
        let size = lent.len();
        space.write(wsp_space::lend(lent));
        entry.owner.space = size;
        Ok(())
    })
}

/// Records that `size` bytes were read into the space that `wsp_read_space` lends. 0 is the end of the transport, as for read(2).
///
/// `WSP_CODE_SIZE_TOO_LARGE` if the space is smaller, or is no longer lent.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_received(endpoint: wsp_endpoint, size: usize) -> wsp_code {
    enter(endpoint, |entry| {
        if size > entry.owner.space {
            return Err(wsp_code::SizeTooLarge);
        }
        entry.owner.endpoint().received(size);
        Ok(())
    })
}

/// Records bytes that were read into another buffer, and copies them. Empty: the end of the transport. For reads that run while the
/// endpoint is in use: call `wsp_read_blocked` when the read starts, and this function when it is complete.
///
/// Only after `WSP_STEP_KIND_READ`, so that the memory has its limit.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_receive(endpoint: wsp_endpoint, data: wsp_bytes) -> wsp_code {
    enter(endpoint, |entry| {
        let data = data.as_slice()?;
        entry.owner.endpoint().receive(data);
        Ok(())
    })
}

/// Records that the transport has nothing to read now: EAGAIN.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_read_blocked(endpoint: wsp_endpoint) -> wsp_code {
    record(endpoint, Endpoint::read_blocked)
}

/// Records that the transport could not be read. The endpoint ends; events received before are still returned.
///
/// `error`: the errno, for the text of the end.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_read_failed(endpoint: wsp_endpoint, error: i32) -> wsp_code {
    record(endpoint, |endpoint| {
        endpoint.read_failed(io::Error::from_raw_os_error(error));
    })
}

/// Returns the bytes to write, none if there are none. They are valid until the next call on the endpoint.
///
/// `output`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_output(
    endpoint: wsp_endpoint,
    output: Option<&mut MaybeUninit<wsp_bytes>>,
) -> wsp_code {
    enter_lending(endpoint, output, |entry| Ok(entry.owner.endpoint().output()))
}

/// Records that the transport accepted the first `size` bytes of `wsp_output`.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_written(endpoint: wsp_endpoint, size: usize) -> wsp_code {
    enter(endpoint, |entry| {
        let endpoint = entry.owner.endpoint();
        if size > endpoint.output().len() {
            return Err(wsp_code::SizeTooLarge);
        }
        endpoint.written(size);
        Ok(())
    })
}

/// Records that the transport accepts no output now: EAGAIN. Also if it could not be flushed or shut down completely.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_write_blocked(endpoint: wsp_endpoint) -> wsp_code {
    record(endpoint, Endpoint::write_blocked)
}

/// Records that the transport could not be written to, flushed or shut down. Nothing more is written; the endpoint still reads for a
/// while, because the peer's Close may have arrived.
///
/// `error`: the errno, for the text of the end.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_write_failed(endpoint: wsp_endpoint, error: i32) -> wsp_code {
    record(endpoint, |endpoint| {
        endpoint.write_failed(io::Error::from_raw_os_error(error));
    })
}

/// Records that everything written is flushed.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_flushed(endpoint: wsp_endpoint) -> wsp_code {
    record(endpoint, Endpoint::flushed)
}

/// Records that writing is shut down.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_shut_down(endpoint: wsp_endpoint) -> wsp_code {
    record(endpoint, Endpoint::shut_down)
}

/// Records that the transport may be ready again after it was blocked, or that the deadline has passed.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_ready(endpoint: wsp_endpoint) -> wsp_code {
    record(endpoint, Endpoint::ready)
}

/// Ends the endpoint immediately: the next step is `WSP_STEP_KIND_DONE`. For programs that close the transport.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_abort(endpoint: wsp_endpoint) -> wsp_code {
    record(endpoint, Endpoint::abort)
}

fn record(endpoint: wsp_endpoint, record: impl FnOnce(&mut Endpoint)) -> wsp_code {
    enter(endpoint, |entry| {
        record(entry.owner.endpoint());
        Ok(())
    })
}

impl wsp_step {
    fn new(step: Step, deadline: Option<Duration>) -> Self {
        let (kind, interest) = match step {
            Step::Request => (wsp_step_kind::Request, wsp_interest::Nothing),
            Step::Response => (wsp_step_kind::Response, wsp_interest::Nothing),
            Step::Event => (wsp_step_kind::Event, wsp_interest::Nothing),
            Step::Write => (wsp_step_kind::Write, wsp_interest::Nothing),
            Step::Flush => (wsp_step_kind::Flush, wsp_interest::Nothing),
            Step::Read => (wsp_step_kind::Read, wsp_interest::Nothing),
            Step::Shutdown => (wsp_step_kind::Shutdown, wsp_interest::Nothing),
            Step::Wait(interest) => (wsp_step_kind::Wait, interest.into()),
            Step::Done => (wsp_step_kind::Done, wsp_interest::Nothing),
        };
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            kind,
            interest,
            deadline: deadline.map_or(u64::MAX, nanos),
        }
    }
}

impl From<Interest> for wsp_interest {
    fn from(interest: Interest) -> Self {
        match interest {
            Interest::Nothing => Self::Nothing,
            Interest::Readable => Self::Readable,
            Interest::Writable => Self::Writable,
            Interest::Both => Self::Both,
        }
    }
}
