//! What verbs are given besides arguments: files, keys, passwords.

use std::io::{BufRead, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thinveil::Error;
use thinveil::mask::MaskKey;
use thinveil::pool::{PublicKey, SigningKey};
use thinveil::rules::RuleSet;
use zeroize::Zeroizing;

use crate::Failure;
use crate::args::KeyArguments;
use crate::commands::Result;

pub(crate) fn read_rules(path: &Path) -> Result<RuleSet> {
    Ok(RuleSet::from_toml(&read_text(path)?)?)
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(path).map_err(Error::io("read the rule file", path))?)
}

pub(crate) fn read_key(arguments: &KeyArguments) -> Result<MaskKey> {
    if arguments.ephemeral_key {
        return Ok(MaskKey::ephemeral()?);
    }
    if let Some(path) = &arguments.key_file {
        return Ok(MaskKey::from_hex(&read_secret(path)?)?);
    }
    match std::env::var("THINVEIL_KEY") {
        Ok(text) => Ok(MaskKey::from_hex(&Zeroizing::new(text))?),
        Err(_) => Err(Failure::Usage(
            "which key? Give --key-file FILE (thinveil key new --file FILE makes one), \
             --ephemeral-key, or set THINVEIL_KEY"
                .to_owned(),
        )),
    }
}

/// The key of a verb that can do without one.
pub(crate) fn read_key_if_given(key_file: Option<PathBuf>) -> Result<Option<MaskKey>> {
    let given = key_file.is_some() || std::env::var_os("THINVEIL_KEY").is_some();
    given.then(|| read_key(&KeyArguments { key_file, ephemeral_key: false })).transpose()
}

pub(crate) fn read_signing_key(path: &Path) -> Result<SigningKey> {
    Ok(SigningKey::from_pem(&read_secret(path)?)?)
}

/// A public key: in a file, or as it is.
pub(crate) fn read_public_key(argument: &str) -> Result<PublicKey> {
    if let Ok(key) = PublicKey::parse(argument) {
        return Ok(key);
    }
    let path = Path::new(argument);
    let text = std::fs::read_to_string(path).map_err(Error::io("read the public key", path))?;
    Ok(PublicKey::parse(&text)?)
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>> {
    let mut file = std::fs::File::open(path).map_err(Error::io("read the key file", path))?;
    let mode = file.metadata().map_err(Error::io("look at", path))?.mode();
    if mode & 0o077 != 0 {
        eprintln!("thinveil: others can read {}; chmod 600 it", path.display());
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(Error::io("read the key file", path))?;
    Ok(text)
}

/// The first line of standard input.
pub(crate) fn read_password() -> Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(Error::io("read the password from", "standard input"))?;
    let password = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    if password.is_empty() {
        return Err(Failure::Usage("standard input held no password".to_owned()));
    }
    Ok(password)
}
