//! Ed25519 keys, in the forms that OpenSSL writes and reads.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes,
};
use ed25519_dalek::{Signature, Signer};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The key that signs manifests. Never stored in a pool, never printed, zeroed when dropped.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// What signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl SigningKey {
    /// A new key from the operating system's random source.
    pub fn generate() -> Result<SigningKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|error| Error::Io {
            action: "draw random bytes from",
            path: "the operating system".into(),
            source: error.into(),
        })?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&bytes)))
    }

    /// A key in PEM (PKCS #8), as [`SigningKey::to_pem`] and `openssl genpkey -algorithm ed25519`
    /// write it.
    pub fn from_pem(text: &str) -> Result<SigningKey> {
        // The decoder's own words might quote the key.
        ed25519_dalek::SigningKey::from_pkcs8_pem(text.trim()).map(SigningKey).map_err(|_| {
            Error::invalid(
                "this is no Ed25519 private key in PEM (thinveil key new --signing, or openssl \
                 genpkey -algorithm ed25519)",
            )
        })
    }

    /// The key in PEM, for `key new` alone.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        // OpenSSL before 3.2 does not read keys that bring their public half along.
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        bytes
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|error| Error::invalid(format!("the key can't be written: {error}")))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(id {})", self.public().id())
    }
}

impl PublicKey {
    /// A public key in PEM, or as 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<PublicKey> {
        let text = text.trim();
        let key = match blake3::Hash::from_hex(text) {
            Ok(bytes) => ed25519_dalek::VerifyingKey::from_bytes(bytes.as_bytes()).ok(),
            Err(_) => ed25519_dalek::VerifyingKey::from_public_key_pem(text).ok(),
        };
        key.map(PublicKey).ok_or_else(|| {
            Error::invalid("this is no Ed25519 public key, in PEM or as 64 hexadecimal digits")
        })
    }

    /// The key in PEM.
    pub fn to_pem(&self) -> Result<String> {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .map_err(|error| Error::invalid(format!("the public key can't be written: {error}")))
    }

    /// The key as 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0.to_bytes()).to_hex().to_string()
    }

    /// What manifests and logs call the key: the first 16 digits of its blake3 hash.
    pub fn id(&self) -> String {
        blake3::hash(self.0.as_bytes()).to_hex().chars().take(16).collect()
    }

    /// True if the signature is by this key and over this message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_pem_and_its_debug_output_does_not_show_it() {
        let key = SigningKey::generate().unwrap();
        let pem = key.to_pem().unwrap();
        let again = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(again.public(), key.public());
        let hex = blake3::Hash::from_bytes(key.0.to_bytes()).to_hex().to_string();
        assert!(!format!("{key:?}").contains(&hex[..8]));
        for form in [key.public().to_pem().unwrap(), key.public().to_hex()] {
            assert_eq!(PublicKey::parse(&form).unwrap(), key.public());
        }
        assert!(SigningKey::from_pem(&key.public().to_pem().unwrap()).is_err());
        assert!(PublicKey::parse("0123").is_err());
    }

    #[test]
    fn reads_what_openssl_writes() {
        // RFC 8410, section 10.3.
        let key = SigningKey::from_pem(
            "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
             -----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let public = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
        assert_eq!(key.public().to_pem().unwrap(), public);
    }

    #[test]
    fn a_signature_is_over_every_byte_and_by_one_key() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let message = b"a manifest".to_vec();
        let signature = key.sign(&message);
        assert!(key.public().verifies(&message, &signature));
        assert!(!other.public().verifies(&message, &signature));
        for at in 0..message.len() {
            let mut changed = message.clone();
            changed[at] ^= 1;
            assert!(!key.public().verifies(&changed, &signature), "byte {at}");
        }
        for at in 0..signature.len() {
            let mut changed = signature;
            changed[at] ^= 1;
            assert!(!key.public().verifies(&message, &changed), "byte {at} of the signature");
        }
        assert!(!key.public().verifies(&message, &signature[..63]));
    }
}
