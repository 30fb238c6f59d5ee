//! NEXMark's queries as the published suite has them (<https://github.com/nexmark/nexmark>). Where they leave open which of several rows is the
//! first, it goes by position.
//!
//! Apart from these: q6, which Flink SQL cannot compute (its OVER windows read nothing that is retracted); q10 writes files, which a view does not;
//! q11 has windows that sessions make, and q12 and q13 go by the clock of the machine that computes, neither of which a view has.

/// A query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) recount: &'static str,
}

macro_rules! queries {
    ($($name:literal)*) => {
        /// All that are compared.
        pub(crate) const QUERIES: &[Query] = &[$(Query {
            name: $name,
            recount: include_str!(concat!("recount/", $name, ".sql")),
        }),*];
    };
}

queries!("q0" "q1" "q2" "q3" "q4" "q5" "q7" "q8" "q9" "q14" "q15" "q16" "q17" "q18" "q19" "q20" "q21" "q22");

/// Topics for Recount, one statement after the other.
pub(crate) const TOPICS: &str = include_str!("recount/topics.sql");

impl Query {
    /// The statement that makes a view of it, by its name.
    pub(crate) fn view(&self) -> String {
        format!("CREATE MATERIALIZED VIEW {} AS\n{}", self.name, self.recount)
    }
}
