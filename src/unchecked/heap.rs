//! The heap: dlmalloc's behind a lock that spins before it sleeps.
//!
//! One heap for all threads gives memory back after a load: 2.5 MB are left, where glibc's sixteen hold 7.0,
//! and musl's is slow when many threads allocate. But tiny_http allocates some twenty times a request, in as
//! many threads as there are connections, and the pthread mutex in dlmalloc's own `GlobalDlmalloc` puts a
//! thread to sleep at once: 11 futex calls a turn at 64 clients, where this lock makes 1.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dlmalloc::Dlmalloc;

#[global_allocator]
static HEAP: Heap = Heap(Mutex::new(
    const {
        let mut heap = Dlmalloc::new();
        assert!(heap.set_granularity(SEGMENT));
        heap
    },
));

/// Bytes requested from the system at a time. Segments below dlmalloc's own 64 KiB become unused, and are returned,
/// sooner.
const SEGMENT: usize = 16 * 1024;

struct Heap(Mutex<Dlmalloc>);

impl Heap {
    /// Spins briefly while another thread holds the lock, which never takes long.
    fn lock(&self) -> MutexGuard<'_, Dlmalloc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns unused memory to the system. Both heaps do so by themselves only while they are busy, and so keep what a
/// load leaves behind: 600 kB of it.
pub fn trim() {
    // SAFETY: `trim` asks for the lock alone, and gives back segments that hold nothing but one free chunk.
    // `malloc_trim` may be called at any time.
    unsafe {
        HEAP.lock().trim(0);
        #[cfg(target_env = "gnu")]
        libc::malloc_trim(0);
    }
}

/// Limits glibc to one arena for the little that it allocates itself; one per thread would take 50 kB of memory and 1
/// GB of addresses. Other C libraries have none. Call it before any thread is started.
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
