//! Draws the course of shifts: occupancy and abandonment over time, as SVG.

use std::fmt::Write;

use super::outcome::{BIN_S, Bin, Outcome};

/// A line of a chart.
#[derive(Debug)]
pub struct Course<'o> {
    /// What the legend says.
    pub name: String,
    /// What is averaged.
    pub outcomes: &'o [Outcome],
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const PANEL: f64 = 220.0;
const TOP: f64 = 56.0;
const GAP: f64 = 72.0;
/// Bins of the trailing hour over which abandonment is drawn.
const HOUR_BINS: usize = 12;

/// Colours that colour-blind people can tell apart (Okabe and Ito), for a light and for a
/// dark background.
const COLOURS: [(&str, &str); 7] = [
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff8c42"),
    ("#009e73", "#2fd6a6"),
    ("#a8518a", "#e39ac5"),
    ("#8a6d00", "#f0e442"),
    ("#333333", "#e0e0e0"),
    ("#c08000", "#e69f00"),
];
const DASHES: [&str; 3] = ["none", "8 4", "2 3"];

/// Values per bin, where there are any.
type Curve = Vec<Option<f64>>;

/// Draws occupancy per five minutes, and below it the people not connected within 2 s,
/// over the hour before, beside the limit (in percent).
pub fn chart(title: &str, courses: &[Course<'_>], limit: f64) -> String {
    let curves: Vec<(Curve, Curve)> = courses
        .iter()
        .map(|course| {
            let bins = pooled(course.outcomes);
            (occupancy(&bins), abandonment(&bins))
        })
        .collect();
    let bins = curves.iter().map(|curve| curve.0.len()).max().unwrap_or(0);
    let worst = curves
        .iter()
        .flat_map(|curve| curve.1.iter().flatten())
        .fold(limit * 2.0, |worst, value| worst.max(*value));
    let second = TOP + PANEL + GAP;
    let legend = second + PANEL + 64.0;
    let height = legend + 22.0 * number(courses.len().div_ceil(3)) + 8.0;
    let mut svg = head(height, courses.len());
    text(&mut svg, LEFT, 26.0, "title", title);
    let upper = Panel::new(TOP, 100.0, bins, "Occupancy, %");
    let label = format!(
        "Not connected in 2 s, % of those who answered in the hour before (dashed: limit {limit} %)"
    );
    let lower = Panel::new(second, nice(worst), bins, &label);
    for panel in [&upper, &lower] {
        panel.axes(&mut svg);
    }
    let y = lower.y(limit);
    let _ = write!(
        svg,
        "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
        WIDTH - RIGHT,
    );
    for (index, (occupancy, abandonment)) in curves.iter().enumerate() {
        upper.curve(&mut svg, index, occupancy);
        lower.curve(&mut svg, index, abandonment);
    }
    for (index, course) in courses.iter().enumerate() {
        let x = LEFT + number(index % 3) * 290.0;
        let y = legend + number(index / 3) * 22.0;
        let _ = write!(
            svg,
            "<line class=\"c{index}\" x1=\"{x}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            x + 36.0,
            y - 4.0,
            y - 4.0,
        );
        text(&mut svg, x + 44.0, y, "", &course.name);
    }
    svg.push_str("</svg>\n");
    svg
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn number(count: usize) -> f64 {
    count as f64
}

fn head(height: f64, courses: usize) -> String {
    let mut style = String::from(
        "svg{background:#fff}text{font:13px system-ui,sans-serif;fill:#333}\
         .title{font-size:17px;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\
         .grid{stroke:#ddd;stroke-width:1}.axis{stroke:#666;stroke-width:1}\
         .limit{stroke:#c00;stroke-width:1.5;stroke-dasharray:6 3}\
         polyline{fill:none;stroke-linejoin:round}",
    );
    let mut dark = String::from(
        "svg{background:#14171a}text{fill:#ddd}.grid{stroke:#333a40}.axis{stroke:#999}\
         .limit{stroke:#ff6b6b}",
    );
    for index in 0..courses {
        if let (Some((light, night)), Some(dash)) = (
            COLOURS.get(index % COLOURS.len()),
            DASHES.get(index / COLOURS.len() % DASHES.len()),
        ) {
            let _ = write!(
                style,
                ".c{index}{{stroke:{light};stroke-width:2;stroke-dasharray:{dash}}}"
            );
            let _ = write!(dark, ".c{index}{{stroke:{night}}}");
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\
         <style>{style}@media (prefers-color-scheme:dark){{{dark}}}</style>"
    )
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = write!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
    );
}

/// The next of 5, 10, 20, 50, 100 that holds a value.
fn nice(value: f64) -> f64 {
    [5.0, 10.0, 20.0, 50.0]
        .into_iter()
        .find(|top| value <= *top)
        .unwrap_or(100.0)
}

struct Panel<'w> {
    top: f64,
    highest: f64,
    bins: usize,
    label: &'w str,
}

impl<'w> Panel<'w> {
    fn new(top: f64, highest: f64, bins: usize, label: &'w str) -> Self {
        Self {
            top,
            highest,
            bins,
            label,
        }
    }

    fn x(&self, bin: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * bin / number(self.bins.max(1))
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PANEL * (1.0 - value.clamp(0.0, self.highest) / self.highest)
    }

    fn axes(&self, svg: &mut String) {
        text(svg, LEFT, self.top - 10.0, "", self.label);
        for step in 0..=5_u8 {
            let value = self.highest * f64::from(step) / 5.0;
            let y = self.y(value);
            let class = if step == 0 { "axis" } else { "grid" };
            let _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT,
            );
            text(svg, LEFT - 8.0, y + 4.0, "end", &format!("{value}"));
        }
        let per_hour = 3600.0 / BIN_S;
        let hours = number(self.bins) / per_hour;
        let step = if hours > 16.0 { 4.0 } else { 1.0 };
        let mut hour = 0.0;
        while hour <= hours + 1e-9 {
            let x = self.x(hour * per_hour);
            text(
                svg,
                x,
                self.top + PANEL + 18.0,
                "middle",
                &format!("{hour}"),
            );
            hour += step;
        }
        text(
            svg,
            WIDTH - RIGHT,
            self.top + PANEL + 36.0,
            "end",
            "hours since the start",
        );
    }

    fn curve(&self, svg: &mut String, index: usize, values: &[Option<f64>]) {
        for run in values
            .iter()
            .enumerate()
            .collect::<Vec<_>>()
            .split(|(_, value)| value.is_none())
            .filter(|run| !run.is_empty())
        {
            let points: Vec<String> = run
                .iter()
                .filter_map(|(bin, value)| {
                    let x = self.x(number(*bin) + 0.5);
                    value.map(|value| format!("{x:.1},{:.1}", self.y(value)))
                })
                .collect();
            let _ = write!(
                svg,
                "<polyline class=\"c{index}\" points=\"{}\"/>",
                points.join(" ")
            );
        }
    }
}

/// The sum of the same bins.
fn pooled(outcomes: &[Outcome]) -> Vec<Bin> {
    let bins = outcomes.iter().map(|outcome| outcome.series.len()).max();
    let mut sums = vec![Bin::default(); bins.unwrap_or(0)];
    for outcome in outcomes {
        for (sum, bin) in sums.iter_mut().zip(&outcome.series) {
            sum.busy_s += bin.busy_s;
            sum.staffed_s += bin.staffed_s;
            sum.humans += bin.humans;
            sum.late2 += bin.late2;
            sum.abandoned += bin.abandoned;
        }
    }
    sums
}

fn occupancy(bins: &[Bin]) -> Curve {
    bins.iter()
        .map(|bin| (bin.staffed_s > 0.0).then(|| 100.0 * bin.busy_s / bin.staffed_s))
        .collect()
}

fn abandonment(bins: &[Bin]) -> Curve {
    (0..bins.len())
        .map(|last| {
            let hour = bins.get((last + 1).saturating_sub(HOUR_BINS)..=last)?;
            let humans: u32 = hour.iter().map(|bin| bin.humans).sum();
            let late: u32 = hour.iter().map(|bin| bin.late2).sum();
            (humans > 0).then(|| 100.0 * f64::from(late) / f64::from(humans))
        })
        .collect()
}
