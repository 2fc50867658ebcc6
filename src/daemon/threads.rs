//! The threads that are not the sockets': three runtimes, and who of them yields to whom.

use anyhow::Context;
use tokio::runtime::Runtime;
use tracing::debug;

/// Gives a reload a tenth of the share of a core that a thread has that answers: it is in no
/// haste, and a busy server has no core to spare for it.
pub(super) const RELOAD_NICENESS: i32 = 10;

/// Gives probes, and the admin interface, a third of that share.
const PROBE_NICENESS: i32 = 5;

/// What the admin interface may do at a time that takes long, such as reading a database.
const ADMIN_BLOCKING_THREADS: usize = 4;

/// The runtime everything but the UDP workers runs on.
///
/// # Errors
/// When the operating system gives no thread.
pub fn runtime() -> Result<Runtime, anyhow::Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")
}

/// The runtime the probes run on: threads of their own, and of low priority. Many probes a second
/// are work, and work for later; an answer is for now.
pub(super) fn probe_runtime() -> Result<Runtime, anyhow::Error> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("probe")
        .on_thread_start(|| yield_to_others(PROBE_NICENESS))
        .enable_all()
        .build()
        .context("cannot start the runtime of the probes")
}

/// The runtime the admin interface runs on: one thread of its own, of low priority. Whoever troubles
/// it is to trouble nobody else.
pub(super) fn admin_runtime() -> Result<Runtime, anyhow::Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(ADMIN_BLOCKING_THREADS)
        .thread_name("admin")
        .on_thread_start(|| yield_to_others(PROBE_NICENESS))
        .enable_all()
        .build()
        .context("cannot start the runtime of the admin interface")
}

/// Lowers the calling thread's priority below that of the threads that answer.
pub(super) fn yield_to_others(niceness: i32) {
    if let Err(error) = rustix::process::nice(niceness) {
        debug!(%error, "a thread takes its full share of a core");
    }
}

/// Does something on a thread of low priority, for a process beside which another one answers.
pub fn at_low_priority<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let lowered = || {
        yield_to_others(RELOAD_NICENESS);
        work()
    };
    let done = std::thread::scope(|scope| scope.spawn(lowered).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
