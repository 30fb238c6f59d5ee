//! `slt`: the `.slt` files that DataFusion publishes, their queries asked of Recount: ad hoc, and as views over rows that come in several
//! appends. Which of them are in the list was frozen before the first answer was seen; `docs/slt.md` says how. The files are no part of
//! the project.

mod compare;
mod list;
mod plan;
mod records;
mod rules;
mod tables;
mod tokens;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::run;
use list::{Known, List};
use plan::Plan;
use trial::{Answer, Asked};

/// So many of a hundred are equal, at least.
const FLOOR: f64 = 95.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder with the files, if they are here already [default: target/slt, where they are brought to]
    #[arg(long)]
    files: Option<PathBuf>,
    /// Only files with this in their name
    #[arg(long, default_value = "")]
    filter: String,
    /// Writes the list anew, and asks nothing
    #[arg(long)]
    freeze: bool,
    /// A built `recount`, instead of the one that is built for tests
    #[arg(long)]
    program: Option<PathBuf>,
    /// Where databases lie while this runs
    #[arg(long, default_value = "/var/tmp/recount-slt")]
    dir: PathBuf,
}

/// Asks the list, prints a table by file and every difference; fails below the floor, or if a difference has no reason.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let list = List::read()?;
    let files = match &arguments.files {
        Some(files) => files.clone(),
        None => {
            let files = run::target()?.join("slt");
            list.fetch(&files)?;
            files
        }
    };
    let plan = |name: &String| -> Result<(String, Plan)> { Ok((name.clone(), Plan::read(&files, name)?)) };
    let plans = list.names.iter().map(plan).collect::<Result<Vec<_>>>()?;
    if arguments.freeze {
        return list.freeze(&files, &plans);
    }
    list.check(&files, &plans)?;
    let program = arguments.program.clone().map_or_else(run::tested_program, Ok)?;
    fs::create_dir_all(&arguments.dir)?;
    let mut known = Known::read()?;
    let mut table = Vec::new();
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    for (name, plan) in plans.iter().filter(|(name, _)| name.contains(&arguments.filter)) {
        let asked = trial::run(&program, &arguments.dir.join("slt.db"), &files, plan)?;
        table.push(Line::of(name, plan, &asked, &mut known, &mut refusals));
        for place in known.vanished(name) {
            println!("{place} is listed as a difference, and is none");
        }
    }
    println!("\n{HEAD}");
    table.iter().for_each(Line::print);
    let all = table.iter().fold(Line::default(), Line::plus);
    all.print();
    println!("\nrefused as views:");
    let mut refusals: Vec<_> = refusals.into_iter().collect();
    refusals.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    refusals.iter().for_each(|(reason, count)| println!("{count:>6}  {reason}"));
    ensure!(all.unexplained == 0, "{} differences have no reason", all.unexplained);
    ensure!(
        percent(all.ad_hoc, all.list) >= FLOOR && percent(all.views, all.taken) >= FLOOR,
        "less than {FLOOR} % are equal"
    );
    Ok(())
}

const HEAD: &str = "| file | queries | in the list | equal ad hoc | % | taken as views | equal | % | refused as views |\n\
                    |---|---|---|---|---|---|---|---|---|";

/// What became of a file.
#[derive(Debug, Default)]
struct Line {
    name: String,
    queries: usize,
    list: usize,
    ad_hoc: usize,
    taken: usize,
    views: usize,
    unexplained: usize,
}

impl Line {
    fn of(
        name: &str,
        plan: &Plan,
        asked: &[Asked],
        known: &mut Known,
        refusals: &mut BTreeMap<String, usize>,
    ) -> Line {
        let list = plan.queries().count();
        let mut line = Line { name: name.to_owned(), queries: plan.all(), list, ..Line::default() };
        for one in asked {
            let mut differs = |what: &str, found: &str| {
                let reason = known.reason(name, one.line);
                line.unexplained += usize::from(reason.is_none());
                println!(
                    "{name}:{} {what}: {}\n    {found}",
                    one.line,
                    reason.unwrap_or("no reason is known")
                );
            };
            match &one.ad_hoc {
                Answer::Equal => line.ad_hoc += 1,
                Answer::Different(found) | Answer::Refused(found) => differs("ad hoc", found),
            }
            match &one.view {
                Answer::Equal => line.views += 1,
                Answer::Different(found) => differs("view", found),
                Answer::Refused(_) => {}
            }
            match &one.view {
                Answer::Refused(reason) => *refusals.entry(kind(reason)).or_default() += 1,
                _ => line.taken += 1,
            }
        }
        line
    }

    fn plus(self, other: &Line) -> Line {
        Line {
            name: "all".to_owned(),
            queries: self.queries + other.queries,
            list: self.list + other.list,
            ad_hoc: self.ad_hoc + other.ad_hoc,
            taken: self.taken + other.taken,
            views: self.views + other.views,
            unexplained: self.unexplained + other.unexplained,
        }
    }

    fn print(&self) {
        println!(
            "| {} | {} | {} | {} | {:.1} | {} | {} | {:.1} | {} |",
            self.name,
            self.queries,
            self.list,
            self.ad_hoc,
            percent(self.ad_hoc, self.list),
            self.taken,
            self.views,
            percent(self.views, self.taken),
            self.list - self.taken
        );
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// A refusal without what is particular to one query.
fn kind(reason: &str) -> String {
    let end = reason.find(['"', '\'', ':', '\n', '(']).unwrap_or(reason.len());
    reason[..end].trim().to_owned()
}
