//! Memory that C describes by a pointer and a length. The fields are private to this module: Rust creates such a value only from a
//! slice, and C vouches for all others.

use std::slice;

use crate::code::wsp_code;

/// Bytes, or text, which is then UTF-8 without a NUL at the end.
///
/// As a parameter, the bytes belong to the caller, are only read, and may be freed or changed after the call. `data` points to at least
/// `len` initialized bytes; NULL is allowed if `len` is 0. A `len` over SIZE_MAX / 2 is refused with `WSP_CODE_INVALID_ARGUMENT`.
///
/// As a result, the bytes are lent: they must not be written to or freed, and each function says how long they are valid. `data` is
/// then not NULL, even if `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wsp_bytes {
    data: *const u8,
    len: usize,
}

/// Memory to read into. Written by `wsp_read_space`.
#[repr(C)]
pub struct wsp_space {
    /// Not NULL.
    data: *mut u8,
    /// Not 0.
    len: usize,
}

/// A field of an HTTP head: its name and its value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wsp_field {
    pub name: wsp_bytes,
    pub value: wsp_bytes,
}

/// An array of `wsp_bytes`, such as the names of subprotocols. NULL is allowed if `count` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wsp_list {
    items: *const wsp_bytes,
    count: usize,
}

/// An array of fields. NULL is allowed if `count` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wsp_fields {
    items: *const wsp_field,
    count: usize,
}

impl wsp_bytes {
    pub const EMPTY: Self = Self {
        data: c"".as_ptr().cast(),
        len: 0,
    };

    /// An empty slice may point anywhere, which C would take for a wild pointer.
    pub fn lend(bytes: &[u8]) -> Self {
        match bytes.len() {
            0 => Self::EMPTY,
            len => Self {
                data: bytes.as_ptr(),
                len,
            },
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn as_slice(&self) -> Result<&[u8], wsp_code> {
        array(&self.data, self.len)
    }

    pub fn as_text(&self) -> Result<&str, wsp_code> {
        websocket_proto::utf8::validate(self.as_slice()?).map_err(|_| wsp_code::InvalidUtf8)
    }
}

impl wsp_space {
    pub fn lend(space: &mut [u8]) -> Self {
        Self {
            data: space.as_mut_ptr(),
            len: space.len(),
        }
    }
}

impl wsp_list {
    pub fn texts(&self) -> Result<Vec<&str>, wsp_code> {
        array(&self.items, self.count)?
            .iter()
            .map(wsp_bytes::as_text)
            .collect()
    }
}

impl wsp_fields {
    pub fn pairs(&self) -> Result<Vec<(&str, &[u8])>, wsp_code> {
        let fields = array(&self.items, self.count)?.iter();
        fields
            .map(|field| Ok((field.name.as_text()?, field.value.as_slice()?)))
            .collect()
    }
}

/// Returns what a struct of this module describes: takes its pointer by reference, so that the result is borrowed from the struct.
fn array<T>(data: &*const T, len: usize) -> Result<&[T], wsp_code> {
    match (len, data.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(wsp_code::NullPointer),
        (_, false) if len > isize::MAX as usize / size_of::<T>() => Err(wsp_code::InvalidArgument),
        // SAFETY: it is not NULL, and its size is at most `isize::MAX`. It comes from a struct that C passed to a call, or from `lend`.
        // The header requires of C that it points to `len` initialized and aligned values, which nothing writes to during the call;
        // the result ends with the struct, which ends with the call. Values from `lend` do not get here, as no function of this package
        // reads what it has lent, unless C passes it back: it is then still valid by the rule for lent memory.
        (_, false) => Ok(unsafe { slice::from_raw_parts(*data, len) }),
    }
}
