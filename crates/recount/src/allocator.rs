//! Which allocator the binary has: `docs/decisions/0006-allocator.md`.

use std::ffi::c_long;
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has the allocator's segments that are free as a whole given back to the system at once, instead of later and perhaps
/// never: what a recovery read becomes the heaps of the threads that start next otherwise, which are as large then as it
/// was. For `main`, before there are threads.
#[expect(unsafe_code, reason = "functions of the allocator without requirements, written in C")]
pub(crate) fn keep_no_large_blocks() {
    // SAFETY: an option is a plain field, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(ARENA_PURGE_MULT, 0) }
}

/// `mi_option_purge_delay` of mimalloc 2, ms; and `mi_option_arena_purge_mult`: the delay of whole segments, in units of that.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const ARENA_PURGE_MULT: libmimalloc_sys::mi_option_t = 24;

/// How long memory that is free is kept for whoever needs some next, ms: a view that is built takes hundreds of megabytes, and the system clears each
/// page that it hands out.
const KEPT_MS: u64 = 10_000;

/// From now on, keeps memory that is freed for a while; a thread gives back what was not needed. For a server that has opened its database.
#[expect(unsafe_code, reason = "functions of the allocator without requirements, written in C")]
pub(crate) fn keep_for_a_while() {
    // SAFETY: an option is one word; who reads it meanwhile sees what it was or what it is.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, KEPT_MS as c_long);
        libmimalloc_sys::mi_option_set(ARENA_PURGE_MULT, 1);
    }
    let gives_back = || {
        loop {
            thread::sleep(Duration::from_millis(KEPT_MS));
            give_back();
        }
    };
    // Without it, memory is given back when some is asked for.
    let _ = thread::Builder::new().name("recount-memory".to_owned()).spawn(gives_back);
}

/// Gives memory that is not used any more back to the system. The allocator does so by itself when it is called
/// again, which may be never: after a recovery that read a whole segment a server may have nothing to do.
#[expect(unsafe_code, reason = "a function of the allocator without requirements, written in C")]
pub(crate) fn give_back() {
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "functions of the allocator without requirements, written in C")]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: reads plain fields that nobody writes in tests.
        let option = |number| unsafe { libmimalloc_sys::mi_option_get(number) };
        // Its default, behind `arena_reserve` with 1 GiB in KiB.
        assert_eq!((option(ARENA_PURGE_MULT - 1), option(ARENA_PURGE_MULT)), (1 << 20, 10));
        assert_eq!(option(PURGE_DELAY), 10);
    }
}
