//! Rules for objects whose code may hold originals.

use super::problems::Problems;
use super::scope::Scope;
use crate::rules::did_you_mean;

/// Whether there are originals in it is known after the rewrite; whether there is such an object,
/// now.
pub(super) fn check(scope: &Scope<'_>, problems: &mut Problems) {
    for name in scope.rules.iter().flat_map(|rules| rules.objects.keys()) {
        if !scope.database.code.contains(name) {
            problems.push(scope.refusal(
                "unknown_object",
                format!("`objects` names {name:?}, and the database has no such object with code"),
                did_you_mean(name, scope.database.code.iter().map(String::as_str)),
            ));
        }
    }
}
