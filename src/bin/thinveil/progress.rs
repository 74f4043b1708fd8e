//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thinveil::progress::{Progress, Stage};

/// Shows the stages of one snapshot.
pub(crate) struct Bars {
    bar: Mutex<Option<ProgressBar>>,
    terminal: bool,
}

impl Bars {
    pub(crate) fn new() -> Bars {
        Bars { bar: Mutex::new(None), terminal: std::io::stderr().is_terminal() }
    }
}

impl Progress for Bars {
    fn begin(&self, stage: Stage) {
        if !self.terminal {
            return;
        }
        let template = match stage {
            Stage::Finish | Stage::Plan | Stage::Seal => "{prefix:8} {bar:32} {pos}/{len} steps",
            Stage::Stage | Stage::Rewrite | Stage::Audit | Stage::Export | Stage::Import => {
                "{prefix:8} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
            }
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.set_prefix(stage.name());
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn update(&self, _stage: Stage, done: u64, total: u64) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn end(&self, stage: Stage, seconds: f64) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
        eprintln!("{:8} {seconds:8.2} s", stage.name());
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}
