//! Octets on their way to a thread that writes them: gathered into blocks, bounded, and lost
//! rather than waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Blocks that may wait.
const BLOCKS: usize = 64;

/// A block of at least so many octets is full.
const BLOCK_OCTETS: usize = 128 << 10;

/// Several items, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) octets: Vec<u8>,
    /// How many they are.
    pub(super) items: u64,
}

/// How many items went which way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: AtomicU64,
    pub(super) lost: AtomicU64,
}

impl Tally {
    pub(super) fn add(counter: &AtomicU64, items: u64) {
        counter.fetch_add(items, Relaxed);
    }
}

/// The end where items are put in.
#[derive(Debug)]
pub(super) struct Outbox {
    block: Block,
    sender: SyncSender<Block>,
    tally: Arc<Tally>,
}

impl Outbox {
    /// An outbox and its other end.
    pub(super) fn new(tally: Arc<Tally>) -> (Self, Receiver<Block>) {
        let (sender, receiver) = sync_channel(BLOCKS);
        (Self { block: Block::default(), sender, tally }, receiver)
    }

    /// Puts in what `write` adds to the octets.
    pub(super) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.block.octets);
        self.block.items += 1;
        if self.block.octets.len() >= BLOCK_OCTETS {
            self.flush();
        }
    }

    /// Sends what was put in, if there is anything.
    pub(super) fn flush(&mut self) {
        if self.block.items > 0 {
            self.send();
        }
    }

    /// Sends what was put in, even if that is nothing.
    pub(super) fn send(&mut self) {
        let block = std::mem::take(&mut self.block);
        let items = block.items;
        if self.sender.try_send(block).is_err() {
            Tally::add(&self.tally.lost, items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_lost_and_counted() {
        let tally = Arc::<Tally>::default();
        let (mut outbox, blocks) = Outbox::new(Arc::clone(&tally));
        for _ in 0..BLOCKS + 3 {
            outbox.put(|octets| octets.push(b'a'));
            outbox.put(|octets| octets.push(b'b'));
            outbox.flush();
            outbox.flush();
        }
        assert_eq!(tally.lost.load(Relaxed), 2 * 3);
        let block = blocks.recv().unwrap();
        assert_eq!((&block.octets[..], block.items), (&b"ab"[..], 2));
        // And there is room for one more, full all by itself.
        outbox.put(|octets| octets.resize(BLOCK_OCTETS, b'c'));
        assert_eq!(blocks.try_iter().count(), BLOCKS);
        drop(blocks);
        outbox.put(|octets| octets.push(b'd'));
        outbox.flush();
        assert_eq!(tally.lost.load(Relaxed), 2 * 3 + 1);
    }
}
