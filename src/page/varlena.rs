//! Varlena headers; `varatt.h` (before PostgreSQL 16 `postgres.h`), little-endian.

use super::{PageError, u32_at};

/// `VARTAG_ONDISK`.
const VARTAG_ONDISK: u8 = 18;
/// `VARSIZE_EXTERNAL` of an on-disk pointer: two header bytes and `varatt_external`.
const SIZE_OF_ONDISK_POINTER: usize = 18;

/// How a varlena is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarlenaForm {
    /// `varattrib_1b`: one header byte, then the value.
    Short,
    /// `varattrib_4b`: four header bytes, then the value.
    Plain,
    /// `varattrib_4b.va_compressed`: eight header bytes, then pglz or lz4.
    Compressed,
    /// `varattrib_1b_e`: the value is in the TOAST table; what follows is a [`ToastPointer`].
    OnDisk,
}

/// `varatt_external`, but for the TOAST table's oid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToastPointer {
    /// `va_rawsize`: the value's size when it is plain, with four header bytes.
    pub va_rawsize: u32,
    /// `va_extinfo`: the size of all chunks, and the compression method in the two highest bits.
    pub va_extinfo: u32,
    /// `chunk_id` of the value in the TOAST table.
    pub va_valueid: u32,
}

impl ToastPointer {
    /// Reads what follows the header of a [`VarlenaForm::OnDisk`].
    pub fn read(bytes: &[u8]) -> Result<ToastPointer, PageError> {
        match (u32_at(bytes, 0), u32_at(bytes, 4), u32_at(bytes, 8)) {
            (Some(va_rawsize), Some(va_extinfo), Some(va_valueid)) => {
                Ok(ToastPointer { va_rawsize, va_extinfo, va_valueid })
            }
            _ => Err(PageError::new("TOAST pointer reaches past the tuple")),
        }
    }

    /// Bytes in all chunks: `VARATT_EXTERNAL_GET_EXTSIZE`.
    pub fn extsize(self) -> usize {
        (self.va_extinfo & 0x3FFF_FFFF) as usize
    }

    /// `VARATT_EXTERNAL_IS_COMPRESSED`.
    pub fn is_compressed(self) -> bool {
        self.extsize() + 4 < self.va_rawsize as usize
    }
}

/// A varlena's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Varlena {
    /// How it is stored.
    pub form: VarlenaForm,
    /// Header bytes before what [`VarlenaForm`] calls the value.
    pub header_len: usize,
    /// All bytes, header included; never less than `header_len`.
    pub total_len: usize,
}

impl Varlena {
    /// Reads the header at the start of `bytes`, and proves that the whole varlena lies in them.
    #[inline]
    pub fn read(bytes: &[u8]) -> Result<Varlena, PageError> {
        let first = *bytes.first().ok_or(PageError::new("varlena starts at the tuple's end"))?;
        let (form, header_len, total_len) = if first == 0x01 {
            if bytes.get(1) != Some(&VARTAG_ONDISK) {
                return Err(PageError::new("TOAST pointer of a kind that is never on disk"));
            }
            (VarlenaForm::OnDisk, 2, SIZE_OF_ONDISK_POINTER)
        } else if first & 0x01 != 0 {
            (VarlenaForm::Short, 1, usize::from(first >> 1))
        } else {
            let header =
                u32_at(bytes, 0).ok_or(PageError::new("varlena header reaches past the tuple"))?;
            let total_len = (header >> 2) as usize;
            if first & 0x02 != 0 {
                (VarlenaForm::Compressed, 8, total_len)
            } else {
                (VarlenaForm::Plain, 4, total_len)
            }
        };
        if total_len < header_len || total_len > bytes.len() {
            return Err(PageError::new(
                "varlena reaches past the tuple, or is shorter than its header",
            ));
        }
        Ok(Varlena { form, header_len, total_len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let short = Varlena::read(&[(3 << 1) | 1, b'a', b'b', 0]).unwrap();
        assert_eq!((short.form, short.header_len, short.total_len), (VarlenaForm::Short, 1, 3));

        let plain = Varlena::read(&[8 << 2, 0, 0, 0, 1, 2, 3, 4]).unwrap();
        assert_eq!((plain.form, plain.header_len, plain.total_len), (VarlenaForm::Plain, 4, 8));

        let compressed = Varlena::read(&[(10 << 2) | 2, 0, 0, 0, 9, 0, 0, 0, 1, 2]).unwrap();
        assert_eq!(compressed.form, VarlenaForm::Compressed);

        let mut pointer = [0; 18];
        (pointer[0], pointer[1]) = (1, VARTAG_ONDISK);
        (pointer[3], pointer[7], pointer[9], pointer[10]) = (8, 4, 0x40, 77);
        let on_disk = Varlena::read(&pointer).unwrap();
        assert_eq!((on_disk.form, on_disk.header_len), (VarlenaForm::OnDisk, 2));
        let pointer = ToastPointer::read(&pointer[2..]).unwrap();
        assert_eq!(
            (pointer.va_valueid, pointer.extsize(), pointer.is_compressed()),
            (77, 1024, true)
        );
        assert_eq!(on_disk.total_len, 18);
    }

    #[test]
    fn rejects_lengths_that_leave_the_tuple() {
        for bytes in [
            &[][..],
            &[(9 << 1) | 1, 0, 0],
            &[8 << 2, 0, 0, 0, 1, 2, 3],
            &[0, 0, 0, 0],
            &[8 << 2, 0, 0],
            &[(7 << 2) | 2, 0, 0, 0, 0, 0, 0, 0],
            &[1, VARTAG_ONDISK, 0],
            &[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(Varlena::read(bytes).is_err(), "{bytes:?}");
        }
    }
}
