//! `real --data DIR`: a real bank's transactions through the command line, held against the bank's own
//! figures; then the same with imports killed at random moments, and with rows shuffled across accounts; then its balances as an
//! entity, at any moment, and views of them.
//! The data is not part of the project.

mod berka;
mod entities;
mod recount;
mod views;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::dice::Dice;
use berka::{Berka, Row};
use recount::Recount;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder with `berka/`
    #[arg(long)]
    data: PathBuf,
    /// Where databases lie while this runs; kept if it fails
    #[arg(long, default_value = "/var/tmp/recount-real")]
    dir: PathBuf,
    /// Of the moments and of the shuffling
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// So many imports are killed at least; so many of them leave a part of the file behind; and the parts end at so
/// many different places. It goes on until all three are reached, but not for ever.
const KILLS_MIN: u32 = 50;
const PARTIAL_MIN: u32 = 40;
const PLACES_MIN: usize = 50;
const KILLS_MAX: u32 = 1000;

/// Imports, kills, shuffles; checks after each.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let berka = Berka::read(&arguments.data)?;
    let program = Recount::build()?;
    fs::create_dir_all(&arguments.dir)?;
    let mut dice = Dice::new(arguments.seed);
    let trial = Trial { berka: &berka, program: &program, dir: &arguments.dir };

    let took = trial.plain()?;
    trial.killed(took, &mut dice)?;
    trial.shuffled(&mut dice)?;
    entities::check(&berka, &program, &arguments.dir)?;
    views::check(&berka, &program, &arguments.dir)?;
    fs::remove_dir_all(&arguments.dir)?;
    println!("5 checks passed, 0 failed");
    Ok(())
}

struct Trial<'a> {
    berka: &'a Berka,
    program: &'a Path,
    dir: &'a Path,
}

impl Trial<'_> {
    /// One import, and the same file again, which must change nothing. Returns how long the first took.
    fn plain(&self) -> Result<Duration> {
        let csv = self.file("plain.csv", &self.berka.rows)?;
        let recount = self.fresh("plain.db")?;
        let began = Instant::now();
        recount.import(&csv)?;
        let took = began.elapsed();
        self.berka.check(recount.events()?)?;
        recount.import(&csv).context("the same file again")?;
        self.berka.check(recount.events()?).context("after importing the same file again")?;
        println!(
            "import: {} rows in {:.2} s, sums and histogram exact, twice",
            self.berka.rows.len(),
            took.as_secs_f64()
        );
        Ok(took)
    }

    /// Imports killed at random moments and started again until they end by themselves.
    fn killed(&self, took: Duration, dice: &mut Dice) -> Result<()> {
        let csv = self.file("killed.csv", &self.berka.rows)?;
        let (mut kills, mut partial, mut places) = (0, 0, BTreeSet::new());
        while kills < KILLS_MIN || partial < PARTIAL_MIN || places.len() < PLACES_MIN {
            ensure!(kills < KILLS_MAX, "of {kills} kills {partial} left a part, at {} places", places.len());
            let recount = self.fresh("killed.db")?;
            loop {
                let mut import = recount.start_import(&csv)?;
                thread::sleep(took.mul_f64(dice.share() * 0.6));
                import.kill()?;
                if import.wait()?.success() {
                    break;
                }
                kills += 1;
                let events = recount.events().with_context(|| format!("after kill {kills}"))?.len();
                if events > 0 && events < self.berka.rows.len() {
                    partial += 1;
                    places.insert(events);
                }
                if events == self.berka.rows.len() {
                    break;
                }
            }
            recount.import(&csv)?;
            self.berka.check(recount.events()?).with_context(|| format!("after {kills} kills"))?;
        }
        println!(
            "import killed {kills} times, {partial} left a part, at {} places; sums and histogram exact",
            places.len()
        );
        Ok(())
    }

    /// Rows in another order across accounts, in the same order within each.
    fn shuffled(&self, dice: &mut Dice) -> Result<()> {
        let mut places: Vec<(u64, u64)> =
            self.berka.rows.iter().map(|row| (row.account, dice.roll())).collect();
        places.sort_unstable();
        let mut by_account: Vec<&Row> = self.berka.rows.iter().collect();
        by_account.sort_by_key(|row| row.account);
        let mut placed: Vec<(u64, &Row)> = places.iter().map(|(_, place)| *place).zip(by_account).collect();
        placed.sort_by_key(|(place, _)| *place);

        let csv = self.file("shuffled.csv", placed.into_iter().map(|(_, row)| row))?;
        let recount = self.fresh("shuffled.db")?;
        recount.import(&csv)?;
        self.berka.check(recount.events()?).context("shuffled across accounts")?;
        println!("import shuffled across accounts: sums and histogram exact");
        Ok(())
    }

    fn fresh(&self, name: &str) -> Result<Recount<'_>> {
        let database = self.dir.join(name);
        if database.exists() {
            fs::remove_dir_all(&database)?;
        }
        Recount::create(self.program, &database)
    }

    fn file<'a>(&self, name: &str, rows: impl IntoIterator<Item = &'a Row>) -> Result<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, Berka::csv(rows)).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}
