//! Records that have offsets and no positions yet: those of open transactions, and what lies behind them.
//!
//! A *node* is one transaction or one plain batch. Node x precedes node y if x has an earlier record in some
//! partition. The strongly connected components of that relation get positions as one append each, once every
//! node in them is decided and everything before them has positions; within a component, in the order in which
//! they were written. An aborted node disappears without a trace.
//!
//! ```text
//!  partition 0:  T1 ── P1 ── T1          T1 before P1 and after it: {T1, P1} is one append
//!  partition 1:  T2 ── P2                P2 waits for T2 alone
//! ```
//!
//! Pure: what to do, never doing it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use recount_journal::Location;
use recount_types::{Lsn, Partition, TopicId};

/// A partition of a topic.
pub(crate) type PartitionId = (TopicId, Partition);

/// Numbers a node; ascending in the order in which nodes began.
pub(crate) type NodeId = u64;

/// A batch without positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The group that holds it.
    pub(crate) lsn: Lsn,
    /// Its index in that group.
    pub(crate) entry: u32,
    /// Where.
    pub(crate) partition: PartitionId,
    /// How many records.
    pub(crate) count: u32,
    /// The terms of each record but its stream, and its stream's term, for the index.
    pub(crate) terms: Vec<Vec<Vec<u8>>>,
}

impl Waiting {
    /// What each counts at least: so the limit on all bytes also limits how many there are, and a prologue, which
    /// names each in at most 60 bytes, has room for them.
    const BYTES_MIN: usize = 512;

    /// Memory that it holds, about.
    fn bytes(&self) -> usize {
        let terms = self.terms.iter().flatten().map(|term| term.len() + size_of::<Vec<u8>>()).sum::<usize>();
        terms + Waiting::BYTES_MIN
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    producer: Option<u64>,
    decided: bool,
    batches: Vec<Waiting>,
}

/// A component that can get positions: its batches in the order in which they were written.
pub(crate) type Ready = Vec<Waiting>;

/// All nodes without positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    nodes: BTreeMap<NodeId, Node>,
    /// Who has records where, in offset order; consecutive records of one node count once.
    queues: BTreeMap<PartitionId, VecDeque<NodeId>>,
    open: BTreeMap<u64, NodeId>,
    next: NodeId,
    bytes: usize,
}

impl Pending {
    /// The producer of the open transaction that `partition` waits for; `None` if nothing waits there.
    pub(crate) fn blocker(&self, partition: PartitionId) -> Option<u64> {
        let queue = self.queues.get(&partition)?;
        let undecided = queue.iter().find_map(|id| self.nodes.get(id).filter(|node| !node.decided));
        let anywhere = || self.open.keys().next().copied();
        undecided.and_then(|node| node.producer).or_else(anywhere)
    }

    /// True if records wait in `partition`.
    pub(crate) fn waits(&self, partition: PartitionId) -> bool {
        self.queues.contains_key(&partition)
    }

    /// The partitions in which a transaction has records.
    pub(crate) fn partitions_of(&self, producer: u64) -> BTreeSet<PartitionId> {
        let node = self.open.get(&producer).and_then(|id| self.nodes.get(id));
        node.map_or_else(BTreeSet::new, |node| node.batches.iter().map(|batch| batch.partition).collect())
    }

    /// Begins the node of a plain batch behind records that wait.
    pub(crate) fn begin_plain(&mut self) -> NodeId {
        self.new_node(None, true)
    }

    /// A batch of a transaction, which it opens if need be.
    pub(crate) fn add_transactional(&mut self, producer: u64, batch: Waiting) {
        let id = match self.open.get(&producer) {
            Some(&id) => id,
            None => {
                let id = self.new_node(Some(producer), false);
                self.open.insert(producer, id);
                id
            }
        };
        self.add(id, batch);
    }

    fn new_node(&mut self, producer: Option<u64>, decided: bool) -> NodeId {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, Node { producer, decided, batches: Vec::new() });
        id
    }

    /// Adds a batch to a node.
    pub(crate) fn add(&mut self, id: NodeId, batch: Waiting) {
        let queue = self.queues.entry(batch.partition).or_default();
        if queue.back() != Some(&id) {
            queue.push_back(id);
        }
        self.bytes += batch.bytes();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.batches.push(batch);
        }
    }

    /// Takes up a node again that a prologue names.
    pub(crate) fn restore(&mut self, saved: &SavedBatch, batch: Waiting) {
        let node = Node { producer: saved.producer, decided: saved.decided, batches: Vec::new() };
        self.nodes.entry(saved.node).or_insert(node);
        self.next = self.next.max(saved.node + 1);
        if let (Some(producer), false) = (saved.producer, saved.decided) {
            self.open.insert(producer, saved.node);
        }
        self.add(saved.node, batch);
    }

    /// Every batch with its node and whether that is decided, nodes in order.
    pub(crate) fn batches(&self) -> impl Iterator<Item = (NodeId, Option<u64>, bool, &Waiting)> {
        self.nodes.iter().flat_map(|(&id, node)| {
            node.batches.iter().map(move |batch| (id, node.producer, node.decided, batch))
        })
    }

    /// Memory that the batches hold, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many batches wait.
    pub(crate) fn batch_count(&self) -> usize {
        self.nodes.values().map(|node| node.batches.len()).sum()
    }

    /// The oldest group with records that wait.
    pub(crate) fn oldest_lsn(&self) -> Option<Lsn> {
        self.batches().map(|(_, _, _, batch)| batch.lsn).min()
    }

    /// True if records of that group wait.
    pub(crate) fn has_lsn(&self, lsn: Lsn) -> bool {
        self.batches().any(|(_, _, _, batch)| batch.lsn == lsn)
    }

    /// Ends a transaction; returns the components that can get positions now, in an order that respects
    /// precedence. They are gone from here.
    pub(crate) fn end(&mut self, producer: u64, committed: bool) -> Vec<Ready> {
        let Some(id) = self.open.remove(&producer) else { return Vec::new() };
        if committed {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.decided = true;
            }
        } else {
            self.remove(&BTreeSet::from([id]));
        }
        let ready = self.ready_components();
        ready.into_iter().map(|component| self.take(component)).collect()
    }

    fn take(&mut self, component: BTreeSet<NodeId>) -> Ready {
        let mut batches: Vec<Waiting> = component
            .iter()
            .filter_map(|id| self.nodes.get(id))
            .flat_map(|node| node.batches.iter().cloned())
            .collect();
        batches.sort_by_key(|batch| (batch.lsn, batch.entry));
        self.remove(&component);
        batches
    }

    fn remove(&mut self, ids: &BTreeSet<NodeId>) {
        let gone = ids.iter().filter_map(|id| self.nodes.remove(id)).flat_map(|node| node.batches);
        self.bytes -= gone.map(|batch| batch.bytes()).sum::<usize>();
        for queue in self.queues.values_mut() {
            queue.retain(|id| !ids.contains(id));
            let merged = queue.iter().copied().fold(VecDeque::new(), |mut kept: VecDeque<NodeId>, id| {
                if kept.back() != Some(&id) {
                    kept.push_back(id);
                }
                kept
            });
            *queue = merged;
        }
        self.queues.retain(|_, queue| !queue.is_empty());
    }

    /// The components whose nodes are all decided and which wait for no other, in order of precedence.
    fn ready_components(&self) -> Vec<BTreeSet<NodeId>> {
        let mut after: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        let mut before: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        for queue in self.queues.values() {
            for (&x, &y) in queue.iter().zip(queue.iter().skip(1)) {
                after.entry(x).or_default().insert(y);
                before.entry(y).or_default().insert(x);
            }
        }
        let components = strongly_connected(self.nodes.keys().copied(), &after, &before);
        let mut placed: BTreeSet<NodeId> = BTreeSet::new();
        let mut ready = Vec::new();
        for component in components {
            let decided = component.iter().all(|id| self.nodes.get(id).is_some_and(|node| node.decided));
            let unhindered = component
                .iter()
                .filter_map(|id| before.get(id))
                .flatten()
                .all(|id| component.contains(id) || placed.contains(id));
            if decided && unhindered {
                placed.extend(&component);
                ready.push(component);
            }
        }
        ready
    }
}

/// The strongly connected components, predecessors first (Kosaraju and Sharir 1981, without recursion).
fn strongly_connected(
    nodes: impl Iterator<Item = NodeId> + Clone,
    after: &BTreeMap<NodeId, BTreeSet<NodeId>>,
    before: &BTreeMap<NodeId, BTreeSet<NodeId>>,
) -> Vec<BTreeSet<NodeId>> {
    let finished = finishing_order(nodes, after);
    let mut seen = BTreeSet::new();
    let mut components = Vec::new();
    for &root in finished.iter().rev() {
        let mut component = BTreeSet::new();
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                component.insert(id);
                stack.extend(before.get(&id).into_iter().flatten());
            }
        }
        if !component.is_empty() {
            components.push(component);
        }
    }
    components
}

fn finishing_order(
    nodes: impl Iterator<Item = NodeId>,
    after: &BTreeMap<NodeId, BTreeSet<NodeId>>,
) -> Vec<NodeId> {
    let mut seen = BTreeSet::new();
    let mut finished = Vec::new();
    for root in nodes {
        let mut stack = vec![(root, false)];
        while let Some((id, done)) = stack.pop() {
            if done {
                finished.push(id);
            } else if seen.insert(id) {
                stack.push((id, true));
                stack.extend(after.get(&id).into_iter().flatten().map(|&next| (next, false)));
            }
        }
    }
    finished
}

/// A batch without positions as a prologue names it: its records are read again where they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SavedBatch {
    /// Whose node: `None` = a plain batch, a node of its own.
    pub(crate) producer: Option<u64>,
    /// Its transaction has ended with a commit, but it waits for another.
    pub(crate) decided: bool,
    /// The node's number.
    pub(crate) node: NodeId,
    /// Where its group lies.
    pub(crate) location: Location,
    /// Its index there.
    pub(crate) entry: u32,
}

#[cfg(test)]
mod tests;
