//! The name that a mistyped one was meant to be.

/// The candidate with the fewest edits from `name`, if they are few enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (edits(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(edits, _)| edits <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, or a list of what there is when nothing is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = candidates.into_iter().collect();
    if let Some(candidate) = nearest(name, all.iter().copied()) {
        return format!("did you mean {candidate:?}?");
    }
    all.sort_unstable();
    match all.len() {
        0 => "there is none".to_owned(),
        1..=30 => format!("there is: {}", all.join(", ")),
        count => format!("there are {count}, none of them near"),
    }
}

/// Levenshtein's distance.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.chars().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        let mut next = Vec::with_capacity(costs.len());
        next.push(left);
        for (&b, &above) in to.iter().zip(costs.iter().skip(1)) {
            left = (diagonal + usize::from(a != b)).min(left + 1).min(above + 1);
            diagonal = above;
            next.push(left);
        }
        costs = next;
    }
    costs.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (a, b, expected) in
            [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("emial", "email", 2)]
        {
            assert_eq!(edits(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn finds_a_slip_and_nothing_far() {
        let masks = ["email", "phone", "first_name"];
        assert_eq!(nearest("e_mail", masks), Some("email"));
        assert_eq!(nearest("firstname", masks), Some("first_name"));
        assert_eq!(nearest("passport", masks), None);
    }
}
