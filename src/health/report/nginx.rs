//! The status page of NGINX (`stub_status`).
//!
//! ```text
//! Active connections: 291
//! server accepts handled requests
//!  16630948 16630948 31070465
//! Reading: 6 Writing: 179 Waiting: 106
//! ```

use super::{NoNumber, number};

/// The active connections, those that wait for a further request included.
pub(super) fn read(page: &str) -> Result<f64, NoNumber> {
    let value = page.lines().find_map(|line| line.trim().strip_prefix("Active connections:"));
    number(value.ok_or(NoNumber::NotNginx)?)
}
