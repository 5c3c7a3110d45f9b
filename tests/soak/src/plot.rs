//! Plots the samples.

use std::fmt::Write as _;

use crate::server::{Sample, Server};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 60.0;
const STEP: f64 = 200.0;
/// The most points of a curve. If there are more samples, a point is the highest of as many as it takes, so that no peak is lost.
const POINTS: usize = 430;

/// A part of the plot: its name, and the figure of a sample that it shows.
type Part = (&'static str, fn(&Sample) -> f64);

const PARTS: [Part; 3] = [
    ("resident memory, MiB", |sample| sample.memory as f64 / 1024.0),
    ("threads", |sample| sample.threads as f64),
    ("descriptors", |sample| sample.descriptors as f64),
];

/// Draws one curve for each server, with scales that start at 0.
pub fn svg(servers: &[Server]) -> String {
    let (width, height) = (LEFT + WIDTH + 20.0, STEP * PARTS.len() as f64 + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let samples = || servers.iter().flat_map(Server::samples);
    let time = samples()
        .map(|sample| sample.at.as_secs_f64())
        .fold(1.0, f64::max);
    for (at, (name, value)) in PARTS.iter().enumerate() {
        let top = 30.0 + STEP * at as f64;
        let bottom = top + HEIGHT;
        let most = samples().map(value).fold(1.0, f64::max);
        let right = LEFT + WIDTH;
        _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{name}</text>\n\
             <path d=\"M{LEFT} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most:.0}</text>\n\
             <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
             <text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{time:.0} s</text>\n",
            top - 8.0,
            LEFT - 6.0,
            top + 8.0,
            LEFT - 6.0,
            bottom + 14.0
        );
        for (server, color) in servers.iter().zip(["#0550ae", "#bc4c00"]) {
            let samples = server.samples();
            let points: Vec<String> = samples
                .chunks(samples.len().div_ceil(POINTS).max(1))
                .map(|samples| {
                    let x = LEFT + WIDTH * samples[0].at.as_secs_f64() / time;
                    let y = bottom - HEIGHT * samples.iter().map(value).fold(0.0, f64::max) / most;
                    format!("{x:.1},{y:.1}")
                })
                .collect();
            let points = points.join(" ");
            _ = writeln!(
                svg,
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\"/>"
            );
        }
    }
    for (at, (server, color)) in servers.iter().zip(["#0550ae", "#bc4c00"]).enumerate() {
        let x = LEFT + WIDTH - 200.0 + 110.0 * at as f64;
        _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"16\" fill=\"{color}\">{}</text>",
            server.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}
