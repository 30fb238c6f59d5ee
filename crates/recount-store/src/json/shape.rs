//! What the last payload looked like: the next one mostly has the same keys in the same order, which then need not be looked at one by one.

/// The keys of an object, in their order, each once, with what stands between their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    members: Vec<Member>,
    /// So many payloads in a row looked otherwise.
    misses: u32,
}

/// A key of the object.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// What stands from the value before it to its own.
    pub(super) literal: Box<str>,
    pub(super) key: Box<str>,
    /// Its number among the keys that lead to columns.
    pub(super) step: Option<usize>,
}

/// A larger object is not remembered.
const MEMBERS_MAX: usize = 64;
const BYTES_MAX: usize = 4096;
/// After so many others in a row it is remembered what they look like.
const MISSES: u32 = 8;

impl Shape {
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// A payload that looks like it.
    pub(super) fn hit(&mut self) {
        self.misses = 0;
    }

    /// Whether to learn what a payload looks like that does not look like it.
    pub(super) fn miss(&mut self) -> bool {
        self.misses += 1;
        self.members.is_empty() || self.misses >= MISSES
    }

    pub(super) fn learn(&mut self, members: Vec<Member>) {
        let bytes: usize = members.iter().map(|member| member.literal.len() + member.key.len()).sum();
        let fits = members.len() <= MEMBERS_MAX && bytes <= BYTES_MAX;
        *self = Shape { members: if fits { members } else { Vec::new() }, misses: 0 };
    }
}
