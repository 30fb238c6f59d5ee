//! EXPLAIN: how each relation is read, in the plan of what is done with it.

use std::fmt;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::displayable;
use recount_store::time::format_rfc3339;

use crate::relation::Kind;
use crate::scan::Scan;
use crate::settings::Stopped;

/// The lines that explain a plan.
pub(crate) fn lines(plan: &dyn ExecutionPlan) -> Vec<String> {
    displayable(plan).indent(false).to_string().lines().map(str::to_owned).collect()
}

/// How a scan reads its relation.
pub(crate) fn describe(scan: &Scan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let relation = &scan.source.relation;
    let narrow = &scan.narrow;
    match &relation.kind {
        Kind::Topic { .. } => write!(f, "Scan: topic {}", relation.name)?,
        Kind::Kept { .. } => write!(f, "Scan: {}", relation.name)?,
    }
    if let Some(version) = relation.version {
        write!(f, " version {version}")?;
    }
    match &relation.kind {
        Kind::Kept { described, .. } => match narrow.values(&described.key) {
            Some(_) => write!(f, ", one {}", described.key.join(" and "))?,
            None => write!(f, ", whole")?,
        },
        Kind::Topic { .. } => {
            let tags: Vec<&str> = narrow.tags.iter().map(|tag| tag.as_str()).collect();
            match (&narrow.stream, &narrow.types, tags.as_slice()) {
                (Some(stream), ..) => write!(f, ", by the index: stream {stream}")?,
                (None, _, [_, ..]) => write!(f, ", by the index: tags {}", tags.join(", "))?,
                (None, Some(types), []) => write!(f, ", by the index: types {}", types.join(", "))?,
                (None, None, []) => write!(f, ", whole")?,
            }
            match (narrow.first, narrow.last) {
                (Some(first), Some(last)) => write!(f, ", positions {first} to {last}")?,
                (Some(first), None) => write!(f, ", positions from {first}")?,
                (None, Some(last)) => write!(f, ", positions to {last}")?,
                (None, None) => {}
            }
            if let Some(since) = narrow.since {
                write!(f, ", appended from {}", format_rfc3339(since))?;
            }
        }
    }
    write!(f, ", {}", scan.source.moment)?;
    if let Some(how) = scan.how() {
        write!(f, ", {how}")?;
    }
    if matches!(relation.kind, Kind::Kept { .. }) && scan.source.stopped == Stopped::Skip {
        write!(f, ", without stopped keys")?;
    }
    let declared = scan.columns.iter().filter(|&&place| place < relation.visible).count();
    let fields = relation.schema.fields();
    let names: Vec<&str> = scan.columns.iter().map(|&place| fields[place].name().as_str()).collect();
    write!(f, "; {declared} of {} columns decoded: [{}]", relation.visible, names.join(", "))?;
    match scan.limit {
        Some(limit) => write!(f, ", at most {limit} rows"),
        None => Ok(()),
    }
}
