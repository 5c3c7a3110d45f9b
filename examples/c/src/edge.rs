//! The edge between C and Rust: finds the endpoint, and catches panics.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bytes::wsp_bytes;
use crate::code::wsp_code;
use crate::create::Entry;
use crate::entropy::EntropyFailed;
use crate::table::{self, Content, wsp_endpoint};

/// Makes a call on an endpoint. After a panic the endpoint may be in any state, so it is dropped, and its handle poisoned.
pub fn enter(endpoint: wsp_endpoint, work: impl FnOnce(&mut Entry) -> Result<(), wsp_code>) -> wsp_code {
    let result = table::with(endpoint, |content| match content {
        Content::Free => Err(wsp_code::StaleHandle),
        Content::Poisoned => Err(wsp_code::Poisoned),
        Content::Live(entry) => catch(|| work(entry)).unwrap_or_else(|panicked| {
            let broken = std::mem::replace(content, Content::Poisoned);
            _ = catch(|| drop(broken));
            Err(panicked)
        }),
    });
    code(result.and_then(|result| result))
}

/// Makes a call on an endpoint that returns bytes of it, which `bytes` then lends.
pub fn enter_lending(
    endpoint: wsp_endpoint,
    bytes: Option<&mut MaybeUninit<wsp_bytes>>,
    find: impl FnOnce(&mut Entry) -> Result<&[u8], wsp_code>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let bytes = out(bytes)?;
        bytes.write(wsp_bytes::lend(find(entry)?));
        Ok(())
    })
}

/// Makes a call that is on no endpoint.
pub fn enter_without(work: impl FnOnce() -> Result<(), wsp_code>) -> wsp_code {
    code(catch(work).and_then(|result| result))
}

fn code(result: Result<(), wsp_code>) -> wsp_code {
    result.err().unwrap_or(wsp_code::Ok)
}

fn catch<R>(work: impl FnOnce() -> R) -> Result<R, wsp_code> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.is::<EntropyFailed>() {
        true => wsp_code::NoEntropy,
        false => wsp_code::Panicked,
    })
}

/// An out-parameter.
pub fn out<T>(parameter: Option<&mut MaybeUninit<T>>) -> Result<&mut MaybeUninit<T>, wsp_code> {
    parameter.ok_or(wsp_code::NullPointer)
}
