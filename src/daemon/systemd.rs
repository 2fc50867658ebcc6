//! What a service manager is told (`sd_notify(3)`): ready, reloading, stopping, alive, and a line
//! of how things are.
//!
//! Without a service manager (`NOTIFY_SOCKET`) nothing is told, and nothing is counted for it.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{error, warn};

use super::Server;
use crate::health::{Health, HealthTable};

/// The service manager, if there is one.
#[derive(Debug)]
pub(super) struct Manager {
    is_there: bool,
    /// The line it was told last.
    status: String,
    /// When it next wants to hear that the server lives.
    watchdog: Option<Interval>,
}

impl Manager {
    /// The one that started this process.
    pub(super) fn of_this_process() -> Self {
        let is_there = std::env::var_os("NOTIFY_SOCKET").is_some();
        let half = sd_notify::watchdog_enabled().map(|limit| limit / 2);
        let watchdog = half.filter(|half| is_there && *half > Duration::ZERO).map(|half| {
            let mut watchdog = interval(half);
            watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
            watchdog
        });
        Self { is_there, status: String::new(), watchdog }
    }

    /// Whether it is worth while to find out what to tell it.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Queries are answered, by what is in force.
    pub(super) fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// A configuration is being read, or another process started.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "no clock to tell the service manager of"),
        }
    }

    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// Another process is the service from now on.
    pub(super) fn main_process(&self, id: u32) {
        self.tell(&[NotifyState::MainPid(id)]);
    }

    /// A line for `systemctl status`, if it has changed.
    pub(super) fn status(&mut self, line: String) {
        if line != self.status {
            self.tell(&[NotifyState::Status(&line)]);
            self.status = line;
        }
    }

    /// Waits until it is time to say that the server lives; for ever if nobody asks.
    pub(super) async fn asks_for_life(&mut self) {
        match &mut self.watchdog {
            Some(watchdog) => drop(watchdog.tick().await),
            None => std::future::pending().await,
        }
    }

    pub(super) fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        if self.is_there
            && let Err(error) = sd_notify::notify(what)
        {
            warn!(%error, "cannot reach the service manager");
        }
    }
}

/// How things are, in a line.
fn status_line(services: usize, health: &HealthTable) -> String {
    let [mut up, mut down, mut unknown] = [0_usize; 3];
    for (_, state) in health.iter() {
        match state.health() {
            Health::Up => up += 1,
            Health::Down => down += 1,
            Health::Unknown => unknown += 1,
        }
    }
    let mut line = format!("{services} services; targets: {up} up, {down} down");
    if unknown > 0 {
        line += &format!(", {unknown} not known yet");
    }
    line
}

impl Server {
    /// Tells the service manager how things are, if that may have changed.
    pub(super) fn tell_status(&mut self) {
        if std::mem::take(&mut self.tell_status) && self.manager.is_there() {
            let services = self.writer.world().load().catalog.services.len();
            self.manager.status(status_line(services, self.writer.health()));
        }
    }

    /// Tells the service manager that this loop goes round and every UDP worker does.
    pub(super) fn say_it_lives(&mut self) {
        match self.serving.stuck_workers() {
            0 => self.manager.alive(),
            stuck => error!(stuck, "UDP workers stand still: the service manager is not told"),
        }
    }
}
