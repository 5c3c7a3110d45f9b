//! The edge between the host and the module: the state of the instance, and the memory that both use.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

use websocket_proto::endpoint::{Buffers, EndpointConfig};

use crate::code::Code;
use crate::endpoint::Entry;
use crate::table::Table;

/// The version of the exports: `js/index.js` expects this one.
const VERSION: u32 = 1;

/// A buffer of the instance that is larger is replaced by the next smaller use of it.
const KEPT: usize = 1024 * 1024;

thread_local! {
    static INSTANCE: RefCell<Instance> = const { RefCell::new(Instance::new()) };
}

/// A kind, the address and the length of what is lent, and one more number.
static RESULT: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

/// The state of the instance.
pub struct Instance {
    pub table: Table,
    pub config: EndpointConfig,
    pub shared: Shared,
}

/// What all endpoints of the instance use.
pub struct Shared {
    /// What the host has written for the next call.
    argument: Vec<u8>,
    /// What was lent by the last call, unless an endpoint owns it.
    lent: Vec<u8>,
    /// The buffers of the last endpoint that became idle, for the next one that becomes busy.
    pub buffers: Option<Box<Buffers>>,
}

impl Instance {
    const fn new() -> Self {
        Self {
            table: Table::new(),
            config: EndpointConfig::new(),
            shared: Shared {
                argument: Vec::new(),
                lent: Vec::new(),
                buffers: None,
            },
        }
    }
}

impl Shared {
    /// Returns the first `len` bytes of the argument.
    pub fn argument(&self, len: u32) -> Result<&[u8], Code> {
        self.argument.get(..len as usize).ok_or(Code::InvalidArgument)
    }

    /// Lends bytes, which are copied.
    pub fn lend_copy(&mut self, bytes: &[u8]) {
        if self.lent.capacity() > KEPT && bytes.len() <= KEPT {
            self.lent = Vec::new();
        }
        self.lent.clear();
        self.lent.extend_from_slice(bytes);
        lend(&self.lent);
    }

    /// Lends bytes, which are kept.
    pub fn lend_owned(&mut self, bytes: Vec<u8>) {
        self.lent = bytes;
        lend(&self.lent);
    }

    fn reserve(&mut self, len: usize) -> Option<u32> {
        if self.argument.len() > KEPT && len <= KEPT {
            self.argument = Vec::new();
        }
        if let Some(more) = len.checked_sub(self.argument.len()) {
            self.argument.try_reserve_exact(more).ok()?;
            self.argument.resize(len, 0);
        }
        Some(address(&self.argument))
    }
}

/// Returns the version of the exports, which a host compares with the one that it was written for.
#[unsafe(no_mangle)]
pub extern "C" fn ws_version() -> u32 {
    VERSION
}

/// Returns the address of the four numbers with further results. It never changes.
#[unsafe(no_mangle)]
pub extern "C" fn ws_result() -> u32 {
    RESULT.as_ptr() as usize as u32
}

/// Returns the address of `len` bytes for the next call to read, or 0 if there is not so much memory or the instance is poisoned. Calls
/// that read them leave them as they are.
#[unsafe(no_mangle)]
pub extern "C" fn ws_argument(len: u32) -> u32 {
    let mut address = None;
    enter(|instance| {
        address = instance.shared.reserve(len.max(1) as usize);
        Ok(0)
    });
    address.unwrap_or(0)
}

/// Makes a call on the instance. The module imports nothing, so that calls never nest: if the state is in use, an earlier call trapped.
pub fn enter(call: impl FnOnce(&mut Instance) -> Result<i32, Code>) -> i32 {
    INSTANCE.with(|instance| {
        let result = match instance.try_borrow_mut() {
            Ok(mut instance) => call(&mut instance),
            Err(_) => Err(Code::Poisoned),
        };
        result.unwrap_or_else(|code| -(code as i32))
    })
}

/// Makes a call on an endpoint.
pub fn on(handle: f64, call: impl FnOnce(&mut Entry, &mut Shared) -> Result<i32, Code>) -> i32 {
    enter(|Instance { table, shared, .. }| call(table.get(handle)?, shared))
}

/// Sets the address and the length of the result.
pub fn lend(bytes: &[u8]) {
    set_lent(address(bytes), bytes.len());
}

/// Same as [`lend`], for memory that the host writes to.
pub fn lend_space(space: &mut [u8]) {
    set_lent(space.as_mut_ptr() as usize as u32, space.len());
}

/// Sets the kind and the last number of the result.
pub fn set_result(kind: u32, extra: u32) {
    let [first, _, _, last] = &RESULT;
    first.store(kind, Ordering::Relaxed);
    last.store(extra, Ordering::Relaxed);
}

fn set_lent(address: u32, len: usize) {
    let [_, start, size, _] = &RESULT;
    start.store(address, Ordering::Relaxed);
    size.store(len as u32, Ordering::Relaxed); // addresses have 32 bits
}

fn address(bytes: &[u8]) -> u32 {
    bytes.as_ptr() as usize as u32
}
