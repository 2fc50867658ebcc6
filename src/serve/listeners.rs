//! From addresses to a running server and back: bind, start, count, stop.
//!
//! The order is what this file is for: all sockets are bound before the first thread starts,
//! and nothing is left running after a stop.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::CpuSet;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task;
use tracing::{error, info, warn};

use super::bind::BoundAddress;
use super::tcp::{Admission, Clerks, Listener, LiveCounters};
use super::udp::{Pulse, UdpSocket, UdpWorkerCounters, Worker, WorkerCounters};
use super::{Answer, Counters, GivenSockets, ListenConfig, ServeError, TcpLimits};
use crate::tally::Distribution;

/// All sockets, bound; queries already queue up in them.
#[derive(Debug)]
pub struct Listeners {
    bound: Vec<BoundAddress>,
    pin_workers: bool,
    tcp: TcpLimits,
    stop_grace: Duration,
}

impl Listeners {
    /// Binds every address for UDP and TCP, or says which one it could not have and why.
    pub fn bind(config: &ListenConfig) -> Result<Self, ServeError> {
        Self::bind_beside(config, &mut GivenSockets::default())
    }

    /// The same where sockets are given: those for an address of the configuration are taken and
    /// the others left.
    ///
    /// Nothing that may fail because of somebody else comes after the first socket is bound beside
    /// one that is given: it has its share of the queries from that moment on.
    pub fn bind_beside(
        config: &ListenConfig,
        given: &mut GivenSockets,
    ) -> Result<Self, ServeError> {
        if config.addresses.is_empty() {
            return Err(ServeError::NoAddresses);
        }
        let workers = match config.udp_workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let mut order: Vec<_> = config.addresses.iter().copied().enumerate().collect();
        order.sort_by_key(|(_, address)| given.has(*address));
        let mut bound = order
            .into_iter()
            .map(|(at, address)| {
                Ok((at, BoundAddress::bind(address, workers, &config.tcp, given)?))
            })
            .collect::<Result<Vec<_>, ServeError>>()?;
        bound.sort_by_key(|(at, _)| *at);
        let bound: Vec<_> = bound.into_iter().map(|(_, bound)| bound).collect();
        // The limit is the machine's, so the first socket tells for all.
        bound[0].buffers.warn_if_capped();
        Ok(Self {
            bound,
            pin_workers: config.pin_udp_workers,
            tcp: config.tcp,
            stop_grace: config.stop_grace,
        })
    }

    /// The addresses in the order given, with the ports they really got.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|bound| bound.local).collect()
    }

    /// Starts to answer: UDP on threads of its own, TCP on `runtime`.
    ///
    /// `factory` is called with the address listened on, as it was configured: once in each UDP
    /// worker thread and, over TCP, whenever more connections are answered at one time than
    /// before; again after a panic.
    pub fn start<A, F>(self, factory: F, runtime: &Handle) -> Result<Serving, ServeError>
    where
        A: Answer,
        F: Fn(SocketAddr) -> A + Send + Sync + 'static,
    {
        let (factory, pin) = (Arc::new(factory), self.pin_workers);
        let admission = Arc::new(Admission::new(self.tcp));
        // Dropped on an early return, which stops what has been started.
        let mut serving = Serving::new();
        let _context = runtime.enter();
        for bound in self.bound {
            let (local, configured) = (bound.local, bound.configured);
            let factory = Arc::clone(&factory);
            let factory = Arc::new(move || factory(configured));
            let listener = TcpListener::from_std(bound.tcp)
                .map_err(|source| ServeError::StartListener { address: local, source })?;
            let listener = Arc::new(listener);
            serving.tcp_sockets.push((configured, Arc::downgrade(&listener)));
            let listener = Listener {
                listener,
                local,
                clerks: Arc::new(Clerks::new(Arc::clone(&factory))),
                admission: Arc::clone(&admission),
                counters: Arc::clone(&serving.tcp_counters),
                let_go: serving.let_go.subscribe(),
                stop: serving.stop_tcp.subscribe(),
                stop_grace: self.stop_grace,
            };
            serving.listeners.push(runtime.spawn(listener.run()));
            for socket in bound.udp {
                let held = Arc::downgrade(&socket);
                if !serving.udp_sockets.iter().any(|(_, other)| other.ptr_eq(&held)) {
                    serving.udp_sockets.push((configured, held));
                }
                let pulse = Arc::new(Pulse::default());
                let counters = Arc::new(WorkerCounters::default());
                let worker = Worker {
                    socket,
                    local,
                    factory: Arc::clone(&factory),
                    counters: Arc::clone(&counters),
                    pulse: Arc::clone(&pulse),
                    stop: Arc::clone(&serving.stop_udp),
                };
                let number = serving.workers.len();
                let run = move || {
                    if pin {
                        stay_on_a_core(number);
                    }
                    worker.run();
                };
                let thread = thread::Builder::new()
                    .name(format!("udp-{number}"))
                    .spawn(run)
                    .map_err(|source| ServeError::StartWorker { address: local, source })?;
                let running =
                    RunningWorker { local, thread: Some(thread), counters, pulse, laps: 0 };
                serving.workers.push(running);
            }
            info!(address = %local, "listening on UDP and TCP");
        }
        Ok(serving)
    }
}

/// Keeps the calling thread on one of the cores it may use: the first, the second and so on
/// for workers 0, 1 and so on.
fn stay_on_a_core(worker: usize) {
    let pin = || {
        let allowed = rustix::thread::sched_getaffinity(None)?;
        let cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).cycle();
        let mut one = CpuSet::new();
        cores.skip(worker).take(1).for_each(|core| one.set(core));
        rustix::thread::sched_setaffinity(None, &one)
    };
    if let Err(error) = pin() {
        warn!(worker, %error, "cannot keep a UDP worker on one core");
    }
}

struct RunningWorker {
    local: SocketAddr,
    /// `None` once joined.
    thread: Option<JoinHandle<()>>,
    counters: Arc<WorkerCounters>,
    pulse: Arc<Pulse>,
    /// Its laps when it was last looked at.
    laps: u64,
}

/// The running server. Dropping it tells everything to stop without waiting for it.
pub struct Serving {
    workers: Vec<RunningWorker>,
    listeners: Vec<task::JoinHandle<()>>,
    tcp_counters: Arc<LiveCounters>,
    /// The sockets by the addresses of the configuration. They belong to those who read them: a
    /// socket that nobody reads any more shall not take queries.
    udp_sockets: Vec<(SocketAddr, Weak<UdpSocket>)>,
    tcp_sockets: Vec<(SocketAddr, Weak<TcpListener>)>,
    let_go: watch::Sender<bool>,
    stop_udp: Arc<AtomicBool>,
    stop_tcp: watch::Sender<bool>,
}

impl Serving {
    fn new() -> Self {
        Self {
            workers: Vec::new(),
            listeners: Vec::new(),
            tcp_counters: Arc::default(),
            udp_sockets: Vec::new(),
            tcp_sockets: Vec::new(),
            let_go: watch::Sender::new(false),
            stop_udp: Arc::default(),
            stop_tcp: watch::Sender::new(false),
        }
    }

    /// What was counted so far. A UDP worker adds up after each batch.
    pub fn counters(&self) -> Counters {
        let udp_workers = self.workers.iter().map(|worker| UdpWorkerCounters {
            address: worker.local,
            counters: worker.counters.read(),
        });
        let mut udp_took = Distribution::default();
        self.workers.iter().for_each(|worker| udp_took.merge(&worker.counters.took.read()));
        Counters {
            udp_workers: udp_workers.collect(),
            udp_took,
            tcp: self.tcp_counters.read(),
            tcp_took: self.tcp_counters.took.read(),
        }
    }

    /// Every socket once more, with the address of the configuration that it is for: for a process
    /// that takes over.
    ///
    /// # Errors
    /// When the operating system gives no descriptor.
    pub fn sockets(&self) -> io::Result<Vec<(SocketAddr, OwnedFd)>> {
        let udp = self.udp_sockets.iter().filter_map(|(configured, socket)| {
            Some((*configured, socket.upgrade()?.as_fd().try_clone_to_owned()))
        });
        let tcp = self.tcp_sockets.iter().filter_map(|(configured, socket)| {
            Some((*configured, socket.upgrade()?.as_fd().try_clone_to_owned()))
        });
        udp.chain(tcp).map(|(configured, socket)| Ok((configured, socket?))).collect()
    }

    /// How many UDP workers have ended, or have not gone round since this was last asked.
    pub fn stuck_workers(&mut self) -> usize {
        let is_stuck = |worker: &mut RunningWorker| {
            let ended = worker.thread.as_ref().is_none_or(JoinHandle::is_finished);
            let laps = worker.pulse.laps();
            ended || std::mem::replace(&mut worker.laps, laps) == laps
        };
        self.workers.iter_mut().filter_map(|worker| is_stuck(worker).then_some(())).count()
    }

    /// Leaves the sockets to another process that reads them, too: UDP workers answer what they
    /// have received and end, no connection is accepted any more, and those that are open are
    /// served as before until [`stop`](Self::stop).
    pub fn let_go(&self) {
        self.stop_udp.store(true, Relaxed);
        self.let_go.send_replace(true);
    }

    /// Waits until the last TCP connection has ended, of a server that has
    /// [let go](Self::let_go).
    pub async fn connections_ended(&mut self) {
        while let Some(listener) = self.listeners.last_mut() {
            if let Err(error) = listener.await {
                error!(%error, "a TCP listener had ended in a panic");
            }
            self.listeners.pop();
        }
    }

    /// Stops: nothing new is taken, what is queued is answered, everything is joined.
    ///
    /// Takes at most the grace of the configuration and some 200 ms. Returns the last counts.
    pub async fn stop(mut self) -> Counters {
        self.signal();
        let threads: Vec<_> =
            self.workers.iter_mut().filter_map(|worker| worker.thread.take()).collect();
        let joined = task::spawn_blocking(move || {
            threads.into_iter().filter_map(|thread| thread.join().err()).count()
        });
        match joined.await {
            Ok(0) => {}
            Ok(panicked) => error!(panicked, "UDP workers had ended in a panic"),
            Err(error) => error!(%error, "cannot wait for the UDP workers"),
        }
        self.connections_ended().await;
        self.counters()
    }

    fn signal(&self) {
        self.stop_udp.store(true, Relaxed);
        self.stop_tcp.send_replace(true);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.signal();
    }
}

#[cfg(test)]
#[path = "listeners_tests.rs"]
mod tests;
