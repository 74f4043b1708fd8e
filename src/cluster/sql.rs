//! Small helpers around SQL: errors without values, quoting.

use crate::error::Error;

/// An [`Error::Sql`] that keeps PostgreSQL's primary message and code, and drops DETAIL, HINT,
/// CONTEXT and QUERY, which may quote values. Where the primary message itself may quote one
/// (`22…`, data exceptions; `P0…`, raised by functions), it is dropped too.
pub fn sql_error(action: impl Into<String>, error: &postgres::Error) -> Error {
    let action = action.into();
    match error.as_db_error() {
        Some(db) if ["22", "P0"].iter().any(|class| db.code().code().starts_with(class)) => {
            Error::Sql {
                action,
                message: "its message is withheld: it may quote a value".to_owned(),
                sqlstate: db.code().code().to_owned(),
            }
        }
        Some(db) => Error::Sql {
            action,
            message: db.message().to_owned(),
            sqlstate: db.code().code().to_owned(),
        },
        // The client's own errors: connection lost, wrong type of a parameter.
        None => Error::Sql {
            action,
            message: error.to_string(),
            sqlstate: if error.is_closed() { "08006" } else { "08000" }.to_owned(),
        },
    }
}

/// `"name"`, with quotes doubled. PostgreSQL names have no NUL byte.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `'text'`, quotes doubled, in the `E''` form if there is a backslash.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_leaves_no_way_out() {
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("\\'"), "E'\\\\'''");
    }
}
