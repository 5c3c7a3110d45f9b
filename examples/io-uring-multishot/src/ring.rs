//! The operations of the kernel's ring. All that an operation needs stays here until its last completion: the bytes to send, the
//! buffers to receive into, and the socket.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem::{self, ManuallyDrop};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use crate::buffers::{Buffers, Filled, GROUP};
use crate::outgoing::Outgoing;
use crate::slots::{Key, Slots};

pub struct Ring {
    uring: IoUring,
    /// The kernel receives into these.
    buffers: ManuallyDrop<Buffers>,
    /// Those whose last completion has not arrived.
    operations: ManuallyDrop<Slots<Operation>>,
    /// Operations that are not in the submission queue yet, which may be shorter.
    pending: VecDeque<squeue::Entry>,
    completed: VecDeque<cqueue::Entry>,
    overflows: u64,
}

struct Operation {
    /// The client that started it, which may have left since.
    owner: Option<Key>,
    /// Kept open until the last completion, so that the kernel cannot find another socket under this descriptor.
    _socket: Option<Rc<dyn AsRawFd>>,
    kind: Kind,
}

enum Kind {
    Accept,
    Receive,
    /// The kernel writes after these bytes.
    ReceiveInto(Vec<u8>),
    /// The kernel reads these bytes, and where they are, if that is in two places.
    Send {
        outgoing: Outgoing,
        _places: Option<Box<Places>>,
    },
    Cancel,
}

/// The arguments of `sendmsg`(2), which contain the addresses of each other and of what is sent.
struct Places {
    header: libc::msghdr,
    slices: [libc::iovec; 2],
}

/// What the kernel has done.
pub enum Completion {
    /// If not `is_armed`, no further connection is accepted.
    Accepted {
        stream: io::Result<TcpStream>,
        is_armed: bool,
    },
    /// `Ok(None)` is the end of the transport. If not `is_armed`, nothing further is received.
    Received {
        owner: Key,
        result: io::Result<Option<Filled>>,
        is_armed: bool,
    },
    /// The bytes that were received are the last ones in `memory`. None are the end of the transport.
    ReceivedInto {
        owner: Key,
        result: io::Result<usize>,
        memory: Vec<u8>,
    },
    Sent {
        owner: Key,
        result: io::Result<usize>,
        outgoing: Outgoing,
    },
    /// The operation that [`Ring::cancel`] names had already completed, or goes on.
    NotCancelled { owner: Key },
}

impl Ring {
    /// # Errors
    ///
    /// The kernel has no io_uring, an older one than that of Linux 6.1, or does not allow it.
    pub fn new(submissions: u32, completions: u32, buffers: Buffers) -> io::Result<Self> {
        let (submissions, completions) = queue_sizes(submissions, completions);
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun() // completions arrive when this thread asks for them
            .setup_submit_all()
            .setup_cqsize(completions)
            .build(submissions)?;
        let mut ring = Self {
            uring,
            buffers: ManuallyDrop::new(buffers),
            operations: ManuallyDrop::new(Slots::new()),
            pending: VecDeque::new(),
            completed: VecDeque::new(),
            overflows: 0,
        };
        // SAFETY: `drop` frees the buffers only when no operation is in progress.
        unsafe { ring.buffers.register(&ring.uring.submitter())? };
        Ok(ring)
    }

    /// Accepts connections until a completion says that it does not any more.
    pub fn accept(&mut self, listener: &Rc<TcpListener>) {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
        self.start(None, Some(listener.clone()), Kind::Accept, accept.build());
    }

    /// Receives into the buffers until a completion says that it does not any more.
    pub fn receive(&mut self, owner: Key, stream: &Rc<TcpStream>) -> Key {
        let receive = opcode::RecvMulti::new(Fd(stream.as_raw_fd()), GROUP);
        self.start(Some(owner), Some(stream.clone()), Kind::Receive, receive.build())
    }

    /// Receives at most `size` bytes into a buffer, once.
    pub fn receive_once(&mut self, owner: Key, stream: &Rc<TcpStream>, size: usize) {
        let receive = opcode::Recv::new(Fd(stream.as_raw_fd()), ptr::null_mut(), length(size));
        let receive = receive.buf_group(GROUP).build();
        let receive = receive.flags(squeue::Flags::BUFFER_SELECT);
        self.start(Some(owner), Some(stream.clone()), Kind::Receive, receive);
    }

    /// Receives at most `size` bytes, once, after those in this memory, which has that capacity.
    pub fn receive_into(&mut self, owner: Key, stream: &Rc<TcpStream>, mut memory: Vec<u8>, size: usize) {
        // They are on the heap, and stay there when `memory` is moved.
        let spare = memory.spare_capacity_mut();
        let size = size.min(spare.len());
        let receive = opcode::Recv::new(Fd(stream.as_raw_fd()), spare.as_mut_ptr().cast(), length(size));
        self.start(
            Some(owner),
            Some(stream.clone()),
            Kind::ReceiveInto(memory),
            receive.build(),
        );
    }

    /// Cancels an operation of its owner, whose last completion still arrives.
    pub fn cancel(&mut self, owner: Key, operation: Key) {
        let cancel = opcode::AsyncCancel::new(operation.to_u64());
        self.start(Some(owner), None, Kind::Cancel, cancel.build());
    }

    /// Cancels all operations on a socket, whose last completions still arrive.
    pub fn cancel_all(&mut self, stream: &Rc<TcpStream>) {
        let all = CancelBuilder::fd(Fd(stream.as_raw_fd())).all();
        let cancel = opcode::AsyncCancel2::new(all);
        self.start(None, Some(stream.clone()), Kind::Cancel, cancel.build());
    }

    /// Sends the bytes, or the first part of them.
    pub fn send(&mut self, owner: Key, stream: &Rc<TcpStream>, outgoing: Outgoing) {
        let socket = Fd(stream.as_raw_fd());
        // All that the kernel reads is on the heap, and stays there when its owner is moved.
        let (places, send) = match outgoing.slices() {
            [bytes, []] | [[], bytes] => {
                let send = opcode::Send::new(socket, bytes.as_ptr(), length(bytes.len()));
                (None, send.build())
            }
            slices => {
                let places = Places::of(slices);
                let send = opcode::SendMsg::new(socket, &places.header);
                (Some(places), send.build())
            }
        };
        let kind = Kind::Send {
            outgoing,
            _places: places,
        };
        self.start(Some(owner), Some(stream.clone()), kind, send);
    }

    fn start(
        &mut self,
        owner: Option<Key>,
        socket: Option<Rc<dyn AsRawFd>>,
        kind: Kind,
        entry: squeue::Entry,
    ) -> Key {
        let key = self.operations.insert(Operation {
            owner,
            _socket: socket,
            kind,
        });
        self.pending.push_back(entry.user_data(key.to_u64()));
        key
    }

    /// Starts all pending operations, and waits until one completes, or for `timeout`: one system call, unless more are pending
    /// than the submission queue holds.
    pub fn enter(&mut self, timeout: Duration) -> io::Result<()> {
        while !self.queue() {
            match self.uring.submit() {
                Ok(_) => {}
                Err(error) if is_passing(&error) => break, // completions have to be handled first
                Err(error) => return Err(error),
            }
        }
        let timeout = Timespec::from(timeout);
        let arguments = SubmitArgs::new().timespec(&timeout);
        match self.uring.submitter().submit_with_args(1, &arguments) {
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        // More completions than the queue holds: the kernel keeps the others, and ends multishot operations.
        self.overflows += u64::from(self.uring.submission().cq_overflow());
        self.completed.extend(self.uring.completion());
        Ok(())
    }

    /// Moves pending operations to the submission queue. Returns whether none is left.
    fn queue(&mut self) -> bool {
        let mut submission = self.uring.submission();
        while let Some(entry) = self.pending.front() {
            // SAFETY: what the entry points to, and its socket, are in `operations` until its last completion.
            if unsafe { submission.push(entry) }.is_err() {
                return false;
            }
            self.pending.pop_front();
        }
        true
    }

    /// Returns the next completion of the last [`enter`](Self::enter).
    pub fn next(&mut self) -> Option<Completion> {
        while let Some(entry) = self.completed.pop_front() {
            if let Some(completion) = self.complete(&entry) {
                return Some(completion);
            }
        }
        None
    }

    fn complete(&mut self, entry: &cqueue::Entry) -> Option<Completion> {
        let (key, is_armed) = (Key::from_u64(entry.user_data()), cqueue::more(entry.flags()));
        let size = usize::try_from(entry.result());
        let result = size.map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        let (owner, kind) = match is_armed {
            true => {
                let operation = self.operations.get_mut(key)?;
                (operation.owner, operation.kind.repeated()?)
            }
            false => {
                let operation = self.operations.remove(key)?;
                (operation.owner, operation.kind)
            }
        };
        match kind {
            Kind::Accept => Some(Completion::Accepted {
                // SAFETY: the result of an accept is the descriptor that the kernel has just created for this completion,
                // which is handled once.
                stream: result.map(|descriptor| unsafe { stream(descriptor) }),
                is_armed,
            }),
            Kind::Receive => Some(Completion::Received {
                owner: owner?,
                result: self.received(result, cqueue::buffer_select(entry.flags())),
                is_armed,
            }),
            Kind::ReceiveInto(mut memory) => {
                if let Ok(size) = &result {
                    let end = memory.len().saturating_add(*size).min(memory.capacity());
                    // SAFETY: the operation has ended, the kernel has written so many bytes after the others, and the
                    // capacity is not exceeded.
                    unsafe { memory.set_len(end) };
                }
                Some(Completion::ReceivedInto {
                    owner: owner?,
                    result,
                    memory,
                })
            }
            Kind::Send { outgoing, .. } => Some(Completion::Sent {
                owner: owner?,
                result,
                outgoing,
            }),
            Kind::Cancel => match result {
                Ok(_) => None, // the cancelled operation reports it
                Err(_) => Some(Completion::NotCancelled { owner: owner? }),
            },
        }
    }

    /// Takes over the buffer of a completion.
    fn received(&mut self, result: io::Result<usize>, id: Option<u16>) -> io::Result<Option<Filled>> {
        let size = *result.as_ref().unwrap_or(&0);
        // SAFETY: the completion that is being handled named the buffer.
        let filled = id.and_then(|id| unsafe { self.buffers.take(id, size) });
        match (result, filled) {
            (Ok(1..), filled @ Some(_)) => Ok(filled),
            (Ok(1..), None) => Err(ErrorKind::InvalidData.into()),
            (result, filled) => {
                filled.into_iter().for_each(|filled| self.give_back(filled));
                result.map(|_| None)
            }
        }
    }

    /// Returns the bytes in the buffer, where the kernel wrote them.
    pub fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        self.buffers.bytes(filled)
    }

    pub fn give_back(&mut self, filled: Filled) {
        self.buffers.give_back(filled);
    }

    pub fn buffer_count(&self) -> usize {
        self.buffers.count().into()
    }

    /// Returns how many buffers the kernel does not have.
    pub fn buffers_in_use(&self) -> usize {
        self.buffers.in_use().into()
    }

    /// Returns how often completions did not fit the completion queue.
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Returns how many operations are in progress.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// Ends all operations.
    fn drain(&mut self) -> io::Result<()> {
        const ATTEMPTS: usize = 100;
        for _ in 0..ATTEMPTS {
            self.enter(Duration::ZERO)?;
            while self.next().is_some() {}
            if self.operations.len() == 0 {
                return Ok(());
            }
            let patience = Timespec::new().sec(1);
            match self
                .uring
                .submitter()
                .register_sync_cancel(Some(patience), CancelBuilder::any())
            {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Err(ErrorKind::TimedOut.into())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Memory that the kernel may still use is leaked.
        if self.drain().is_ok() {
            // SAFETY: no operation is in progress, so the kernel uses neither, and this is the last use of both.
            unsafe {
                ManuallyDrop::drop(&mut self.operations);
                ManuallyDrop::drop(&mut self.buffers);
            }
        }
    }
}

impl Kind {
    /// Returns what an operation is that has completed and goes on.
    fn repeated(&self) -> Option<Self> {
        match self {
            Self::Accept => Some(Self::Accept),
            Self::Receive => Some(Self::Receive),
            Self::ReceiveInto(_) | Self::Send { .. } | Self::Cancel => None,
        }
    }
}

impl Places {
    fn of(slices: [&[u8]; 2]) -> Box<Self> {
        let slices = slices.map(|slice| libc::iovec {
            iov_base: slice.as_ptr().cast_mut().cast(), // which is only read
            iov_len: slice.len(),
        });
        // SAFETY: a header of zeros has no address, no control data and nothing to send.
        let header = unsafe { mem::zeroed::<libc::msghdr>() };
        let mut places = Box::new(Self { header, slices });
        places.header.msg_iov = places.slices.as_mut_ptr();
        places.header.msg_iovlen = 2;
        places
    }
}

/// Returns how many bytes have arrived on a socket and were not received.
pub fn arrived(stream: &TcpStream) -> usize {
    let mut size: libc::c_int = 0;
    // SAFETY: FIONREAD writes an int (`tcp`(7)), and this is one.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::FIONREAD, &mut size) };
    match result {
        0 => usize::try_from(size).unwrap_or(0),
        _ => 0,
    }
}

/// Returns the length of an operation, which the kernel bounds.
fn length(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Returns the sizes of the queues that the kernel accepts and that are nearest to these.
fn queue_sizes(submissions: u32, completions: u32) -> (u32, u32) {
    const MOST_SUBMISSIONS: u32 = 1 << 15;
    const MOST_COMPLETIONS: u32 = 1 << 16;
    let submissions = submissions.clamp(1, MOST_SUBMISSIONS);
    (submissions, completions.clamp(submissions, MOST_COMPLETIONS))
}

/// Takes over the descriptor of an accepted connection.
///
/// # Safety
///
/// The descriptor must be open, and nothing else may own it.
unsafe fn stream(descriptor: usize) -> TcpStream {
    // SAFETY: as the caller promises.
    unsafe { TcpStream::from_raw_fd(descriptor as i32) }
}

/// Whether the call works again later: the time is over, a signal arrived, or completions have to be handled first.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::ResourceBusy
    ) || error.raw_os_error() == Some(libc::ETIME)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::outgoing::Payload;

    fn pair() -> io::Result<(TcpStream, Rc<TcpStream>)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let peer = TcpStream::connect(listener.local_addr()?)?;
        Ok((peer, Rc::new(listener.accept()?.0)))
    }

    fn ring() -> io::Result<Ring> {
        Ring::new(8, 16, Buffers::new(4, 64)?)
    }

    fn next(ring: &mut Ring) -> io::Result<Completion> {
        loop {
            match ring.next() {
                Some(completion) => return Ok(completion),
                None => ring.enter(Duration::from_secs(10))?,
            }
        }
    }

    /// The transport may accept any part of the header and the payload.
    #[test]
    fn the_rest_is_sent_from_every_split() -> io::Result<()> {
        let (mut peer, stream) = pair()?;
        let (mut ring, owner) = (ring()?, Key::from_u64(7));
        for sent in 0..13 {
            let outgoing = Outgoing {
                bytes: b"header".to_vec(),
                payload: Payload {
                    memory: b"--payload--".to_vec(),
                    range: 2..9,
                },
                sent,
            };
            ring.send(owner, &stream, outgoing);
            let Completion::Sent { result, .. } = next(&mut ring)? else {
                panic!("nothing else is in progress");
            };
            assert_eq!(result?, 13 - sent);
            let mut bytes = vec![0; 13 - sent];
            peer.read_exact(&mut bytes)?;
            assert_eq!(bytes, &b"headerpayload"[sent..]);
        }
        Ok(())
    }

    #[test]
    fn bytes_are_received_after_those_in_the_memory() -> io::Result<()> {
        let (peer, stream) = pair()?;
        let (mut ring, owner) = (ring()?, Key::from_u64(7));
        io::Write::write_all(&mut &peer, b"abcdef")?;
        for (before, size, after) in [("..", 3, "..abc"), ("", 5, "def"), ("..", 5, "..")] {
            let mut memory = Vec::with_capacity(before.len() + size);
            memory.extend_from_slice(before.as_bytes());
            if before.len() == after.len() {
                peer.shutdown(std::net::Shutdown::Write)?;
            }
            ring.receive_into(owner, &stream, memory, size);
            let Completion::ReceivedInto { result, memory, .. } = next(&mut ring)? else {
                panic!("nothing else is in progress");
            };
            assert_eq!(result?, after.len() - before.len());
            assert_eq!(memory, after.as_bytes());
        }
        Ok(())
    }

    /// `io_uring_setup`(2): EINVAL for a size of 0, for too large ones, and for fewer completions than submissions.
    #[test]
    fn the_kernel_accepts_the_sizes_of_the_queues() {
        for (wanted, sizes) in [
            ((0, 0), (1, 1)),
            ((0, 7), (1, 7)),
            ((256, 4096), (256, 4096)),
            ((256, 2), (256, 256)),
            ((1 << 15, 1 << 16), (1 << 15, 1 << 16)),
            (((1 << 15) + 1, (1 << 16) + 1), (1 << 15, 1 << 16)),
            ((u32::MAX, 0), (1 << 15, 1 << 15)),
            ((u32::MAX, u32::MAX), (1 << 15, 1 << 16)),
        ] {
            assert_eq!(queue_sizes(wanted.0, wanted.1), sizes, "{wanted:?}");
        }
    }
}
