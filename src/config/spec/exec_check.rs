//! What checks have that leave the probing to others: a program, or whoever pushes.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::source::Spanned;
use crate::config::table::{Read, Table};
use crate::config::value::{boolean, choice, one_or_many, span_of_time, spanned, text};
use crate::health::{ExecCheck, ExternalCheck, OnSilence, Schedule};

pub(super) const EXEC_KEYS: &[&str] = &["command", "nagios"];

pub(super) const EXTERNAL_KEYS: &[&str] = &["deadline", "on_silence"];

/// Reads the keys of an exec check, and the program it runs.
pub(super) fn read_exec(table: &mut Table<'_>) -> Read<(ExecCheck, Spanned<PathBuf>)> {
    let nagios = table.or("nagios", false, boolean);
    let command = table.required(
        "command",
        spanned(|value| {
            let words = one_or_many(text)(value)?;
            let nagios = nagios.unwrap_or_default();
            ExecCheck::new(&words, nagios).map_err(|error| value.refuse(error.into()))
        }),
    );
    nagios?;
    let Spanned { value: command, at } = command?;
    let program = Spanned { value: PathBuf::from(command.program()), at };
    Ok((command, program))
}

/// Reads the keys of an external check.
pub(super) fn read_external(table: &mut Table<'_>) -> Read<ExternalCheck> {
    const WORDS: &[(&str, OnSilence)] = &[("down", OnSilence::Down), ("keep", OnSilence::Keep)];
    let default = ExternalCheck::default();
    let range = Duration::from_millis(100)..=Schedule::MAX_INTERVAL;
    let deadline = table.or("deadline", default.deadline, span_of_time(range));
    let on_silence =
        table.or("on_silence", default.on_silence, choice("meaning of silence", WORDS));
    Ok(ExternalCheck { deadline: deadline?, on_silence: on_silence? })
}
