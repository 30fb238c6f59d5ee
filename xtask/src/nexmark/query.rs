//! NEXMark's queries as the published suite has them (<https://github.com/nexmark/nexmark>), for Recount and for Flink SQL. They are the same but
//! for names of functions, and where SQL leaves open which of several rows is the first: Recount is told to go by position.
//!
//! Apart from these: q6, which Flink SQL cannot compute (its OVER windows read nothing that is retracted); q10 writes files, which a view does not;
//! q11 has windows that sessions make, and q12 and q13 go by the clock of the machine that computes, neither of which a view has.

/// A query in both dialects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    /// Names of what is measured.
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
    pub(crate) live: &'static str,
    pub(crate) recount: &'static str,
    pub(crate) flink: &'static str,
}

macro_rules! queries {
    ($($name:literal)*) => {
        /// All that are compared.
        pub(crate) const QUERIES: &[Query] = &[$(Query {
            name: $name,
            ours: concat!($name, ", view"),
            theirs: concat!($name, ", Flink"),
            live: concat!($name, ", while appending"),
            recount: include_str!(concat!("recount/", $name, ".sql")),
            flink: include_str!(concat!("flink/", $name, ".sql")),
        }),*];
    };
}

queries!("q0" "q1" "q2" "q3" "q4" "q5" "q7" "q8" "q9" "q14" "q15" "q16" "q17" "q18" "q19" "q20" "q21" "q22");

/// Topics for Recount, one statement after the other.
pub(crate) const TOPICS: &str = include_str!("recount/topics.sql");

impl Query {
    /// What is asked to see whether the view is there.
    pub(crate) fn answer(&self) -> String {
        format!("SELECT 1 FROM {} LIMIT 1", self.name)
    }

    /// The statement that makes a view of it, by its name.
    pub(crate) fn view(&self) -> String {
        format!("CREATE MATERIALIZED VIEW {} AS\n{}", self.name, self.recount)
    }
}
