//! `interest`: a random bank whose rates change, come late and are corrected, through the command line; every balance
//! of every account after every step, as of moments and positions, must equal a script's, to the cent.
//!
//! One history is recorded in several orders: transactions first, rates first, mixed, and everything shuffled. Questions
//! are asked of a running server after each part of it, and of the directory after the server was killed. The script
//! computes with exact fractions from a list of what was recorded, and shares nothing with the program.

mod bank;
mod expected;
mod history;
mod question;
mod record;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::bench::server::Recount;
use crate::dice::Dice;
use crate::run;
use bank::Bank;
use expected::Expected;
use history::{History, Order};
use question::Question;
use record::Record;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many accounts
    #[arg(long, default_value_t = 40)]
    accounts: usize,
    /// How many transactions
    #[arg(long, default_value_t = 800)]
    events: usize,
    /// Of everything that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where databases lie while this runs; kept if it fails
    #[arg(long, default_value = "/var/tmp/recount-interest")]
    dir: PathBuf,
}

/// Parts of a load; questions are asked after each.
const PARTS: usize = 3;
/// Records that are recorded together at most.
const TOGETHER_MAX: usize = 40;

/// Records a history in every order and asks.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    run::need("python3", "python3")?;
    ensure!(arguments.accounts > 0 && arguments.events > 0, "there must be an account and an event");
    let program = run::tested_program()?;
    let mut dice = Dice::new(arguments.seed);
    let history = History::random(&mut dice, arguments.accounts, arguments.events);
    let mut sequences: Option<Vec<Vec<String>>> = None;
    for order in Order::ALL {
        let trial = Trial { program: &program, history: &history, dir: &arguments.dir, seed: arguments.seed };
        let sequence = trial.play(order, &mut dice)?;
        if order == Order::Shuffled {
            continue;
        }
        // Positions differ, and which of two of one time is first does not.
        let first = sequences.get_or_insert_with(|| sequence.clone());
        ensure!(*first == sequence, "{}: balances differ from those of another order", order.name());
    }
    fs::remove_dir_all(&arguments.dir)?;
    println!("interest: every balance equals the script's, in {} orders", Order::ALL.len());
    Ok(())
}

/// A small run, of seconds.
pub(crate) fn smoke() -> Result<()> {
    let dir = run::target()?.join("interest");
    run(&Arguments { accounts: 12, events: 150, seed: 1, dir })
}

struct Trial<'a> {
    program: &'a Path,
    history: &'a History,
    dir: &'a Path,
    seed: u64,
}

impl Trial<'_> {
    /// Records in one order. Returns account and balance of every step, for each form of the entity.
    fn play(&self, order: Order, dice: &mut Dice) -> Result<Vec<Vec<String>>> {
        let mut bank = Bank::create(self.program, &self.dir.join(order.name()))?;
        let server = Recount::of(self.program.to_path_buf()).serve(&bank.database())?;
        bank.reach(format!("http://{}", server.address));
        let records = self.history.recorded(order, dice);
        let (mut done, mut appends, mut tally) = (0, Vec::new(), Tally::default());
        for part in 1..=PARTS {
            let end = records.len() * part / PARTS;
            while done < end {
                let count = together(&records[done..end]).min(1 + dice.below(TOGETHER_MAX));
                appends.extend(bank.record(&records[done..done + count], dice)?);
                done += count;
            }
            self.ask(&bank, order, (&records[..done], &appends), dice, &mut tally)?;
        }
        drop(server);
        bank.reach(bank.database());
        let sequences = self.ask(&bank, order, (&records, &appends), dice, &mut tally)?;
        let Tally { answers, balances, paid, halves } = tally;
        ensure!(
            paid * 4 > balances,
            "{paid} steps of {balances} balances paid interest: ask for more events an account"
        );
        println!(
            "{}: {answers} answers, {balances} balances, {paid} steps paid interest, {halves} of it exactly between two cents: equal",
            order.name()
        );
        Ok(sequences)
    }

    fn ask(
        &self,
        bank: &Bank<'_>,
        order: Order,
        (records, appends): (&[Record], &[usize]),
        dice: &mut Dice,
        tally: &mut Tally,
    ) -> Result<Vec<Vec<String>>> {
        let places = bank.places(records, appends)?;
        let questions = Question::some(self.history, &places, dice);
        let statements: Vec<String> = questions.iter().map(Question::sql).collect();
        let answers = bank.answers(&statements)?;
        let expected = Expected::of(bank.folder(), records, &places, &questions)?;
        let mut sequences = Vec::new();
        for (at, (answer, expected)) in answers.iter().zip(&expected.answers).enumerate() {
            let differing = answer.iter().zip(expected).find(|(answer, expected)| answer != expected);
            ensure!(
                answer == expected,
                "{}, after {} records, seed {}: {}\n{} rows, expected {}; the first that differs: {differing:?}",
                order.name(),
                records.len(),
                self.seed,
                statements[at],
                answer.len(),
                expected.len()
            );
            if questions[at].is_whole() {
                sequences.push(answer.iter().map(|row| without_position(row)).collect());
            }
            tally.answers += 1;
            tally.balances += answer.len();
        }
        tally.paid += expected.paid;
        tally.halves += expected.halves;
        Ok(sequences)
    }
}

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    answers: usize,
    balances: usize,
    paid: usize,
    halves: usize,
}

/// How many records at the front are of one topic.
fn together(records: &[Record]) -> usize {
    let topic = records.first().map(Record::topic);
    records.iter().take_while(|record| Some(record.topic()) == topic).count()
}

fn without_position(row: &str) -> String {
    let cells: Vec<&str> = row.split(',').collect();
    format!("{} {}", cells[0], cells[cells.len() - 1])
}
