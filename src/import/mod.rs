//! From the configuration of another system to one of this: a text, zone files, a report.
//!
//! A reader for each format ([`Format`]) makes of its file what that file says. Those of
//! load balancers give pools, which `settle` makes services of; `bind` gives zones and
//! services. Both end in a [`Plan`], which `write` puts into words. What became of every
//! construct on the way is in the [`Report`]: nothing that has to do with balancing is
//! dropped without a finding.
//!
//! The room is pure: files come in through [`Files`], and what is made is given back, not
//! written. It knows no configuration reader: that what it writes is accepted is for its
//! tests to say.

mod bind;
mod blocks;
mod error;
mod haproxy;
mod include;
mod ipvs;
mod naming;
mod nginx;
mod plan;
mod pool;
mod report;
mod settle;
mod words;
mod write;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::ImportError;
pub use plan::{
    BodyPlan, CheckPlan, EndpointPlan, HttpPlan, Plan, ProbePlan, ServicePlan, Way, ZonePlan,
};
pub use report::{Fidelity, Finding, Report};

use crate::model::{Files, WireName};

/// The systems whose files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// named.conf of BIND 9, with its zone files.
    Bind,
    /// nginx.conf, of NGINX or NGINX Plus.
    Nginx,
    /// haproxy.cfg.
    Haproxy,
    /// What `ipvsadm -Sn` prints.
    Ipvs,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bind, Self::Nginx, Self::Haproxy, Self::Ipvs];

    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Ipvs => "ipvs",
        }
    }
}

/// What a source does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The zones of the names; the first is the home of names that are made up.
    pub zones: Vec<WireName>,
    /// Names for pools.
    pub names: Vec<GivenName>,
    /// What the site is called: letters, digits, `-` and `_`, at most 63. Servers that need sites
    /// of their own get them by number, as `main-1`.
    pub site: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { zones: Vec::new(), names: Vec::new(), site: "main".to_owned() }
    }
}

/// A name for a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenName {
    /// What the source calls the pool; without it the next pool that has no name gets it.
    pub pool: Option<String>,
    pub name: WireName,
}

/// What an import comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What was understood.
    pub plan: Plan,
    /// The text of the configuration; zone files are in the plan.
    pub configuration: String,
    /// What became of every construct.
    pub report: Report,
}

/// Reads `path` as a file of `format`, with the files it names, and converts it.
///
/// # Errors
/// When a file cannot be read, is not of the format, or has nothing to serve.
pub fn import(
    format: Format,
    path: &Path,
    files: &dyn Files,
    options: &Options,
) -> Result<Imported, ImportError> {
    let mut report = Report::default();
    let plan = match format {
        Format::Bind => bind::read(path, files, options, &mut report)?,
        Format::Nginx => {
            settle::settle(nginx::read(path, files, &mut report)?, options, &mut report)
        }
        Format::Haproxy => {
            settle::settle(haproxy::read(path, files, &mut report)?, options, &mut report)
        }
        Format::Ipvs => settle::settle(ipvs::read(path, files, &mut report)?, options, &mut report),
    };
    if plan.services.is_empty() && format != Format::Bind {
        let message = "nothing in it becomes a service: no pool has a server that can be answered";
        return Err(ImportError::Nothing { file: path.to_owned(), message: message.to_owned() });
    }
    let head = [
        format!("Made by `meridian import {}` of {}.", format.word(), path.display()),
        "Its report says what is not as it was there.".to_owned(),
    ];
    let configuration = write::configuration(&plan, &head);
    Ok(Imported { plan, configuration, report })
}

/// The text of a file; what is not UTF-8 in it is shown as such.
fn read_text(path: &Path, files: &dyn Files) -> Result<String, ImportError> {
    match files.read(path) {
        Ok(octets) => Ok(String::from_utf8_lossy(&octets).into_owned()),
        Err(error) => {
            Err(ImportError::Unreadable { file: path.to_owned(), reason: error.to_string() })
        }
    }
}
