//! Bars, in SVG.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: u32 = 900;
const BAR: u32 = 40;

/// A bar for each name, as long as its number, on a scale that begins with nought.
pub(super) fn bars(path: &Path, title: &str, bars: &[(String, f64)]) -> Result<()> {
    draw(path, title, bars).map_err(|error| anyhow!("draw {}: {error}", path.display()))
}

fn draw(
    path: &Path,
    title: &str,
    bars: &[(String, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let height = 90 + BAR * bars.len() as u32;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let longest = bars.iter().map(|(_, length)| *length).fold(0.1, f64::max);
    let places = 0.0..bars.len() as f64;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(200)
        .build_cartesian_2d(0.0..longest * 1.12, places)?;
    chart.configure_mesh().disable_y_mesh().disable_y_axis().light_line_style(WHITE).draw()?;
    for (place, (name, length)) in bars.iter().enumerate() {
        // The first one is at the top.
        let from_below = (bars.len() - 1 - place) as f64;
        let (low, high) = (from_below + 0.15, from_below + 0.85);
        let is_ours = name.starts_with("thinveil");
        let colour = if is_ours { RGBColor(33, 102, 172) } else { RGBColor(150, 150, 150) };
        chart.draw_series([Rectangle::new([(0.0, low), (*length, high)], colour.filled())])?;
        let beside =
            |side| ("sans-serif", 14).into_font().color(&BLACK).pos(Pos::new(side, VPos::Center));
        let middle = f64::midpoint(low, high);
        let (x, y) = chart.backend_coord(&(0.0, middle));
        root.draw(&Text::new(name.clone(), (x - 8, y), beside(HPos::Right)))?;
        let (x, y) = chart.backend_coord(&(*length, middle));
        root.draw(&Text::new(format!("{length:.1}"), (x + 6, y), beside(HPos::Left)))?;
    }
    root.present()?;
    Ok(())
}
