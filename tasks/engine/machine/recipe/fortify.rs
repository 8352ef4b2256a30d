//! The two fortified printf functions of glibc that Debian's libunwind.a asks for, by musl's plain ones.
#![no_std]
#![crate_type = "lib"]
use core::ffi::{c_char, c_int, c_void};

extern "C" {
    fn vfprintf(stream: *mut c_void, format: *const c_char, arguments: *mut c_void) -> c_int;
    fn vsnprintf(text: *mut c_char, size: usize, format: *const c_char, arguments: *mut c_void) -> c_int;
}

#[no_mangle]
pub unsafe extern "C" fn __vfprintf_chk(
    stream: *mut c_void,
    _flag: c_int,
    format: *const c_char,
    arguments: *mut c_void,
) -> c_int {
    vfprintf(stream, format, arguments)
}

#[no_mangle]
pub unsafe extern "C" fn __vsnprintf_chk(
    text: *mut c_char,
    size: usize,
    _flag: c_int,
    _capacity: usize,
    format: *const c_char,
    arguments: *mut c_void,
) -> c_int {
    vsnprintf(text, size, format, arguments)
}
