//! The script that knows what balances should be, as a child process.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bank::Place;
use super::question::Question;
use super::record::Record;
use crate::run;

const SCRIPT: &str = "xtask/src/interest/expected.py";

/// What the script says.
#[derive(Debug, Deserialize)]
pub(super) struct Expected {
    /// The rows of the answer to each question.
    pub(super) answers: Vec<Vec<String>>,
    /// How many steps of them paid interest.
    pub(super) paid: usize,
    /// How many of these lie between two cents exactly, and are rounded away from zero.
    pub(super) halves: usize,
}

impl Expected {
    /// Asks it; its input lies in `folder`.
    pub(super) fn of(
        folder: &Path,
        records: &[Record],
        places: &[Place],
        questions: &[Question],
    ) -> Result<Self> {
        let of_topic = |topic: &str| -> Vec<Value> {
            let both = records.iter().zip(places).filter(|(record, _)| record.topic() == topic);
            both.map(|(record, place)| record.given(place)).collect()
        };
        let questions: Vec<Value> = questions.iter().map(Question::given).collect();
        let given = json!({
            "transactions": of_topic("transactions"), "rates": of_topic("rates"), "questions": questions,
        });
        let input = folder.join("expected.json");
        std::fs::write(&input, given.to_string()).with_context(|| input.display().to_string())?;
        let mut python = Command::new("python3");
        python.arg(run::root().join(SCRIPT)).stdin(File::open(&input)?);
        let expected: Self = serde_json::from_str(&run::output(&mut python)?)?;
        ensure!(
            expected.answers.len() == questions.len(),
            "the script answered {} questions",
            expected.answers.len()
        );
        Ok(expected)
    }
}
