//! Plots as SVG: points, the two axes, the bar as a dashed line. One below the other.

use std::fmt::Write;

use serde::Serialize;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
/// Around the points, for titles and numbers.
const MARGIN: f64 = 60.0;
const TICKS: u32 = 5;

/// One plot. Both axes begin at 0.
#[derive(Debug, Serialize)]
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    /// What the axes are, with their units.
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
    /// What no point should be above: at x = 0, and how much more for each x.
    pub(crate) bar: (f64, f64),
}

/// All of them as one picture.
pub(crate) fn svg(plots: &[Plot]) -> String {
    let height = HEIGHT * plots.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (number, plot) in plots.iter().enumerate() {
        // Writing to a String does not fail.
        let _ = writeln!(out, "<g transform=\"translate(0 {})\">", HEIGHT * number as f64);
        plot.draw(&mut out);
        out.push_str("</g>\n");
    }
    out + "</svg>\n"
}

impl Plot {
    fn draw(&self, out: &mut String) {
        let greatest = |values: &mut dyn Iterator<Item = f64>| nice(values.fold(0.0, f64::max));
        let x_max = greatest(&mut self.points.iter().map(|point| point.0));
        let bar = |x: f64| self.bar.0 + self.bar.1 * x;
        let y_max = greatest(&mut self.points.iter().map(|point| point.1).chain([bar(x_max)]));
        let x = |value: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * value / x_max;
        let y = |value: f64| HEIGHT - MARGIN + (2.0 * MARGIN - HEIGHT) * value / y_max;
        let (left, right, top, bottom) = (x(0.0), x(x_max), y(y_max), y(0.0));

        let _ = writeln!(
            out,
            "<text x=\"{left}\" y=\"{}\" font-size=\"14\">{}, {}</text>",
            top - 20.0,
            self.title,
            self.y
        );
        let _ = writeln!(
            out,
            "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            bottom + 36.0,
            self.x
        );
        for tick in 0..=TICKS {
            let share = f64::from(tick) / f64::from(TICKS);
            let (at_x, at_y) = (x(x_max * share), y(y_max * share));
            let _ = writeln!(
                out,
                "<path d=\"M{left} {at_y:.1}H{right}\" stroke=\"#ddd\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <text x=\"{at_x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                left - 6.0,
                at_y + 4.0,
                short(y_max * share),
                bottom + 18.0,
                short(x_max * share)
            );
        }
        let (bar_left, bar_right) = (y(bar(0.0)), y(bar(x_max)));
        let name = match self.bar {
            (flat, 0.0) => short(flat),
            (first, each) => format!("{} + {} for each", short(first), short(each)),
        };
        let _ = writeln!(
            out,
            "<path d=\"M{left} {bar_left:.1}L{right} {bar_right:.1}\" stroke=\"#c33\" stroke-dasharray=\"6 4\"/>\
             <text x=\"{right}\" y=\"{:.1}\" fill=\"#c33\" text-anchor=\"end\">bar {name}</text>",
            bar_right - 4.0
        );
        for point in &self.points {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\" fill=\"#258\"/>",
                x(point.0),
                y(point.1)
            );
        }
    }
}

/// The next number that divides into ticks well: 1, 1.5, 2, 3, 5 or 7.5 times a power of ten.
fn nice(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 5.0, 7.5]
        .map(|digit| digit * power)
        .into_iter()
        .find(|nice| *nice >= value)
        .unwrap_or(10.0 * power)
}

/// Three digits, without zeros at the end.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!([0.0, 0.04, 1.0, 1.1, 4.9, 76.0].map(nice), [1.0, 0.05, 1.0, 1.5, 5.0, 100.0]);
        assert_eq!([0.0, 0.25, 10.0, 1.23456].map(short), ["0", "0.25", "10", "1.235"]);
    }

    #[test]
    fn a_point_lies_where_it_belongs() {
        let plot = |bar| Plot { title: "t", x: "x", y: "y", points: vec![(5.0, 10.0), (0.0, 0.0)], bar };
        let picture = svg(&[plot((5.0, 0.0)), plot((5.0, 1.0))]);
        for part in [
            "<circle cx=\"660.0\" cy=\"60.0\" r=\"2\"",
            "<circle cx=\"60.0\" cy=\"220.0\" r=\"2\"",
            "M60 140.0L660 140.0\" stroke=\"#c33\"",
            "bar 5</text>",
            "M60 140.0L660 60.0\" stroke=\"#c33\"",
            "bar 5 + 1 for each</text>",
        ] {
            assert!(picture.contains(part), "{part} is not in {picture}");
        }
        assert_eq!(picture.matches("<g ").count(), picture.matches("</g>").count());
    }
}
