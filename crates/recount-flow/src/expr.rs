//! Expressions over rows, and rows for which they cannot be computed.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::ArrowError;
use arrow_select::concat::concat;

use crate::delta::Delta;

/// An expression over the columns of some rows. Pure: of equal rows it makes equal values, on every machine.
pub trait Expr: Debug + Send + Sync {
    /// Its value for each row, or why it cannot be computed for one of them.
    fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String>;
}

/// A row for which something could not be computed, which therefore goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How often the row came.
    pub weight: i64,
    /// With which append.
    pub stamp: u64,
    /// What went wrong.
    pub reason: String,
}

/// The values of some expressions for the rows for which all of them can be computed, and these rows.
pub(crate) struct Evaluated {
    pub(crate) rows: Delta,
    pub(crate) values: Vec<ArrayRef>,
    pub(crate) failures: Vec<Failure>,
}

/// Computes expressions for each row.
pub(crate) fn evaluate(exprs: &[Arc<dyn Expr>], rows: Delta) -> Result<Evaluated, ArrowError> {
    // Of no rows there is nothing to compute: a constant that cannot be fails all the same, and no half of nothing is less.
    if rows.is_empty() {
        return Ok(Evaluated { rows, values: Vec::new(), failures: Vec::new() });
    }
    let computed = exprs.iter().map(|expr| expr.evaluate(&rows.columns, rows.len()));
    if let Ok(values) = computed.collect::<Result<Vec<_>, _>>() {
        return Ok(Evaluated { rows, values, failures: Vec::new() });
    }
    let mut found = Found { exprs, rows: &rows, parts: vec![Vec::new(); exprs.len()], failed: Vec::new() };
    found.halve(0, rows.len());
    let Found { parts, failed, .. } = found;
    let mut keep = vec![true; rows.len()];
    let mut failures = Vec::with_capacity(failed.len());
    for (row, reason) in failed {
        keep[row] = false;
        failures.push(Failure { weight: rows.weights[row], stamp: rows.stamps[row], reason });
    }
    let rows = rows.filtered(&BooleanArray::from(keep))?;
    if rows.is_empty() {
        let values = Vec::new();
        return Ok(Evaluated { rows, values, failures });
    }
    let values = parts.iter().map(|parts| concat(&parts.iter().map(|part| &**part).collect::<Vec<_>>()));
    Ok(Evaluated { rows, values: values.collect::<Result<_, _>>()?, failures })
}

/// What is found by halving.
struct Found<'a> {
    exprs: &'a [Arc<dyn Expr>],
    rows: &'a Delta,
    /// Of each expression the values, in parts.
    parts: Vec<Vec<ArrayRef>>,
    failed: Vec<(usize, String)>,
}

impl Found<'_> {
    /// Computes what can be computed of `count` rows; each part that fails is halved until one row is left.
    fn halve(&mut self, first: usize, count: usize) {
        let columns: Vec<ArrayRef> =
            self.rows.columns.iter().map(|column| column.slice(first, count)).collect();
        let computed = self.exprs.iter().map(|expr| expr.evaluate(&columns, count));
        match computed.collect::<Result<Vec<_>, _>>() {
            Ok(values) => self.parts.iter_mut().zip(values).for_each(|(parts, value)| parts.push(value)),
            Err(reason) if count == 1 => self.failed.push((first, reason)),
            Err(_) => {
                let half = count / 2;
                self.halve(first, half);
                self.halve(first + half, count - half);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fails;

    impl Expr for Fails {
        fn evaluate(&self, _: &[ArrayRef], _: usize) -> Result<ArrayRef, String> {
            Err("it cannot be".to_owned())
        }
    }

    /// A constant that cannot be computed fails for a batch without rows, too: it was halved without end, until the stack overflowed and the
    /// process ended. Found by the law of views in a database (case 1008075).
    #[test]
    fn of_no_rows_nothing_fails() {
        let exprs: Vec<Arc<dyn Expr>> = vec![Arc::new(Fails)];
        let evaluated = evaluate(&exprs, Delta::default()).unwrap();
        assert!(evaluated.rows.is_empty() && evaluated.values.is_empty() && evaluated.failures.is_empty());
        let one = Delta { columns: Vec::new(), weights: vec![2], stamps: vec![7] };
        let evaluated = evaluate(&exprs, one).unwrap();
        let failure = Failure { weight: 2, stamp: 7, reason: "it cannot be".to_owned() };
        assert_eq!((evaluated.rows.len(), evaluated.failures), (0, vec![failure]));
    }
}
