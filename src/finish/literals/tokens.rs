//! String constants in the text of a function's body.

use std::ops::Range;

/// Where plain string constants stand in an SQL or PL/pgSQL text: what is between their quotes,
/// which holds neither quote nor backslash. None without PostgreSQL's scanner (feature `sql`), or
/// where it does not understand the text.
#[cfg(feature = "sql")]
pub(super) fn strings(text: &str) -> Vec<Range<usize>> {
    let Ok(scanned) = pg_query::scan(text) else { return Vec::new() };
    let constants = scanned
        .tokens
        .iter()
        .filter(|token| token.token == pg_query::protobuf::Token::Sconst as i32);
    constants
        .filter_map(|token| {
            let range = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
            let inner = text.get(range.clone())?.strip_prefix('\'')?.strip_suffix('\'')?;
            let plain = !inner.contains(['\'', '\\']);
            plain.then_some(range.start + 1..range.end - 1)
        })
        .collect()
}

/// Without PostgreSQL's scanner nobody can say where one begins.
#[cfg(not(feature = "sql"))]
pub(super) fn strings(_: &str) -> Vec<Range<usize>> {
    Vec::new()
}

/// True for what may stand between quotes as it is.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains(['\'', '\\', '\0'])
}

#[cfg(all(test, feature = "sql"))]
mod tests {
    use super::*;

    #[test]
    fn finds_plain_constants_in_sql_and_plpgsql_alone() {
        let found = |text: &str| {
            strings(text).into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("SELECT 'abc' || \"def\" -- 'ghi'\n || 'it''s'"), ["abc"]);
        assert_eq!(
            found("BEGIN IF NEW.a = 'abc' THEN RAISE NOTICE '%', 'x'; END IF; END"),
            ["abc", "%", "x"]
        );
        assert_eq!(found("SELECT E'a\\\\b', $$it$$"), Vec::<String>::new());
    }
}
