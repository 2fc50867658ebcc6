//! What the daemon's loop does about a process that takes over, and what is left to do after.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use anyhow::Context;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::super::signals::Signals;
use super::super::{REPORT_BATCH, Server};
use super::successor::Event;
use super::{Estate, Heritage, Successor};
use crate::health::Saved;

/// Waits for the next word of a process that is to take over; for ever if there is none.
pub(in crate::daemon) async fn next(successor: &mut Option<Successor>) -> Event {
    match successor {
        Some(successor) => successor.next().await,
        None => std::future::pending().await,
    }
}

impl Server {
    /// Starts the process that takes over.
    pub(in crate::daemon) fn hand_over(&mut self) {
        if self.successor.is_some() {
            warn!("SIGUSR2: a new process is taking over already");
            return;
        }
        match Heritage::successor(self.program.as_ref()) {
            Ok(successor) => {
                info!("SIGUSR2: a new process is to take over");
                self.manager.reloading();
                self.successor = Some(successor);
            }
            Err(error) => {
                let error = format!("{error:#}");
                error!(error, "SIGUSR2: no process takes over; this one goes on");
            }
        }
    }

    /// Takes in a word of the new process. To break is to leave everything to it.
    pub(in crate::daemon) fn succeed(&mut self, event: Event) -> ControlFlow<()> {
        match event {
            Event::AsksForEstate(reply) => {
                match self.estate() {
                    // What would change from here on, the new process would not know of.
                    Ok(estate) => self.is_sealed = reply.send(estate).is_ok(),
                    Err(error) => error!(%error, "nothing can be handed over"),
                }
                ControlFlow::Continue(())
            }
            Event::Ready { id } => {
                info!(process = id, "a new process has taken over");
                // Before this one ends: the service would count as ended with it.
                self.manager.main_process(id);
                ControlFlow::Break(())
            }
            Event::Failed(error) => {
                error!(error, "the new process has not taken over; this one goes on");
                self.successor = None;
                self.is_sealed = false;
                self.manager.ready();
                ControlFlow::Continue(())
            }
        }
    }

    /// All that the next process gets. A part more is a line here and one in `Server::start`.
    fn estate(&self) -> Result<(Estate, Vec<OwnedFd>), anyhow::Error> {
        let mut estate = Estate::new(self.cookie_secret);
        estate.put("health", &Saved::of(self.writer.health(), SystemTime::now()));
        // They are on disk, too, or about to be; this is what is in force.
        estate.put_overrides(&self.writer.world().load().overrides);
        let mut sockets = self.serving.sockets().context("no descriptor for a socket")?;
        if let Some((configured, socket)) = &self.admin_socket {
            let socket = socket.try_clone().context("no descriptor for the admin socket")?;
            sockets.push((*configured, socket.into()));
        }
        let (addresses, descriptors) = sockets.into_iter().unzip();
        estate.sockets = addresses;
        Ok((estate, descriptors))
    }
}

/// What is left of a server whose sockets another process reads: its open TCP connections. They
/// are served as before, with health as it is found, until they end, a grace is over or somebody
/// stops them. The state file, the admin side and the service manager are the other's.
pub(in crate::daemon) async fn outlive(mut server: Server, mut signals: Signals) {
    let grace = server.writer.world().load().catalog.settings.handover_grace;
    server.admin_socket = None;
    // Whoever asks still is told that this server stops.
    server.requests.close();
    while server.requests.try_recv().is_ok() {}
    server.serving.let_go();
    let mut batch = Vec::with_capacity(REPORT_BATCH);
    let mut probing = true;
    let go_on = async {
        loop {
            tokio::select! {
                biased;
                _ = signals.terminate.recv() => break info!("SIGTERM: stopping"),
                _ = signals.interrupt.recv() => break info!("SIGINT: stopping"),
                () = server.serving.connections_ended() => break,
                taken = server.reports.recv_many(&mut batch, REPORT_BATCH), if probing => {
                    probing = taken > 0;
                    server.observe(&mut batch);
                }
            }
        }
    };
    let in_time = timeout(grace, go_on).await.is_ok();
    let open = server.serving.counters().tcp.open;
    if !in_time {
        info!(open, "the grace of TCP connections is over");
    }
    server.prober.stop().await;
    let counters = server.serving.stop().await;
    let udp = counters.udp();
    info!(udp_queries = udp.queries, tcp_queries = counters.tcp.queries, "stopped: handed over");
}
