//! What a run counts, and what the kernel tells of the server's process.

use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Of all that should be answered, how much may get lost: the kernel drops packets that find
/// a buffer full.
const MAX_LOST: f64 = 0.01;

/// Messages told of those that were wrong.
const MAX_TOLD: usize = 20;

/// One kind of asking.
#[derive(Debug, Default)]
pub struct Count {
    asked: AtomicU64,
    right: AtomicU64,
    silence: AtomicU64,
    retried: AtomicU64,
    lost: AtomicU64,
}

impl Count {
    pub fn ask(&self) {
        self.asked.fetch_add(1, Relaxed);
    }

    pub fn right(&self) {
        self.right.fetch_add(1, Relaxed);
    }

    /// Silence, and so it should be.
    pub fn silence(&self) {
        self.silence.fetch_add(1, Relaxed);
    }

    pub fn retry(&self) {
        self.retried.fetch_add(1, Relaxed);
    }

    pub fn lose(&self, count: usize) {
        self.lost.fetch_add(count as u64, Relaxed);
    }

    pub fn asked(&self) -> u64 {
        self.asked.load(Relaxed)
    }
}

/// What happened in a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub honest_udp: Count,
    pub honest_tcp: Count,
    /// Over a connection for each query, from an address that abuses, too.
    pub neighbour_tcp: Count,
    pub mutated_udp: Count,
    pub mutated_tcp: Count,
    /// Queries on connections that are half closed.
    pub half_closed: Count,
    /// Abusive connections.
    pub abusive: AtomicU64,
    pub good_reloads: AtomicU64,
    pub bad_reloads: AtomicU64,
    /// Changes of a back end's mood.
    pub flaps: AtomicU64,
    wrong: Mutex<(u64, Vec<String>)>,
}

impl Tally {
    /// Notes a wrong answer.
    pub fn wrong(&self, message: String) {
        let mut wrong = self.wrong.lock().unwrap();
        wrong.0 += 1;
        if wrong.1.len() < MAX_TOLD {
            wrong.1.push(message);
        }
    }

    fn counts(&self) -> [(&'static str, &Count); 6] {
        [
            ("honest, UDP", &self.honest_udp),
            ("honest, TCP", &self.honest_tcp),
            ("honest, TCP, beside abuse", &self.neighbour_tcp),
            ("mutated, UDP", &self.mutated_udp),
            ("mutated, TCP", &self.mutated_tcp),
            ("abusive, half closed", &self.half_closed),
        ]
    }

    /// The table of a run that took so long.
    pub fn table(&self, time: Duration) -> String {
        let mut table = String::from(
            "\n| traffic | asked | a second | right | silence | retried | lost |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for (name, count) in self.counts() {
            let [asked, right, silence, retried, lost] =
                [&count.asked, &count.right, &count.silence, &count.retried, &count.lost]
                    .map(|number| number.load(Relaxed));
            if asked > 0 {
                let rate = asked as f64 / time.as_secs_f64();
                let _ = writeln!(
                    table,
                    "| {name} | {asked} | {rate:.0} | {right} | {silence} | {retried} | {lost} |"
                );
            }
        }
        let [abusive, good, bad, flaps] =
            [&self.abusive, &self.good_reloads, &self.bad_reloads, &self.flaps]
                .map(|number| number.load(Relaxed));
        let wrong = self.wrong.lock().unwrap().0;
        let _ = write!(
            table,
            "\n{wrong} wrong; {abusive} abusive connections, {good} good reloads, {bad} refused, \
             {flaps} changes of back ends\n"
        );
        table
    }

    /// Asserts that nothing was wrong and little was lost.
    pub fn assert_right(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert_eq!(wrong.0, 0, "wrong answers:\n{}", wrong.1.join("\n"));
        for (name, count) in self.counts() {
            let (asked, lost) = (count.asked(), count.lost.load(Relaxed));
            assert!(lost as f64 <= MAX_LOST * asked as f64, "{name}: {lost} of {asked} lost");
        }
    }
}

/// A process, by its ID.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

/// What a process held at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub memory_kib: i64,
    pub threads: i64,
    pub descriptors: i64,
}

impl Process {
    pub fn sample(self) -> Sample {
        let folder = format!("/proc/{}", self.0);
        let status = fs::read_to_string(format!("{folder}/status")).expect("the server runs");
        let number = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).expect(key);
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Sample {
            memory_kib: number("VmRSS:"),
            threads: number("Threads:"),
            descriptors: fs::read_dir(format!("{folder}/fd")).unwrap().count() as i64,
        }
    }
}

/// The table of some moments.
pub fn table(moments: &[(&str, Sample)]) -> String {
    let mut table =
        String::from("| moment | VmRSS, KiB | threads | descriptors |\n|---|---|---|---|\n");
    for (name, Sample { memory_kib, threads, descriptors }) in moments {
        let _ = writeln!(table, "| {name} | {memory_kib} | {threads} | {descriptors} |");
    }
    table
}
