//! The walk over a tuple's attributes, as `heap_deform_tuple` does it.

use super::{PageError, TupleHeader, Varlena, VarlenaForm};

/// How an attribute is laid out: `attlen` and `attalign` of `pg_attribute`, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    kind: Kind,
    /// Alignment less one: 0, 1, 3 or 7.
    align_mask: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fixed(usize),
    Varlena,
    CString,
}

impl Storage {
    /// From `attlen` (-1: varlena, -2: C string) and the alignment in bytes.
    pub fn new(attlen: i16, align: u8) -> Option<Storage> {
        let kind = match attlen {
            -1 => Kind::Varlena,
            -2 => Kind::CString,
            _ => Kind::Fixed(usize::try_from(attlen).ok()?),
        };
        matches!(align, 1 | 2 | 4 | 8).then(|| Storage { kind, align_mask: usize::from(align) - 1 })
    }

    /// Bytes of every value, where all have as many.
    pub fn fixed_len(self) -> Option<usize> {
        match self.kind {
            Kind::Fixed(len) => Some(len),
            Kind::Varlena | Kind::CString => None,
        }
    }

    /// Where a value stands that comes behind `position`, as `heap_fill_tuple` has it: short
    /// varlenas and TOAST pointers need no alignment.
    pub fn place(self, position: usize, varlena: Option<Varlena>) -> usize {
        match varlena.map(|varlena| varlena.form) {
            Some(VarlenaForm::Short | VarlenaForm::OnDisk) => position,
            _ => (position + self.align_mask) & !self.align_mask,
        }
    }
}

/// One attribute that is present and not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Index among the table's attributes (0-based: `attnum - 1`).
    pub index: usize,
    /// Start of its bytes within the tuple, varlena header included.
    pub start: usize,
    /// End of its bytes within the tuple.
    pub end: usize,
    /// For a varlena, its header.
    pub varlena: Option<Varlena>,
}

/// What is behind the last attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TupleEnd {
    /// Where the last attribute ends within the tuple: bytes from here on mean nothing.
    pub data_end: usize,
}

/// Calls `visit` for each attribute of `tuple` that is present and not null.
///
/// `storage` has one entry for each attribute of the table, dropped ones included.
#[inline]
pub fn walk_attributes<F, E>(tuple: &[u8], storage: &[Storage], mut visit: F) -> Result<TupleEnd, E>
where
    F: FnMut(Attribute) -> Result<(), E>,
    E: From<PageError>,
{
    let header = TupleHeader::read(tuple)?;
    if header.natts > storage.len() {
        return Err(PageError::new("tuple has more attributes than its table").into());
    }
    let mut position = header.t_hoff;
    for (index, storage) in storage.iter().enumerate().take(header.natts) {
        if header.is_null(index) {
            continue;
        }
        let aligned = (position + storage.align_mask) & !storage.align_mask;
        let (start, end, varlena) = match storage.kind {
            Kind::Fixed(len) => (aligned, aligned + len, None),
            Kind::Varlena => {
                // A short header needs no alignment, and padding is zero: att_align_pointer.
                let start = if tuple.get(position).is_some_and(|byte| *byte != 0) {
                    position
                } else {
                    aligned
                };
                let varlena = Varlena::read(tuple.get(start..).unwrap_or_default())
                    .map_err(|error| error.at_attribute(index))?;
                (start, start + varlena.total_len, Some(varlena))
            }
            Kind::CString => {
                let rest = tuple.get(aligned..).unwrap_or_default();
                let len = rest.iter().position(|byte| *byte == 0).ok_or(
                    PageError::new("C string has no end within the tuple").at_attribute(index),
                )?;
                (aligned, aligned + len + 1, None)
            }
        };
        if end > tuple.len() {
            return Err(PageError::new("attribute reaches past the tuple")
                .at_attribute(index)
                .into());
        }
        visit(Attribute { index, start, end, varlena })?;
        position = end;
    }
    Ok(TupleEnd { data_end: position })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT4: (i16, u8) = (4, 4);
    const TEXT: (i16, u8) = (-1, 4);
    const INT8: (i16, u8) = (8, 8);

    fn storage(kinds: &[(i16, u8)]) -> Vec<Storage> {
        kinds.iter().map(|(len, align)| Storage::new(*len, *align).unwrap()).collect()
    }

    fn tuple(natts: u16, nulls: Option<u8>, data: &[u8]) -> Vec<u8> {
        let mut tuple = vec![0; 24];
        tuple[18..20].copy_from_slice(&natts.to_le_bytes());
        tuple[20] = u8::from(nulls.is_some());
        tuple[22] = 24;
        tuple[23] = nulls.unwrap_or_default();
        tuple.extend_from_slice(data);
        tuple
    }

    fn walk(tuple: &[u8], storage: &[Storage]) -> Result<Vec<(usize, usize, usize)>, PageError> {
        let mut found = Vec::new();
        walk_attributes(tuple, storage, |attribute| {
            found.push((attribute.index, attribute.start, attribute.end));
            Ok::<_, PageError>(())
        })?;
        Ok(found)
    }

    #[test]
    fn aligns_like_postgres() {
        // int4, short text 'ab', long text 'cd' (aligned by padding), int8.
        let mut data = vec![1, 0, 0, 0, (3 << 1) | 1, b'a', b'b', 0];
        data.extend_from_slice(&[6 << 2, 0, 0, 0, b'c', b'd', 0, 0]);
        data.extend_from_slice(&[7; 8]);
        let tuple = tuple(4, None, &data);
        let found = walk(&tuple, &storage(&[INT4, TEXT, TEXT, INT8])).unwrap();
        assert_eq!(found, [(0, 24, 28), (1, 28, 31), (2, 32, 38), (3, 40, 48)]);
    }

    #[test]
    fn skips_nulls_and_stops_where_an_old_tuple_stops() {
        let tuple = tuple(2, Some(0b10), &[(2 << 1) | 1, b'x']);
        let found = walk(&tuple, &storage(&[INT4, TEXT, INT8])).unwrap();
        assert_eq!(found, [(1, 24, 26)]);
    }

    #[test]
    fn rejects_attributes_that_reach_past_the_tuple() {
        let storage = storage(&[INT4, TEXT]);
        assert!(walk(&tuple(2, None, &[0; 3]), &storage).is_err());
        assert!(walk(&tuple(2, None, &[0, 0, 0, 0, (9 << 1) | 1]), &storage).is_err());
        assert!(walk(&tuple(3, None, &[0; 30]), &storage).is_err());
        let error = walk(&tuple(2, None, &[0; 4]), &storage).unwrap_err();
        assert_eq!(error.attribute, Some(1));
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_stays_within_the_tuple() {
        let storage = storage(&[INT4, TEXT, TEXT, INT8]);
        let mut data = vec![1, 0, 0, 0, (3 << 1) | 1, b'a', b'b', 0];
        data.extend_from_slice(&[6 << 2, 0, 0, 0, b'c', b'd', 0, 0]);
        data.extend_from_slice(&[7; 8]);
        let good = tuple(4, None, &data);
        for position in 0..good.len() {
            for value in 0..=255 {
                let mut bad = good.clone();
                bad[position] = value;
                if let Ok(found) = walk(&bad, &storage) {
                    assert!(found.iter().all(|(_, start, end)| start <= end && *end <= bad.len()));
                }
            }
        }
    }
}
