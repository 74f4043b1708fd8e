//! Which snapshot was made of which, and which clones there are of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{CloneState, Pool, Snapshot, ThinClone};
use crate::error::Result;

/// A snapshot with what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// The snapshot's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was sealed.
    pub created_at: Timestamp,
    /// What it was made of.
    pub source: String,
    /// Its clones, oldest first.
    pub clones: Vec<Twig>,
    /// The snapshots that were made of clones of it, oldest first.
    pub snapshots: Vec<Branch>,
}

/// A clone of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twig {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether its server runs.
    pub state: CloneState,
}

impl Pool {
    /// Every snapshot, below the nearest of its ancestors that is still there; those without one
    /// first, oldest first.
    pub fn tree(&self) -> Result<Vec<Branch>> {
        let (snapshots, clones) = (self.snapshots()?, self.clones()?);
        let ids: BTreeSet<&str> = snapshots.iter().map(Snapshot::id).collect();
        let parent = |snapshot: &Snapshot| {
            let lineage = snapshot.manifest().lineage.as_ref()?;
            let mut ancestors = lineage.ancestors.iter();
            ancestors
                .find(|ancestor| ids.contains(ancestor.id.as_str()))
                .map(|found| found.id.clone())
        };
        let parents: Vec<Option<String>> = snapshots.iter().map(parent).collect();
        grow(None, &snapshots, &parents, &clones)
    }
}

/// What is below a snapshot.
fn grow(
    below: Option<&str>,
    snapshots: &[Snapshot],
    parents: &[Option<String>],
    clones: &[ThinClone],
) -> Result<Vec<Branch>> {
    let children = snapshots.iter().zip(parents).filter(|(_, parent)| parent.as_deref() == below);
    let branch = |(snapshot, _): (&Snapshot, &Option<String>)| {
        let own = clones.iter().filter(|clone| clone.snapshot_id() == snapshot.id());
        let twig = |clone: &ThinClone| {
            let (id, name) = (clone.id().to_owned(), clone.name().to_owned());
            Ok(Twig { id, name, state: clone.state()? })
        };
        Ok(Branch {
            id: snapshot.id().to_owned(),
            name: snapshot.name().to_owned(),
            created_at: snapshot.manifest().created_at,
            source: snapshot.manifest().source.clone(),
            clones: own.map(twig).collect::<Result<_>>()?,
            snapshots: grow(Some(snapshot.id()), snapshots, parents, clones)?,
        })
    };
    children.map(branch).collect()
}
