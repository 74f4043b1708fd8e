//! Sizes on the command line.

use std::str::FromStr;

/// A number of bytes: `1048576`, `1M`, `200G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Size, Self::Err> {
        let bad = "a size is a number of bytes, or of K, M, G or T: 200G";
        let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
        let unit = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(*unit)?, *shift)));
        let (number, shift) = unit.unwrap_or((text, 0));
        let number: u64 = number.parse().map_err(|_| bad)?;
        number.checked_mul(1 << shift).map(Size).ok_or(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0).ok();
        assert_eq!(size("1048576"), Some(1 << 20));
        assert_eq!(size("1M"), Some(1 << 20));
        assert_eq!(size("200G"), Some(200 << 30));
        for bad in ["", "G", "-1G", "1.5G", "1 G", "1g", "99999999T"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
