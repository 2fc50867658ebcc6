//! The search tree of an MMDB file, walked leaf by leaf.
//!
//! maxminddb has an iterator of its own, but when one record holds all of `::/96` it drops
//! every other network of that record, taking it for an alias of IPv4, and in a tree that
//! joins itself it goes on for 2^128 empty leaves without a word. Frames and records are
//! left to maxminddb, and so are lookups; the format is described at
//! <https://maxmind.github.io/MaxMind-DB/>.

use maxminddb::Metadata;

/// A leaf that has a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The lowest address, in the width of the tree.
    pub first: u128,
    /// How many leading bits are fixed.
    pub depth: u32,
    /// What the tree says of where the record is; equal for leaves that share it.
    pub record: u32,
}

/// Why a tree cannot be walked to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeFault {
    /// A branch goes on below the last bit of an address.
    TooDeep,
    /// There are more branches than that many nodes can hold: the tree joins itself.
    Endless { limit: u64 },
}

/// The nodes at the start of a file.
#[derive(Debug, Clone, Copy)]
pub struct SearchTree<'a> {
    nodes: &'a [u8],
    node_count: u32,
    /// Bits of one of the two records of a node: 24, 28 or 32.
    record_bits: u16,
    /// Bits of an address: 32 or 128.
    width: u32,
}

impl<'a> SearchTree<'a> {
    /// The tree of `file`; `None` if it does not fit in.
    pub fn of(file: &'a [u8], metadata: &Metadata) -> Option<Self> {
        let octets = u64::from(metadata.node_count) * u64::from(metadata.record_size) / 4;
        Some(Self {
            nodes: file.get(..usize::try_from(octets).ok()?)?,
            node_count: metadata.node_count,
            record_bits: metadata.record_size,
            width: if metadata.ip_version == 4 { 32 } else { 128 },
        })
    }

    /// Calls `visit` for each leaf that has a record, in ascending order. Branches elsewhere
    /// that lead to the IPv4 part at `::/96` (`::ffff:0:0/96`, `2002::/16`; RFC 4291 and
    /// 3056) are its aliases and left out.
    ///
    /// # Errors
    /// What `visit` returns, or what is wrong with the tree.
    pub fn walk<E: From<TreeFault>>(
        &self,
        mut visit: impl FnMut(Leaf) -> Result<(), E>,
    ) -> Result<(), E> {
        let ipv4 = self.ipv4_node();
        // A tree has fewer branches than twice its nodes. Writers that let equal parts share
        // nodes stay far below this limit; a damaged tree could hold 2^128.
        let limit = 16 * u64::from(self.node_count) + 65_536;
        let mut visited = 0u64;
        let mut ahead = vec![Leaf { first: 0, depth: 0, record: 0 }];
        while let Some(branch) = ahead.pop() {
            visited += 1;
            if visited > limit {
                return Err(TreeFault::Endless { limit }.into());
            }
            if branch.record > self.node_count {
                visit(branch)?;
                continue;
            }
            let is_alias = Some(branch.record) == ipv4 && branch.first >> 32 != 0;
            if branch.record == self.node_count || is_alias {
                continue;
            }
            if branch.depth == self.width {
                return Err(TreeFault::TooDeep.into());
            }
            let depth = branch.depth + 1;
            let upper = branch.first | 1 << (self.width - depth);
            let [left, right] = self.children(branch.record);
            ahead.push(Leaf { first: upper, depth, record: right });
            ahead.push(Leaf { first: branch.first, depth, record: left });
        }
        Ok(())
    }

    /// The node where IPv4 begins in an IPv6 tree, if there is one.
    fn ipv4_node(&self) -> Option<u32> {
        let mut node = 0;
        for _ in 0..self.width.checked_sub(32).filter(|bits| *bits > 0)? {
            node = Some(self.children(node)[0]).filter(|left| *left < self.node_count)?;
        }
        Some(node)
    }

    /// What a node leads to for a bit of 0 and a bit of 1: another node, nothing (the number
    /// of nodes) or a record (anything above).
    fn children(&self, node: u32) -> [u32; 2] {
        let size = usize::from(self.record_bits) / 4;
        let at = node as usize * size;
        let octets = &self.nodes[at..at + size];
        // Right-aligned in 64 bits: the left record above the right one.
        let whole = octets.iter().fold(0u64, |whole, octet| whole << 8 | u64::from(*octet));
        match self.record_bits {
            // The octet in the middle holds the highest bits of both.
            28 => {
                let middle = (whole >> 24) as u32 & 0xff;
                let (left, right) = ((whole >> 32) as u32, whole as u32 & 0xff_ffff);
                [(middle >> 4) << 24 | left, (middle & 0xf) << 24 | right]
            }
            bits => [(whole >> bits) as u32, (whole & ((1 << bits) - 1)) as u32],
        }
    }
}
