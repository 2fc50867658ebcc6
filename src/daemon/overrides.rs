//! People's orders about endpoints: carried out at once, then saved, then answered.
//!
//! What an order does is known before it is on disk, and it is in force before that: a full disk
//! must not keep anybody from draining a site. Whoever ordered it waits for the disk and is told.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::{info, warn};

use super::Server;
use super::ledger::{Entry, LedgerFiles};
use crate::admin::{Given, Obeyed, Order};
use crate::catalog::AdminSettings;
use crate::history::Event;
use crate::overrides::{Override, Refusal};
use crate::world::{self, AdminChange};

/// The folder that systemd keeps for a service (systemd.exec(5)); of several the first.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// Where a server with this configuration keeps its overrides unless told.
pub(super) fn ledger_beside(config_path: &Path) -> LedgerFiles {
    let given = std::env::var(STATE_DIRECTORY).ok();
    let given = given.as_deref().and_then(|folders| folders.split(':').next());
    let folder = match given {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => config_path.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    let stem = config_path.file_stem().unwrap_or_default().to_string_lossy();
    LedgerFiles::in_folder(&folder, &stem)
}

/// The same with what the configuration says.
pub(super) fn ledger_files(
    unless_told: Option<LedgerFiles>,
    settings: &AdminSettings,
) -> Option<LedgerFiles> {
    let AdminSettings { overrides_file, audit_file, .. } = settings;
    let unless_told = match (overrides_file, audit_file) {
        (Some(overrides), Some(audit)) => {
            return Some(LedgerFiles { overrides: overrides.clone(), audit: audit.clone() });
        }
        _ => unless_told?,
    };
    Some(LedgerFiles {
        overrides: overrides_file.clone().unwrap_or(unless_told.overrides),
        audit: audit_file.clone().unwrap_or(unless_told.audit),
    })
}

impl Server {
    /// Carries out what a person orders.
    pub(super) fn obey(&mut self, order: Order<Given, Result<Obeyed, Refusal>>) {
        let Given { instruction, token, peer } = &order.what;
        let action = instruction.verb.words();
        let line = Entry::new(instruction.at, &instruction.author, action, &instruction.what)
            .by(token, *peer)
            .because(&instruction.reason, instruction.expires_at);
        let obeyed = match self.writer.obey(instruction) {
            Ok(obeyed) => obeyed,
            Err(refusal) => {
                info!(action, what = %instruction.what, author = %instruction.author, %refusal, "not done");
                drop(self.ledger.write(None, line.with_result(refusal.to_string())));
                return order.answer(Err(refusal));
            }
        };
        let world::Obeyed { selector, removed, changes, .. } = &obeyed;
        info!(
            action,
            %selector,
            endpoints = changes.len(),
            author = %instruction.author,
            reason = %instruction.reason,
            "done"
        );
        let reason = match instruction.reason.trim() {
            "" => action.to_owned(),
            reason => format!("{action}: {reason}"),
        };
        let (at, author) = (instruction.at, &instruction.author);
        let event = Event::of_override(at, selector.to_string(), reason, author);
        self.chronicle.override_changed(event, changes);
        let line = line.changing(removed, changes);
        let in_force = &self.writer.world().load().overrides;
        let written = self.ledger.write(Some(in_force), line);
        tokio::spawn(async move {
            let failed = || vec!["the audit log is not written any more".to_owned()];
            let warnings = written.await.unwrap_or_else(|_| failed());
            order.answer(Ok(Obeyed { obeyed, warnings }));
        });
    }

    /// Ends the overrides whose time is over.
    pub(super) fn end_overrides(&mut self) {
        let now = SystemTime::now();
        let (expired, changes) = self.writer.expire_overrides(now);
        let Some((last, others)) = expired.split_last() else { return };
        let in_force = &self.writer.world().load().overrides;
        let line = |said: &Override, changes: &[AdminChange]| {
            let what = said.selector.to_string();
            warn!(selector = %what, state = %said.state, author = %said.author, "override expired");
            Entry::new(now, "meridian", "expire", &what)
                .because(&said.reason, said.expires_at)
                .changing(std::slice::from_ref(said), changes)
        };
        for (said, changes) in others.iter().map(|said| (said, &[][..])).chain([(last, &*changes)])
        {
            let reason = format!("expired: {}", said.reason);
            let event = Event::of_override(now, said.selector.to_string(), reason, &said.author);
            self.chronicle.override_changed(event, changes);
        }
        // Nobody waits for these; what cannot be written is in the log.
        for said in others {
            drop(self.ledger.write(None, line(said, &[])));
        }
        drop(self.ledger.write(Some(in_force), line(last, &changes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_where_the_ledger_is_or_it_is_beside_it() {
        let beside = || Some(ledger_beside(Path::new("/etc/meridian/meridian.toml")));
        let settings = |overrides: Option<&str>, audit: Option<&str>| AdminSettings {
            overrides_file: overrides.map(PathBuf::from),
            audit_file: audit.map(PathBuf::from),
            ..AdminSettings::default()
        };
        let files = |overrides: &str, audit: &str| {
            Some(LedgerFiles { overrides: overrides.into(), audit: audit.into() })
        };
        let (a, b) =
            ("/etc/meridian/meridian.overrides.json", "/etc/meridian/meridian.audit.jsonl");
        assert_eq!(ledger_files(beside(), &settings(None, None)), files(a, b));
        assert_eq!(ledger_files(beside(), &settings(Some("/x"), None)), files("/x", b));
        assert_eq!(ledger_files(beside(), &settings(None, Some("/y"))), files(a, "/y"));
        assert_eq!(ledger_files(None, &settings(Some("/x"), Some("/y"))), files("/x", "/y"));
        assert_eq!(ledger_files(None, &settings(Some("/x"), None)), None);
    }
}
