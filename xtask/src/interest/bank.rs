//! The bank's database, used through the command line: on a running server, or on its directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::record::Record;
use crate::dice::Dice;
use crate::run;

/// The example of the specification, with a product for each transaction, and the entity in four forms: the rate of one
/// product or of the event's; in order of position or of event time.
fn declarations() -> String {
    let mut script = "CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
  timestamp TIMESTAMPTZ NOT NULL UNIT SECONDS, product TEXT NOT NULL) KEY (accountId) TIMESTAMP BY timestamp;
CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL, since TIMESTAMPTZ NOT NULL)
  KEY (product) TIMESTAMP BY since;\n"
        .to_owned();
    for entity in Entity::ALL {
        let (name, order) = (entity.name, if entity.by_time { "ORDER BY EVENT TIME" } else { "" });
        let product = entity.product.map_or("product".to_owned(), |product| format!("'{product}'"));
        script.push_str(&format!(
            "CREATE ENTITY {name} FROM transactions {order}
  LOOKUP rates AS r ON r.product = {product} AS OF timestamp
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
  WHEN ANY THEN SET last = timestamp, balance = balance + amount
    + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2);\n"
        ));
    }
    script
}

/// A form of the entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) name: &'static str,
    /// Whose rate all accounts have; none: that of the event's product.
    pub(super) product: Option<&'static str>,
    pub(super) by_time: bool,
}

impl Entity {
    pub(super) const ALL: [Entity; 4] = [
        Entity { name: "account", product: Some("savings"), by_time: false },
        Entity { name: "account_by_time", product: Some("savings"), by_time: true },
        Entity { name: "product_account", product: None, by_time: false },
        Entity { name: "product_account_by_time", product: None, by_time: true },
    ];
}

/// Where a record came to lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) position: u64,
    /// The last position of its append, which is seen as a whole: the one before the next append of ours.
    pub(super) last: u64,
    /// When it was recorded, as the database says.
    pub(super) recorded: String,
}

/// A database directory, and where it is reached.
#[derive(Debug)]
pub(super) struct Bank<'a> {
    program: &'a Path,
    folder: PathBuf,
    target: String,
}

impl<'a> Bank<'a> {
    /// A new database in `folder`, with its topics and entities declared. Files lie in `folder` too.
    pub(super) fn create(program: &'a Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let target = folder.join("db").display().to_string();
        let bank = Self { program, folder: folder.to_path_buf(), target };
        bank.sql("declarations.sql", &declarations())?;
        Ok(bank)
    }

    /// The directory.
    pub(super) fn database(&self) -> String {
        self.folder.join("db").display().to_string()
    }

    /// Where files may lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on through a server, or on the directory.
    pub(super) fn reach(&mut self, target: String) {
        self.target = target;
    }

    /// Records of one topic, one way or another. Returns how many were appended together, for each append.
    pub(super) fn record(&self, records: &[Record], dice: &mut Dice) -> Result<Vec<usize>> {
        let Some(topic) = records.first().map(Record::topic) else { return Ok(Vec::new()) };
        match dice.below(3) {
            0 => {
                let file = self.file("append.jsonl", records.iter().map(Record::json))?;
                run::output(self.command("append").arg(topic).arg(file))?;
                return Ok(vec![1; records.len()]);
            }
            1 => {
                let header = records.first().map(Record::header);
                let lines = header.into_iter().chain(records.iter().map(Record::csv));
                let file = self.file("import.csv", lines)?;
                run::output(self.command("import").arg(topic).arg(file).args(["--id", "id"]))?;
            }
            _ => {
                let rows: Vec<String> = records.iter().map(Record::row).collect();
                self.sql("insert.sql", &format!("INSERT INTO {topic} VALUES {}", rows.join(",\n  ")))?;
            }
        }
        Ok(vec![records.len()])
    }

    /// Where records came to lie, which were recorded in this order, so many with each append.
    pub(super) fn places(&self, records: &[Record], appends: &[usize]) -> Result<Vec<Place>> {
        let of = |topic| format!("SELECT _position, _append_time FROM {topic} ORDER BY _position");
        let mut answers = self.answers(&[of("transactions"), of("rates")])?.into_iter();
        let mut transactions = answers.next().unwrap_or_default().into_iter();
        let mut rates = answers.next().unwrap_or_default().into_iter();
        let mut places = Vec::new();
        for record in records {
            let of_topic = if record.topic() == "rates" { &mut rates } else { &mut transactions };
            let row = of_topic.next().with_context(|| format!("{} lack {record:?}", record.topic()))?;
            let (position, recorded) = row.split_once(',').with_context(|| row.clone())?;
            places.push(Place { position: position.parse()?, last: u64::MAX, recorded: recorded.to_owned() });
        }
        ensure!(transactions.next().is_none() && rates.next().is_none(), "more is recorded than was given");
        let mut end = 0;
        for count in appends {
            let begin = end;
            end += count;
            let last = places.get(end).map_or(u64::MAX, |next| next.position - 1);
            places[begin..end].iter_mut().for_each(|place| place.last = last);
        }
        Ok(places)
    }

    /// The rows of the answer to each statement. Their first columns must be of one name.
    pub(super) fn answers(&self, statements: &[String]) -> Result<Vec<Vec<String>>> {
        let text = self.sql("questions.sql", &statements.join(";\n"))?;
        let mut answers: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            // Rows of numbers and times; a line of names begins an answer.
            if line.starts_with(|first: char| first.is_ascii_digit()) {
                answers.last_mut().context("an answer without a line of names")?.push(line.to_owned());
            } else {
                answers.push(Vec::new());
            }
        }
        ensure!(answers.len() == statements.len(), "{} answers to {}", answers.len(), statements.len());
        Ok(answers)
    }

    fn sql(&self, file: &str, script: &str) -> Result<String> {
        let file = self.file(file, [script.to_owned()])?;
        run::output(self.command("sql").args(["--format", "csv", "--file"]).arg(file))
    }

    fn file(&self, name: &str, lines: impl IntoIterator<Item = String>) -> Result<PathBuf> {
        let path = self.folder.join(name);
        let lines: Vec<String> = lines.into_iter().collect();
        fs::write(&path, lines.join("\n")).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(self.program);
        command.arg(word).arg(&self.target);
        command
    }
}
