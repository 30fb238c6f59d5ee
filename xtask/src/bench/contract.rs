//! One contract for all measuring. A bench names its *sides* (programs that do comparable work, each
//! saying how), runs them in turns A B C A B C …, takes the median of each, and holds *rows* (ours, a
//! peer, a bar) against them. Ratios count, absolute figures are for orientation; where a bar is absolute, the worst
//! round has to hold.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::machine::Machine;
use super::plot::{self, Plot};

/// What one run of a side measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

/// A program under measurement. `run` does one sample and returns its figures, in the order of `figures`.
pub(crate) struct Side<'a> {
    pub(crate) figures: Vec<Figure>,
    /// Fsync policy, protocol, clients, bytes a write, in words.
    pub(crate) states: String,
    pub(crate) run: Box<dyn FnMut() -> Result<Vec<f64>> + 'a>,
}

/// What must hold between a side and its peer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// figure / peer's figure ≥ this.
    RatioAtLeast(f64),
    /// figure / peer's figure ≤ this.
    RatioAtMost(f64),
    /// The figure of every round ≤ this; there is no peer.
    AtMost(f64),
    /// The figure of every round ≥ this; there is no peer.
    AtLeast(f64),
}

/// One claim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) what: &'static str,
    pub(crate) ours: &'static str,
    /// Empty with [`Bar::AtMost`] and [`Bar::AtLeast`].
    pub(crate) peer: &'static str,
    pub(crate) bar: Bar,
}

/// Everything that was measured, as printed and as written.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    name: String,
    machine: Machine,
    rounds: usize,
    sides: Vec<Measured>,
    rows: Vec<Row>,
    /// Drawn beside the JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) plots: Vec<Plot>,
}

#[derive(Debug, Serialize)]
struct Measured {
    name: &'static str,
    unit: &'static str,
    states: String,
    median: f64,
    samples: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    unit: &'static str,
    figure: f64,
    peer: Option<&'static str>,
    peer_figure: Option<f64>,
    ratio: Option<f64>,
    bar: String,
    holds: bool,
}

impl Report {
    /// Runs every side once a round, in the order given, and judges the claims.
    pub(crate) fn measure(
        name: &str,
        machine: Machine,
        rounds: usize,
        mut sides: Vec<Side<'_>>,
        claims: &[Claim],
    ) -> Result<Self> {
        ensure!(rounds > 0, "at least one round");
        let mut measured: Vec<Vec<Measured>> = sides.iter().map(Measured::none_yet).collect();
        for round in 1..=rounds {
            for (side, measured) in sides.iter_mut().zip(&mut measured) {
                let figures = (side.run)().with_context(|| format!("round {round}: {}", side.states))?;
                ensure!(figures.len() == measured.len(), "{} figures, not {}", figures.len(), measured.len());
                for (figure, measured) in figures.into_iter().zip(measured) {
                    let Measured { name, unit, .. } = measured;
                    eprintln!("round {round}/{rounds}  {name:<32} {} {unit}", readable(figure));
                    measured.samples.push(figure);
                    measured.median = median(&measured.samples);
                }
            }
        }
        let sides: Vec<Measured> = measured.into_iter().flatten().collect();
        let rows = claims.iter().map(|claim| row(claim, &sides)).collect::<Result<_>>()?;
        Ok(Self { name: name.to_owned(), machine, rounds, sides, rows, plots: Vec::new() })
    }

    /// A row more: the geometric mean of the ratios until here, and the least that it may be.
    pub(crate) fn add_mean_of_ratios(&mut self, what: &'static str, bar: f64) {
        let ratios: Vec<f64> = self.rows.iter().filter_map(|row| row.ratio).collect();
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        self.rows.push(Row {
            what,
            unit: "",
            figure: mean,
            peer: None,
            peer_figure: None,
            ratio: Some(mean),
            bar: format!("≥ {bar}"),
            holds: mean >= bar,
        });
    }

    /// Whether every bar is met.
    pub(crate) fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds)
    }

    /// The table for people.
    pub(crate) fn print(&self) {
        println!("\n{}: medians of {} interleaved rounds", self.name, self.rounds);
        println!("machine: {}", self.machine);
        for side in &self.sides {
            println!("  {:<32} {:>12} {:<10} {}", side.name, readable(side.median), side.unit, side.states);
        }
        println!("\n{:<52} {:>12} {:>12} {:>7}  {:<10} holds", "what", "figure", "peer", "ratio", "bar");
        for row in &self.rows {
            let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), readable);
            let ratio = row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let what = row.peer.map_or_else(|| row.what.to_owned(), |peer| format!("{} / {peer}", row.what));
            let holds = if row.holds { "yes" } else { "NO" };
            println!(
                "{what:<52} {:>12} {:>12} {ratio:>7}  {:<10} {holds}",
                readable(row.figure),
                number(row.peer_figure),
                row.bar
            );
        }
    }

    /// The same for programs.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| path.display().to_string())?;
        eprintln!("written to {}", path.display());
        if !self.plots.is_empty() {
            let path = path.with_extension("svg");
            fs::write(&path, plot::svg(&self.plots)).with_context(|| path.display().to_string())?;
            eprintln!("drawn in {}", path.display());
        }
        Ok(())
    }
}

impl Measured {
    fn none_yet(side: &Side<'_>) -> Vec<Self> {
        let measured = |figure: &Figure| Self {
            name: figure.name,
            unit: figure.unit,
            states: side.states.clone(),
            median: f64::NAN,
            samples: Vec::new(),
        };
        side.figures.iter().map(measured).collect()
    }
}

fn row(claim: &Claim, sides: &[Measured]) -> Result<Row> {
    let side = |name: &str| {
        sides.iter().find(|side| side.name == name).with_context(|| format!("no side measures {name}"))
    };
    let ours = side(claim.ours)?;
    let figure = match claim.bar {
        Bar::AtMost(_) => greatest(&ours.samples),
        Bar::AtLeast(_) => least(&ours.samples),
        Bar::RatioAtLeast(_) | Bar::RatioAtMost(_) => ours.median,
    };
    let peer_figure = if claim.peer.is_empty() { None } else { Some(side(claim.peer)?.median) };
    let ratio = peer_figure.map(|peer| figure / peer);
    let (bar, holds) = match claim.bar {
        Bar::RatioAtLeast(bar) => (format!("≥ {bar}"), ratio.is_some_and(|ratio| ratio >= bar)),
        Bar::RatioAtMost(bar) => (format!("≤ {bar}"), ratio.is_some_and(|ratio| ratio <= bar)),
        Bar::AtMost(bar) => (format!("each ≤ {bar}"), figure <= bar),
        Bar::AtLeast(bar) => (format!("each ≥ {bar}"), figure >= bar),
    };
    let peer = (!claim.peer.is_empty()).then_some(claim.peer);
    Ok(Row { what: claim.what, unit: ours.unit, figure, peer, peer_figure, ratio, bar, holds })
}

/// The middle one; of an even number, the mean of the two in the middle.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The greatest; not a number if one of them is none.
fn greatest(samples: &[f64]) -> f64 {
    samples.iter().copied().max_by(f64::total_cmp).unwrap_or(f64::NAN)
}

/// The least; not a number if one of them is none.
fn least(samples: &[f64]) -> f64 {
    let least = samples.iter().copied().min_by(f64::total_cmp);
    least.filter(|_| !samples.iter().any(|sample| sample.is_nan())).unwrap_or(f64::NAN)
}

/// `12,345`, `12.3` or `0.123`.
fn readable(figure: f64) -> String {
    if figure.abs() < 10.0 {
        return format!("{figure:.3}");
    }
    if figure.abs() < 1000.0 {
        return format!("{figure:.1}");
    }
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &'static str, mut figures: Vec<f64>) -> Side<'static> {
        figures.reverse();
        Side {
            figures: vec![Figure { name, unit: "x" }],
            states: String::new(),
            run: Box::new(move || Ok(vec![figures.pop().context("ran too often")?])),
        }
    }

    fn measure(bar: Bar, peer: &'static str) -> Report {
        let sides = vec![side("a", vec![1.0, 90.0, 3.0]), side("b", vec![2.0, 2.0, 8.0])];
        let claims = [Claim { what: "a", ours: "a", peer, bar }];
        Report::measure("test", Machine::default(), 3, sides, &claims).unwrap()
    }

    #[test]
    fn medians_are_compared_with_a_peer_and_the_worst_with_a_bar_alone() {
        for (bar, peer, holds) in [
            (Bar::RatioAtLeast(1.5), "b", true),
            (Bar::RatioAtLeast(1.6), "b", false),
            (Bar::RatioAtMost(1.5), "b", true),
            (Bar::RatioAtMost(1.4), "b", false),
            (Bar::AtMost(90.0), "", true),
            (Bar::AtMost(89.0), "", false),
            (Bar::AtLeast(1.0), "", true),
            (Bar::AtLeast(1.1), "", false),
        ] {
            assert_eq!(measure(bar, peer).holds(), holds, "{bar:?}");
        }
    }

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        let sides = vec![side("a", vec![8.0]), side("b", vec![1.0]), side("c", vec![4.0])];
        let claim = |peer| Claim { what: "a", ours: "a", peer, bar: Bar::RatioAtLeast(2.0) };
        let claims = [claim("b"), claim("c")];
        let mut report = Report::measure("test", Machine::default(), 1, sides, &claims).unwrap();
        report.add_mean_of_ratios("mean", 4.1);
        assert!((report.rows[2].figure - 4.0).abs() < 1e-9 && !report.holds());
    }

    #[test]
    fn an_unknown_side_is_an_error() {
        let claims = [Claim { what: "a", ours: "a", peer: "c", bar: Bar::RatioAtLeast(1.0) }];
        assert!(Report::measure("test", Machine::default(), 1, vec![side("a", vec![1.0])], &claims).is_err());
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(
            [0.12345, 12.34, 999.0, 1234.5, 1234567.0].map(readable),
            ["0.123", "12.3", "999.0", "1,234", "1,234,567"]
        );
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(greatest(&[1.0, 3.0, 2.0]), 3.0);
        assert_eq!(least(&[2.0, 1.0, 3.0]), 1.0);
        assert!(greatest(&[1.0, f64::NAN, 2.0]).is_nan() && least(&[1.0, f64::NAN, 2.0]).is_nan());
    }
}
