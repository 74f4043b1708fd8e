//! Whether a snapshot is what its maker signed.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{Content, FILES, PublicKey, SIGNATURE, SIGNER};
use crate::error::{Error, Result};
use crate::pool::{Pool, Snapshot};
use crate::progress::Cancel;

/// What was found of a snapshot's signature and files.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The snapshot's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// True if nothing differs and the signature is what it should be.
    pub verified: bool,
    /// What there is of a signature.
    pub signature: SignatureState,
    /// The key that the manifest says signed it.
    pub signed_by: Option<String>,
    /// True if the signature was checked with a key that the caller brought; the one beside the
    /// snapshot could be anybody's.
    pub by_given_key: bool,
    /// What became of the files.
    pub content: ContentCheck,
}

/// What there is of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureState {
    /// It is by the key, over this very manifest.
    Valid,
    /// It is not by the key, or the manifest is not the one that was signed.
    Invalid,
    /// The manifest says that it is signed, but there is no signature.
    Missing,
    /// The snapshot was never signed.
    Unsigned,
}

/// What became of the files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ContentCheck {
    /// Files in the volume.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// False if the list of hashes is not the one that the manifest names.
    pub list_intact: bool,
    /// Files whose bytes differ, and links that lead elsewhere.
    pub changed: Vec<String>,
    /// Files that are gone.
    pub missing: Vec<String>,
    /// Files that were not there.
    pub unknown: Vec<String>,
}

impl ContentCheck {
    fn is_intact(&self) -> bool {
        self.list_intact
            && self.changed.is_empty()
            && self.missing.is_empty()
            && self.unknown.is_empty()
    }

    /// Compares what was listed with what is there.
    fn compare(&mut self, listed: &BTreeMap<String, String>, found: &BTreeMap<String, String>) {
        for (path, hash) in listed {
            match found.get(path) {
                None => self.missing.push(path.clone()),
                Some(now) if now != hash => self.changed.push(path.clone()),
                Some(_) => {}
            }
        }
        let unknown = found.keys().filter(|path| !listed.contains_key(*path));
        self.unknown.extend(unknown.cloned());
    }
}

impl Pool {
    /// Checks a snapshot's signature and hashes all its files. With `key`, the signature has to be
    /// there and by that key; without, one that is there has to fit the public key beside it.
    pub fn verify_snapshot(
        &self,
        wanted: &str,
        key: Option<&PublicKey>,
        cancel: &Cancel,
    ) -> Result<Verification> {
        const VERB: &str = "snapshot verify";
        let found = self.logged(VERB, wanted, || self.snapshot(wanted)?.verify(key, cancel))?;
        self.audit(VERB, &found.id, &[("verified", &found.verified.to_string())])?;
        Ok(found)
    }
}

impl Snapshot {
    pub(in crate::pool) fn verify(
        &self,
        key: Option<&PublicKey>,
        cancel: &Cancel,
    ) -> Result<Verification> {
        let dir = self.dir();
        let manifest = self.manifest();
        let signature = signature(dir, manifest.signed_by.as_deref(), key)?;
        let list = match read(&dir.join(FILES))? {
            Some(text) => String::from_utf8_lossy(&text).into_owned(),
            None => String::new(),
        };
        let found = Content::of_volume(&self.volume(), cancel)?;
        let mut content = ContentCheck {
            files: found.count() as u64,
            bytes: found.bytes,
            list_intact: Content::hash_of_text(&list) == manifest.content_hash,
            ..ContentCheck::default()
        };
        content.compare(&Content::files_of_text(&list), &found.files);
        content.compare(&manifest.links, &found.links);
        let signed_well = match signature {
            SignatureState::Valid => true,
            SignatureState::Unsigned => key.is_none(),
            SignatureState::Invalid | SignatureState::Missing => false,
        };
        Ok(Verification {
            id: self.id().to_owned(),
            name: self.name().to_owned(),
            verified: signed_well && content.is_intact(),
            signature,
            signed_by: manifest.signed_by.clone(),
            by_given_key: key.is_some(),
            content,
        })
    }
}

impl Snapshot {
    /// The public key beside the snapshot, if it is signed.
    pub(in crate::pool) fn signer(&self) -> Result<Option<PublicKey>> {
        if self.manifest().signed_by.is_none() {
            return Ok(None);
        }
        let pem = read(&self.dir().join(SIGNER))?;
        Ok(pem.and_then(|pem| PublicKey::parse(&String::from_utf8_lossy(&pem)).ok()))
    }
}

fn signature(
    dir: &Path,
    signed_by: Option<&str>,
    key: Option<&PublicKey>,
) -> Result<SignatureState> {
    let Some(signed_by) = signed_by else { return Ok(SignatureState::Unsigned) };
    let Some(signature) = read(&dir.join(SIGNATURE))? else { return Ok(SignatureState::Missing) };
    let key = match key {
        Some(key) => key.clone(),
        None => {
            let Some(pem) = read(&dir.join(SIGNER))? else { return Ok(SignatureState::Missing) };
            match PublicKey::parse(&String::from_utf8_lossy(&pem)) {
                Ok(key) => key,
                Err(_) => return Ok(SignatureState::Invalid),
            }
        }
    };
    let manifest = dir.join("manifest.json");
    let manifest = std::fs::read(&manifest).map_err(Error::io("read", &manifest))?;
    let valid = key.id() == signed_by && key.verifies(&manifest, &signature);
    Ok(if valid { SignatureState::Valid } else { SignatureState::Invalid })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}
