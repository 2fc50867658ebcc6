//! Webhooks: events posted to somebody's HTTP server, signed, and tried again until they arrive.
//!
//! Each webhook has a bounded queue and a task of its own, so that a slow one holds up neither
//! the others nor whoever tells of events: [`Webhooks::tell`] never waits. Events of one webhook
//! arrive in their order, for the next is posted when the one before has arrived or was given
//! up. What was not delivered when the server stops is not delivered.

mod body;
mod delivery;
mod queue;
mod retry;
mod signature;

use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{error, warn};

use crate::catalog::{Webhook, WebhookEvent};
use crate::history::{Event, Kind, MAX_NAMED};

use delivery::Courier;
use queue::Queue;

pub use queue::WebhookCounts;

/// Why a webhook cannot be started.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// No HTTP client.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// The system's certificate authorities are not to be had, which `https` needs.
    #[error("no certificate authorities of the system: {0}")]
    SystemCertificates(String),
}

/// All webhooks of a configuration, at work.
#[derive(Debug)]
pub struct Webhooks {
    hooks: Vec<Hook>,
    runtime: Handle,
    /// Who tells.
    server: Arc<str>,
}

/// One webhook, at work until it is dropped.
#[derive(Debug)]
struct Hook {
    wish: Webhook,
    queue: Arc<Queue>,
    /// `None` if it could not be started: what it should be told is lost.
    task: Option<AbortHandle>,
}

impl Webhooks {
    /// None yet; tasks will run on `runtime`. `server` is who tells.
    pub fn new(runtime: Handle, server: Arc<str>) -> Self {
        Self { hooks: Vec::new(), runtime, server }
    }

    /// Goes by what a configuration wishes. A webhook that stays as it was keeps what it has
    /// not delivered yet.
    pub fn follow(&mut self, wishes: &[Webhook]) {
        let mut before = std::mem::take(&mut self.hooks);
        for wish in wishes {
            let kept = before.iter().position(|hook| hook.wish == *wish);
            let hook = match kept {
                Some(at) => before.swap_remove(at),
                None => Hook::start(wish.clone(), &self.runtime),
            };
            self.hooks.push(hook);
        }
        for hook in before {
            let undelivered = hook.queue.counts().waiting;
            if undelivered > 0 {
                warn!(
                    url = shown(&hook.wish.url),
                    undelivered, "a webhook ends before its events arrived"
                );
            }
        }
    }

    /// Tells of an event whoever wants to hear of it.
    pub fn tell(&self, event: &Event) {
        let kind = match event.kind {
            Kind::Health => WebhookEvent::Health,
            Kind::Override => WebhookEvent::Override,
            Kind::Reload => WebhookEvent::Reload,
            Kind::Warning => WebhookEvent::Warning,
        };
        for hook in self.hooks.iter().filter(|hook| hook.wants(kind, &event.services)) {
            hook.queue.put(body::parcel(event, &self.server));
        }
    }

    /// What became of events, by webhook in the order of the configuration: its URL without
    /// what is secret in it, and counts.
    pub fn counts(&self) -> Vec<(String, WebhookCounts)> {
        self.hooks.iter().map(|hook| (shown(&hook.wish.url), hook.queue.counts())).collect()
    }
}

impl Hook {
    fn start(wish: Webhook, runtime: &Handle) -> Self {
        let queue = Arc::<Queue>::default();
        let courier = Courier::new(wish.clone(), Arc::clone(&queue));
        let task = match courier {
            Ok(courier) => Some(runtime.spawn(courier.run()).abort_handle()),
            Err(error) => {
                error!(url = shown(&wish.url), %error, "a webhook cannot be started");
                None
            }
        };
        Self { wish, queue, task }
    }

    /// | the event | the services of the webhook | told |
    /// |---|---|---|
    /// | is not among its events | | no |
    /// | concerns no service | | yes |
    /// | concerns services | all | yes |
    /// | concerns services | globs | if one of them means one of those |
    /// | concerns more services than it names | globs | yes, for it may be meant |
    fn wants(&self, kind: WebhookEvent, services: &[String]) -> bool {
        let globs = &self.wish.services;
        let is_meant = |name: &String| globs.iter().any(|glob| glob.matches(name));
        let goes_by_them = !globs.is_empty() && (1..MAX_NAMED).contains(&services.len());
        self.wish.events.has(kind) && (!goes_by_them || services.iter().any(is_meant))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Scheme and host of a URL: its path often is what lets one in.
fn shown(url: &str) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    url[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_url_is_shown_without_its_path() {
        for (url, expected) in [
            ("https://hooks.example.com/services/T0/secret", "https://hooks.example.com"),
            ("http://[::1]:8080?token=secret", "http://[::1]:8080"),
            ("http://a.example", "http://a.example"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_webhook_is_told_what_it_wants_to_hear() {
        let hook = |events: &[WebhookEvent], globs: &[&str]| Hook {
            wish: Webhook {
                url: "http://a.example".into(),
                secret: None,
                events: events.iter().copied().collect(),
                services: globs.iter().map(|glob| glob.parse().unwrap()).collect(),
                timeout: Duration::from_secs(1),
                retry_for: Duration::from_secs(1),
            },
            queue: Arc::default(),
            task: None,
        };
        let health = &[WebhookEvent::Health][..];
        let [many, more] = [MAX_NAMED - 1, MAX_NAMED].map(|count| vec!["api"; count]);
        for (events, globs, services, wants) in [
            (health, &[][..], &["www"][..], true),
            (health, &["w*"], &["api", "www"], true),
            (health, &["w*", "m*"], &["api"], false),
            (health, &["w*"], &[], true),
            (health, &["w*"], &many, false),
            (health, &["w*"], &more, true),
            (&[WebhookEvent::Reload], &[], &["www"], false),
            (&[WebhookEvent::Reload, WebhookEvent::Health], &[], &["www"], true),
        ] {
            let named: Vec<_> = services.iter().map(|name| (*name).to_owned()).collect();
            let came = hook(events, globs).wants(WebhookEvent::Health, &named);
            assert_eq!(came, wants, "{events:?} {globs:?} {services:?}");
        }
    }
}
