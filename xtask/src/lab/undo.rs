//! Clean-up that happens at the end, on an error, and on Ctrl-C.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

type Step = Box<dyn FnOnce() + Send>;

/// Steps that undo what was done, to be run last first. Clones share one list.
#[derive(Clone, Default)]
pub struct Undo(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    next: u64,
    steps: Vec<(u64, Step)>,
}

/// Runs its step when dropped, unless the list has run it already.
#[must_use = "the step runs as soon as this is dropped"]
pub struct UndoGuard {
    undo: Undo,
    id: u64,
}

impl Undo {
    /// An empty list which SIGINT, SIGTERM and SIGHUP run; the process then exits with 130.
    pub fn on_signals() -> Result<Undo> {
        let undo = Undo::default();
        let on_signal = undo.clone();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("handle signals")?;
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                eprintln!("\nstopping: servers, mounts and files of this run are removed");
                on_signal.run_all_and_exit(130);
            }
        });
        Ok(undo)
    }

    /// Adds a step.
    pub fn push(&self, step: impl FnOnce() + Send + 'static) -> UndoGuard {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = list.next;
        list.next += 1;
        list.steps.push((id, Box::new(step)));
        UndoGuard { undo: self.clone(), id }
    }

    /// Takes a step off the list without running it.
    pub fn forget(guard: UndoGuard) {
        drop(guard.take());
        // Nothing is left under its id: dropping the guard runs nothing.
    }

    /// Holds the list for good, so that no guard of another thread interferes.
    fn run_all_and_exit(&self, status: i32) -> ! {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, step)) = list.steps.pop() {
            step();
        }
        std::process::exit(status);
    }
}

impl UndoGuard {
    fn take(&self) -> Option<Step> {
        let mut list = self.undo.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = list.steps.iter().position(|(id, _)| *id == self.id)?;
        Some(list.steps.remove(at).1)
    }
}

impl Drop for UndoGuard {
    fn drop(&mut self) {
        // Taken under the lock, run outside it: a step may take long.
        if let Some(step) = self.take() {
            step();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn runs_a_step_once_when_its_guard_is_dropped() {
        let (sender, receiver) = channel();
        let undo = Undo::default();
        let first = undo.push({
            let sender = sender.clone();
            move || sender.send(1).expect("the receiver lives")
        });
        let second = undo.push(move || sender.send(2).expect("the receiver lives"));
        drop(first);
        Undo::forget(second);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [1]);
    }
}
