//! Which allocator the binary has: `docs/decisions/0006-allocator.md`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives memory that is not used any more back to the system. The allocator does so by itself when it is called
/// again, which may be never: after a recovery that read a whole segment a server may have nothing to do.
#[expect(unsafe_code, reason = "a function of the allocator without requirements, written in C")]
pub(crate) fn give_back() {
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
