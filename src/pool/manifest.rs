//! What a snapshot says about itself. It holds no original value and no key.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ThinClone;
use crate::ids::PgMajor;
use crate::storage::DriverKind;

/// `manifest.json`: the record that makes a volume a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The snapshot's id; sealing sets it.
    pub id: String,
    /// Its name; the id if left empty.
    pub name: String,
    /// Where the data came from, without secrets.
    pub source: String,
    /// PostgreSQL's major version.
    pub major: PgMajor,
    /// The pool's driver.
    pub driver: DriverKind,
    /// When the snapshot was sealed.
    pub created_at: Timestamp,
    /// Which key masked it.
    pub key_id: String,
    /// Which rule set.
    pub rules_hash: String,
    /// Seconds by stage, in the order in which stages ran.
    pub stages: StageTimes,
    /// Values that a mask was applied to.
    pub values_masked: u64,
    /// Pages read.
    pub pages_scanned: u64,
    /// Pages written.
    pub pages_rewritten: u64,
    /// Places where a page's layout changed. Not zero means a bug; such a snapshot is not sealed.
    pub layout_deviations: u64,
    /// What was found of the originals, by kind.
    pub residue: BTreeMap<String, u64>,
    /// Bytes brought in from the source.
    pub raw_bytes: u64,
    /// Bytes that go away with this snapshot.
    pub own_bytes: u64,
    /// Bytes of all files of the volume, masked.
    #[serde(default)]
    pub masked_bytes: u64,
    /// blake3 of `files.b3`, which lists the hash of every file of the volume.
    #[serde(default)]
    pub content_hash: String,
    /// Links in the volume, and where they lead.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// The id of the key that signed this manifest, if any did.
    #[serde(default)]
    pub signed_by: Option<String>,
    /// The thinveil that made the snapshot.
    #[serde(default)]
    pub thinveil_version: String,
    /// Databases that clones can connect to; the first one is a clone's default.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Production's settings that clones take over.
    #[serde(default)]
    pub planner_settings: BTreeMap<String, String>,
    /// Libraries that clones may preload.
    #[serde(default)]
    pub allow_preload: Vec<String>,
    /// The superuser that `initdb` made.
    #[serde(default)]
    pub superuser: String,
    /// What it was made of, if that was a clone: its data were masked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Whatever else is worth keeping.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Manifest {
    /// A manifest with nothing counted yet.
    pub fn new(name: impl Into<String>, source: impl Into<String>, major: PgMajor) -> Manifest {
        Manifest {
            id: String::new(),
            name: name.into(),
            source: source.into(),
            major,
            driver: DriverKind::Copy,
            created_at: Timestamp::UNIX_EPOCH,
            key_id: String::new(),
            rules_hash: String::new(),
            stages: StageTimes::default(),
            values_masked: 0,
            pages_scanned: 0,
            pages_rewritten: 0,
            layout_deviations: 0,
            residue: BTreeMap::new(),
            raw_bytes: 0,
            own_bytes: 0,
            masked_bytes: 0,
            content_hash: String::new(),
            links: BTreeMap::new(),
            signed_by: None,
            thinveil_version: env!("CARGO_PKG_VERSION").to_owned(),
            databases: Vec::new(),
            planner_settings: BTreeMap::new(),
            allow_preload: Vec::new(),
            superuser: String::new(),
            lineage: None,
            extra: serde_json::Map::new(),
        }
    }

    /// What it says under a key of `extra`; the default if nothing.
    pub(super) fn read<T: DeserializeOwned + Default>(
        &self,
        key: &str,
    ) -> Result<T, serde_json::Error> {
        match self.extra.get(key) {
            Some(value) => T::deserialize(value),
            None => Ok(T::default()),
        }
    }
}

/// Where a snapshot comes from that was made of a clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The clone's id.
    pub clone: String,
    /// The clone's name then.
    pub clone_name: String,
    /// The snapshot that the clone was made of, what that was made of, and so on to the one that was
    /// masked.
    pub ancestors: Vec<Ancestor>,
}

impl Lineage {
    /// Of a snapshot made of a clone of this one.
    pub(super) fn of(clone: &ThinClone, parent: &Manifest) -> Lineage {
        let before = parent.lineage.iter().flat_map(|lineage| lineage.ancestors.clone());
        Lineage {
            clone: clone.id().to_owned(),
            clone_name: clone.name().to_owned(),
            ancestors: std::iter::once(Ancestor::of(parent)).chain(before).collect(),
        }
    }
}

/// A snapshot that another descends from, as its manifest had it. It may be gone by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was sealed.
    pub created_at: Timestamp,
    /// The hash of its content.
    pub content_hash: String,
}

impl Ancestor {
    fn of(manifest: &Manifest) -> Ancestor {
        Ancestor {
            id: manifest.id.clone(),
            name: manifest.name.clone(),
            created_at: manifest.created_at,
            content_hash: manifest.content_hash.clone(),
        }
    }
}

/// Seconds by stage; a JSON object whose keys keep their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageTimes(pub Vec<(String, f64)>);

impl Serialize for StageTimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (stage, seconds) in &self.0 {
            map.serialize_entry(stage, &((seconds * 1000.0).round() / 1000.0))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for StageTimes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StageTimes, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = StageTimes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds by stage")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StageTimes, A::Error> {
                let mut times = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    times.push(entry);
                }
                Ok(StageTimes(times))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_json_with_its_stages_in_order() {
        let mut manifest = Manifest::new("n", "/src", PgMajor::OLDEST);
        manifest.stages = StageTimes(vec![("stage".into(), 1.5), ("plan".into(), 0.25)]);
        manifest.extra.insert("note".into(), "x".into());
        let text = serde_json::to_string(&manifest).unwrap();
        assert!(text.contains(r#""stages":{"stage":1.5,"plan":0.25}"#), "{text}");
        let back: Manifest = serde_json::from_str(&text).unwrap();
        assert_eq!(back.stages, manifest.stages);
        assert_eq!(back.extra, manifest.extra);
    }
}
