//! `pg_snapshot`: a count, `xmin`, `xmax`, and as many running transactions in between, in order.

use super::DatumError;

/// Checks the form, and writes the first snapshot with as many running transactions.
pub(crate) fn clear(value: &mut [u8]) -> Result<(), DatumError> {
    let short = DatumError("a snapshot is shorter than its header");
    let (header, numbers) = value.split_first_chunk_mut::<4>().ok_or(short)?;
    let count = u32::from_le_bytes(*header) as usize;
    let (numbers, rest) = numbers.as_chunks_mut::<8>();
    if !rest.is_empty() || Some(numbers.len()) != count.checked_add(2) {
        return Err(DatumError("a snapshot is not as long as its header says"));
    }
    let Some(([xmin, xmax], running)) = numbers.split_first_chunk_mut::<2>() else {
        return Err(short);
    };
    *xmin = 1u64.to_le_bytes();
    *xmax = (1 + count as u64).to_le_bytes();
    for (running, number) in running.iter_mut().zip(1u64..) {
        *running = number.to_le_bytes();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(numbers: &[u64]) -> Vec<u8> {
        let count = numbers.len() as u32 - 2;
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        count.to_le_bytes().into_iter().chain(numbers).collect()
    }

    #[test]
    fn transactions_stay_in_order_and_in_between() {
        let mut value = stored(&[700, 900, 701, 750, 899]);
        clear(&mut value).unwrap();
        assert_eq!(value, stored(&[1, 4, 1, 2, 3]));
        let mut value = stored(&[700, 700]);
        clear(&mut value).unwrap();
        assert_eq!(value, stored(&[1, 1]));
    }

    #[test]
    fn rejects_counts_that_do_not_fit() {
        for mut value in [vec![], vec![0; 4], vec![0; 19], [vec![1], vec![0; 19]].concat()] {
            assert!(clear(&mut value).is_err());
        }
        assert!(clear(&mut [0xFF; 20]).is_err());
    }
}
