//! The read space of an endpoint as a writable buffer of Python, so that a transport reads directly into it.

use std::ffi::c_int;
use std::ptr;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::endpoint::Endpoint;

/// Exports the read space. One buffer may exist at a time, and the endpoint is not used until it is released.
///
/// # Safety
///
/// `view` is null, or points to a `Py_buffer` that may be written.
pub unsafe fn export(
    endpoint: &Bound<'_, Endpoint>,
    view: *mut ffi::Py_buffer,
    flags: c_int,
) -> PyResult<()> {
    if view.is_null() {
        return Err(PyBufferError::new_err("no view to fill in"));
    }
    // SAFETY: the caller lets us write `view`. A null `obj` says that nothing is exported, as the buffer protocol requires
    // after an error.
    unsafe { (*view).obj = ptr::null_mut() };
    let mut state = endpoint.get().lock()?;
    let space = state.endpoint.read_space();
    let size = ffi::Py_ssize_t::try_from(space.len())?;
    let start = space.as_mut_ptr().cast();
    // SAFETY: the caller lets us write `view`, `endpoint` is an object of Python, and the space is `size` initialized bytes.
    // It remains valid, and nothing else reads or writes it, until the buffer is released: it belongs to the endpoint, which
    // every method reaches by `Endpoint::lock`, which fails while `is_exported`; and the endpoint is not dropped, because
    // the view holds a reference to it.
    let status = unsafe { ffi::PyBuffer_FillInfo(view, endpoint.as_ptr(), start, size, 0, flags) };
    if status != 0 {
        return Err(PyErr::fetch(endpoint.py()));
    }
    state.is_exported = true;
    Ok(())
}
