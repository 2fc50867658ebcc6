//! From addresses to a running server and back: bind, start, count, stop.
//!
//! The order is what this file is for: all sockets are bound before the first thread starts,
//! and nothing is left running after a stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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
use super::udp::{UdpWorkerCounters, Worker, WorkerCounters};
use super::{Answer, Counters, ListenConfig, ServeError, TcpLimits};
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
        if config.addresses.is_empty() {
            return Err(ServeError::NoAddresses);
        }
        let workers = match config.udp_workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let bound = config
            .addresses
            .iter()
            .map(|address| BoundAddress::bind(*address, workers, &config.tcp))
            .collect::<Result<Vec<_>, _>>()?;
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
            let listener = Listener {
                listener,
                local,
                clerks: Arc::new(Clerks::new(Arc::clone(&factory))),
                admission: Arc::clone(&admission),
                counters: Arc::clone(&serving.tcp_counters),
                stop: serving.stop_tcp.subscribe(),
                stop_grace: self.stop_grace,
            };
            serving.listeners.push(runtime.spawn(listener.run()));
            for socket in bound.udp {
                let counters = Arc::new(WorkerCounters::default());
                let worker = Worker {
                    socket,
                    local,
                    factory: Arc::clone(&factory),
                    counters: Arc::clone(&counters),
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
                serving.workers.push(RunningWorker { local, thread: Some(thread), counters });
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
}

/// The running server. Dropping it tells everything to stop without waiting for it.
pub struct Serving {
    workers: Vec<RunningWorker>,
    listeners: Vec<task::JoinHandle<()>>,
    tcp_counters: Arc<LiveCounters>,
    stop_udp: Arc<AtomicBool>,
    stop_tcp: watch::Sender<bool>,
}

impl Serving {
    fn new() -> Self {
        Self {
            workers: Vec::new(),
            listeners: Vec::new(),
            tcp_counters: Arc::default(),
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
        for listener in std::mem::take(&mut self.listeners) {
            if let Err(error) = listener.await {
                error!(%error, "a TCP listener had ended in a panic");
            }
        }
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
mod tests {
    use super::*;
    use crate::serve::testing::{Echo, config, receive, start, udp_client};

    #[test]
    fn no_address_is_an_error() {
        let error = Listeners::bind(&ListenConfig::new(Vec::new())).unwrap_err();
        assert_eq!(error.to_string(), "no address to listen on");
    }

    #[test]
    fn workers_take_the_cores_in_turn() {
        let cores = |worker: Option<usize>| {
            let on_thread = move || {
                if let Some(worker) = worker {
                    stay_on_a_core(worker);
                }
                let set = rustix::thread::sched_getaffinity(None).unwrap();
                (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect::<Vec<_>>()
            };
            thread::spawn(on_thread).join().unwrap()
        };
        let allowed = cores(None);
        for worker in 0..allowed.len() + 2 {
            assert_eq!(cores(Some(worker)), [allowed[worker % allowed.len()]]);
        }
    }

    #[tokio::test]
    async fn serves_every_address_of_the_list() {
        let addresses = ["127.0.0.1:0", "[::1]:0"].map(|address| address.parse().unwrap());
        let config = ListenConfig { addresses: addresses.to_vec(), ..config("127.0.0.1", 2) };
        let listeners = Listeners::bind(&config).unwrap();
        let local = listeners.local_addresses();
        assert_eq!(local.len(), 2);
        let serving = listeners.start(|_| Echo, &Handle::current()).unwrap();
        for (address, host) in local.iter().zip(["127.0.0.1", "::1"]) {
            let client = udp_client(host);
            client.send_to(b"hello", address).unwrap();
            assert_eq!(receive(&client), (b"hello".to_vec(), *address));
        }
        let counters = serving.stop().await;
        let per_worker: Vec<_> = counters.udp_workers.iter().map(|w| w.address).collect();
        assert_eq!(per_worker, [local[0], local[0], local[1], local[1]]);
    }

    #[tokio::test]
    async fn a_stop_frees_the_address() {
        let config = config("127.0.0.1", 2);
        let (serving, address) = start(&config);
        serving.stop().await;
        let again = ListenConfig { addresses: vec![address], ..config };
        assert_eq!(Listeners::bind(&again).unwrap().local_addresses(), [address]);
    }

    #[tokio::test]
    async fn one_address_that_fails_fails_all_before_anything_starts() {
        let holder = Listeners::bind(&config("127.0.0.1", 1)).unwrap();
        let taken = holder.local_addresses()[0];
        let free = "127.0.0.1:0".parse().unwrap();
        let both = ListenConfig { addresses: vec![free, taken], ..config("127.0.0.1", 1) };
        let error = Listeners::bind(&both).unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()), "{error}");
    }
}
