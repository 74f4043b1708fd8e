//! Columns named in a `pg_node_tree`.
//!
//! `pg_depend` says which columns an index is over, but not whether they stand in its key or in
//! its predicate, and hides whole-row references. The printed tree says both. What only
//! `pg_depend` knows is added by the readers, so that a change of the printed form loses nothing.

use std::collections::BTreeSet;

/// `attnum`s of the `Var`s in `tree`; a whole-row reference stands as 0.
pub(super) fn columns_in(tree: &str) -> BTreeSet<i16> {
    tree.split(":varattno ")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
            rest.get(..end)?.parse().ok()
        })
        .collect()
}

/// The same with a whole-row reference replaced by all columns, and system columns left out.
pub(super) fn expand_whole_row(columns: BTreeSet<i16>, all: &[i16]) -> BTreeSet<i16> {
    if columns.contains(&0) {
        return all.iter().copied().collect();
    }
    columns.into_iter().filter(|&attnum| attnum > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_var_once() {
        let tree = "({FUNCEXPR :args ({VAR :varno 1 :varattno 3 :vartype 25} \
                    {VAR :varno 1 :varattno 12 :vartype 25} {VAR :varno 1 :varattno 3})})";
        assert_eq!(columns_in(tree), BTreeSet::from([3, 12]));
    }

    #[test]
    fn whole_row_means_every_column() {
        let columns = columns_in("{VAR :varno 1 :varattno 0 :vartype 16390}");
        assert_eq!(expand_whole_row(columns, &[1, 2, 4]), BTreeSet::from([1, 2, 4]));
    }

    #[test]
    fn leaves_system_columns_out() {
        let columns = columns_in("{VAR :varno 1 :varattno -6 :x} {VAR :varattno 2}");
        assert_eq!(expand_whole_row(columns, &[1, 2]), BTreeSet::from([2]));
    }
}
