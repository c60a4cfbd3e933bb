//! The heap: dlmalloc's behind a lock that looks again before it sleeps.
//!
//! One heap for all threads gives memory back after a load: 3.0 MB, where glibc's sixteen hold 7.0, and
//! musl's is slow when many threads allocate. But tiny_http allocates some twenty times a request, in as
//! many threads as there are connections, and the pthread mutex in dlmalloc's own `GlobalDlmalloc` puts a
//! thread to sleep at once: 11 futex calls a turn at 64 clients, where this lock makes 1.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dlmalloc::Dlmalloc;

/// The program's allocator.
pub struct Heap(Mutex<Dlmalloc>);

impl Heap {
    /// An empty one.
    #[allow(clippy::new_without_default, reason = "a static needs a const, which Default can't be")]
    pub const fn new() -> Self {
        Self(Mutex::new(Dlmalloc::new()))
    }

    /// Spins for a moment while another thread is in there, which is never for long.
    fn lock(&self) -> MutexGuard<'_, Dlmalloc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets glibc have one arena for what little it allocates by itself, where it would make one for every
/// thread: 50 kB of memory, and 1 GB of addresses. Other C libraries have none. To be called before any
/// thread is started.
pub fn one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` takes two numbers, and sets one of malloc's under its lock. It fails on numbers that
    // it doesn't know, which leaves all as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

// SAFETY: dlmalloc keeps GlobalAlloc's promises about what it gives out, and the lock lets one thread at a
// time call it. Nothing in here can allocate or panic: on Linux the mutex is one word and a futex, the
// guard asks a thread-local count that is there from the start, and dlmalloc takes memory by `mmap`. What
// the callers promise (a pointer comes from here, with the layout it was asked for) is passed on as it is.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { self.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { self.lock().free(pointer, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { self.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        unsafe { self.lock().realloc(pointer, layout.size(), layout.align(), new_size) }
    }
}
