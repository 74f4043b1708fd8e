//! Where raw data comes from.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// A source of raw data.
#[derive(Clone)]
pub enum Source {
    /// A data directory that no server runs on: shut down or crashed, primary or standby, or what
    /// `pg_basebackup` wrote.
    Directory(PathBuf),
    /// A live server, from which thinveil takes a `pg_basebackup`.
    Server(ConnectionString),
}

/// What `libpq` calls a connection string, its password apart.
#[derive(Clone)]
pub struct ConnectionString {
    /// Without password.
    pub(super) public: String,
    pub(super) password: Option<Zeroizing<String>>,
}

impl Source {
    /// A connection string (`postgres://…`, `host=… user=…`) or else a directory.
    pub fn parse(text: &str) -> Source {
        let is_uri = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let is_keywords = !text.starts_with(['/', '.'])
            && text.split_whitespace().next().is_some_and(|word| {
                word.split_once('=').is_some_and(|(key, _)| {
                    !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                })
            });
        if is_uri {
            Source::Server(ConnectionString::from_uri(text))
        } else if is_keywords {
            Source::Server(ConnectionString::from_keywords(text))
        } else {
            Source::Directory(PathBuf::from(text))
        }
    }
}

impl ConnectionString {
    fn from_uri(text: &str) -> ConnectionString {
        let mut password = None;
        let mut public = text.to_owned();
        if let Some((scheme, rest)) = text.split_once("://") {
            let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, tail) = rest.split_at(authority_end);
            let mut authority = authority.to_owned();
            if let Some((login, host)) = authority.clone().rsplit_once('@')
                && let Some((user, secret)) = login.split_once(':')
            {
                password = Some(Zeroizing::new(percent_decode(secret)));
                authority = format!("{user}@{host}");
            }
            let mut tail = tail.to_owned();
            if let Some((path, query)) = tail.clone().split_once('?') {
                let (secrets, others): (Vec<&str>, Vec<&str>) = query
                    .split('&')
                    .partition(|pair| is_secret(pair.split('=').next().unwrap_or_default()));
                if let Some(secret) = secrets.iter().find_map(|pair| pair.strip_prefix("password="))
                {
                    password = Some(Zeroizing::new(percent_decode(secret)));
                }
                tail = if others.is_empty() {
                    path.to_owned()
                } else {
                    format!("{path}?{}", others.join("&"))
                };
            }
            public = format!("{scheme}://{authority}{tail}");
        }
        ConnectionString { public, password }
    }

    /// `key=value` pairs; a value may stand in single quotes, with backslash escapes.
    fn from_keywords(text: &str) -> ConnectionString {
        let mut password = None;
        let mut public = Vec::new();
        let mut rest = text.trim_start();
        while let Some((key, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let mut value = String::new();
            let mut raw_len = 0;
            let mut characters = after.char_indices();
            let quoted = after.starts_with('\'');
            if quoted {
                characters.next();
            }
            while let Some((position, character)) = characters.next() {
                raw_len = position + character.len_utf8();
                match character {
                    '\\' => {
                        if let Some((position, escaped)) = characters.next() {
                            raw_len = position + escaped.len_utf8();
                            value.push(escaped);
                        }
                    }
                    '\'' if quoted => break,
                    character if !quoted && character.is_whitespace() => break,
                    character => value.push(character),
                }
            }
            let (raw, tail) = after.split_at(raw_len);
            if key.trim() == "password" {
                password = Some(Zeroizing::new(value));
            } else if !is_secret(key.trim()) {
                public.push(format!("{}={}", key.trim(), raw.trim_end()));
            }
            rest = tail.trim_start();
        }
        ConnectionString { public: public.join(" "), password }
    }
}

/// Keys whose values must be shown nowhere. libpq takes a password through its environment; for the
/// others it has files (`sslkey` without a passphrase, `.pgpass`).
fn is_secret(key: &str) -> bool {
    matches!(key, "password" | "sslpassword" | "oauth_client_secret")
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let hex = (*byte == b'%').then(|| text.get(position + 1..position + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                position += 3;
            }
            None => {
                decoded.push(*byte);
                position += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Directory(path) => path.display().fmt(f),
            Source::Server(connection) => f.write_str(&connection.public),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> (String, Option<String>) {
        match Source::parse(text) {
            Source::Server(connection) => {
                (connection.public, connection.password.map(|password| password.to_string()))
            }
            Source::Directory(path) => panic!("a directory: {}", path.display()),
        }
    }

    #[test]
    fn takes_the_password_out_of_every_form() {
        let cases = [
            ("postgres://me:se%40cret@db:5433/shop", "postgres://me@db:5433/shop", "se@cret"),
            (
                "postgresql://me@db/shop?password=x&sslmode=require",
                "postgresql://me@db/shop?sslmode=require",
                "x",
            ),
            ("host=db password=secret user=me", "host=db user=me", "secret"),
            ("host=db password='it\\'s a' user=me", "host=db user=me", "it's a"),
        ];
        for (text, public, password) in cases {
            assert_eq!(server(text), (public.to_owned(), Some(password.to_owned())), "{text}");
        }
        assert_eq!(server("host=/tmp dbname='a b'"), ("host=/tmp dbname='a b'".to_owned(), None));
    }

    #[test]
    fn anything_else_is_a_directory() {
        for text in ["/var/lib/postgresql/15/main", "./a=b", "data"] {
            assert!(matches!(Source::parse(text), Source::Directory(_)), "{text}");
        }
    }

    #[test]
    fn neither_display_nor_debug_shows_the_password() {
        let source = Source::parse("postgres://me:topsecret@db/shop");
        assert!(!format!("{source} {source:?}").contains("topsecret"));
    }
}
