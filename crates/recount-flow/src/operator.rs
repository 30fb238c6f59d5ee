//! What every operator is: changes in, changes out.

use std::fmt::Debug;

use arrow_schema::ArrowError;

use crate::codec::Damaged;
use crate::delta::Delta;
use crate::expr::Failure;
use crate::saved::Saved;

/// An incremental operator.
///
/// *The law*: whatever was given so far, in however many steps, the sum of what it gave is what its definition makes of the sum of
/// what it was given; and this holds at every append, of what is stamped up to it.
pub trait Operator: Debug + Send {
    /// Takes the next changes of each input. What is stamped with an append comes in one epoch, which may have many steps; with
    /// several appends in an epoch it has one. If it says that there is more, it is to go on before it takes anything else.
    fn step(&mut self, inputs: Vec<Vec<Delta>>, epoch: Epoch, out: &mut Out) -> Result<(), FlowError>;

    /// Goes on with a step of which there is more.
    fn go_on(&mut self, _: Epoch, _: &mut Out) -> Result<(), FlowError> {
        Ok(())
    }

    /// Whether rows of its result only come, if those of its inputs do.
    fn is_monotone(&self) -> bool {
        false
    }

    /// What it is called.
    fn name(&self) -> &'static str;

    /// How many of what it keeps; `None` = it keeps nothing.
    fn keeps(&self) -> Option<(usize, &'static str)> {
        None
    }

    /// About the memory that its state takes.
    fn bytes(&self) -> usize;

    /// Adds its state, as of the end of an epoch, to what a restart goes on from.
    fn save(&self, saved: &mut Saved);

    /// Takes an entry that it saved; before its first step, and in the order of keys.
    fn load(&mut self, _key: &[u8], _value: &[u8]) -> Result<(), Damaged> {
        Err(Damaged)
    }

    /// Says that all entries that it saved were loaded.
    fn loaded(&mut self) {}
}

/// In which epoch a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// The position of its last append.
    pub stamp: u64,
    /// It ends with this step.
    pub ends: bool,
    /// Of an epoch of one append: a step that makes more bytes than about so many gives them in parts. With several appends it cannot,
    /// as no change may come before one of an earlier append.
    pub part_bytes: Option<usize>,
}

/// Bytes that a step of several appends makes, at most: it cannot give them in parts.
const STEP_BYTES_MAX: usize = 64 << 20;

impl Epoch {
    /// About the bytes that a step makes before it gives a part.
    pub(crate) fn bytes_max(&self) -> usize {
        self.part_bytes.unwrap_or(STEP_BYTES_MAX)
    }

    /// Says that there is more of a step, which has to be of one append.
    pub(crate) fn more(&self, out: &mut Out) -> Result<(), FlowError> {
        if self.part_bytes.is_none() {
            return Err(FlowError::TooLarge);
        }
        out.more = true;
        Ok(())
    }
}

/// What operators give.
#[derive(Debug, Default)]
pub struct Out {
    /// Changes of the result.
    pub rows: Vec<Delta>,
    /// Rows and groups that could not be computed.
    pub failures: Vec<Failure>,
    /// There is more of the step.
    pub more: bool,
}

impl Out {
    /// Gives rows, if there are any.
    pub(crate) fn push(&mut self, rows: Delta) {
        if !rows.is_empty() {
            self.rows.push(rows);
        }
    }
}

/// Why a flow cannot go on. Unlike a [`Failure`] it is nothing that the data says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// An array could not be made.
    #[error("{0}")]
    Arrow(String),
    /// A row went more often than it came, which no operator may do.
    #[error(
        "the rows cannot be right: one of them went more often than it came. This is an error of Recount: please report it"
    )]
    Negative,
    /// A step would make too much at once: of several appends, which could be taken one by one.
    #[error("so many appends at once are joined to more rows than fit into memory")]
    TooLarge,
    /// An operator panicked: half of its step is done.
    #[error("a step broke off in the middle. This is an error of Recount: please report it")]
    Panicked,
    /// State is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl From<ArrowError> for FlowError {
    fn from(error: ArrowError) -> FlowError {
        FlowError::Arrow(error.to_string())
    }
}
