//! A field of HAProxy's statistics as CSV: `;csv` behind the address of its statistics page.
//!
//! The first line names the columns behind a `# `; each further one is a frontend, a backend or
//! a server. A field with a comma, a quote or a line's end in it stands in quotes, and quotes
//! in it are doubled.

use super::{Found, NoNumber, number};
use crate::health::HealthError;

/// Which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaproxyCell {
    proxy: String,
    server: String,
    field: String,
}

/// The columns that others are limited by.
const LIMITS: [(&str, &str); 3] = [("scur", "slim"), ("qcur", "qlimit"), ("rate", "rate_lim")];

impl HaproxyCell {
    /// The column `field` of a server of a proxy; `FRONTEND` and `BACKEND` are servers, too.
    ///
    /// # Errors
    /// When `field` cannot be the name of a column.
    pub fn new(proxy: &str, server: &str, field: &str) -> Result<Self, HealthError> {
        let is_column = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
        if field.is_empty() || !field.bytes().all(is_column) {
            return Err(HealthError::HaproxyColumn(field.to_owned()));
        }
        let [proxy, server, field] = [proxy, server, field].map(str::to_owned);
        Ok(Self { proxy, server, field })
    }

    /// The column that says how large the field may become.
    pub(super) fn limit(&self) -> Option<&'static str> {
        LIMITS.into_iter().find(|(field, _)| *field == self.field).map(|(_, limit)| limit)
    }
}

/// The field's number, and its limit where the row states one.
pub(super) fn read(cell: &HaproxyCell, page: &str) -> Result<Found, NoNumber> {
    let mut records = Records(page.strip_prefix("# ").ok_or(NoNumber::NotHaproxy)?);
    let columns = records.next().ok_or(NoNumber::NotHaproxy)?;
    let find = |name: &str| columns.iter().position(|column| column == name);
    let column = |name: &str| find(name).ok_or_else(|| NoNumber::NoColumn(name.to_owned()));
    let (proxy, server, field) = (column("pxname")?, column("svname")?, column(&cell.field)?);
    let is_at =
        |record: &[String], at: usize, text: &str| record.get(at).is_some_and(|f| f == text);
    let row = records
        .find(|row| is_at(row, proxy, &cell.proxy) && is_at(row, server, &cell.server))
        .ok_or_else(|| NoNumber::NoRow {
            proxy: cell.proxy.clone(),
            server: cell.server.clone(),
        })?;
    let value = number(row.get(field).map_or("", String::as_str))?;
    // An empty field is no limit, and so is 0.
    let limit = cell.limit().and_then(find).and_then(|at| row.get(at)?.parse().ok());
    Ok(Found { value, limit: limit.filter(|&limit| limit > 0.0) })
}

/// The records of what is left of a page.
struct Records<'p>(&'p str);

impl Iterator for Records<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if self.0.is_empty() {
            return None;
        }
        let mut record = vec![String::new()];
        let mut is_quoted = false;
        let mut characters = self.0.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let field = record.last_mut().expect("a record has a field from the start");
            match (character, is_quoted) {
                ('"', true) if characters.next_if(|next| next.1 == '"').is_some() => {
                    field.push('"');
                }
                ('"', _) => is_quoted = !is_quoted,
                (',', false) => record.push(String::new()),
                ('\n', false) => {
                    self.0 = &self.0[at + 1..];
                    return Some(record);
                }
                (other, _) => field.push(other),
            }
        }
        self.0 = "";
        Some(record)
    }
}
