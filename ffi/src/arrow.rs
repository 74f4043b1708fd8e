//! Masks for Arrow, through the Arrow C data interface: arrays and streams of tables, as pyarrow,
//! polars, DuckDB and others hand them over.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, RecordBatch, RecordBatchReader, make_array};
use arrow_schema::{ArrowError, SchemaRef};
use thinveil::arrow::{Cause, MaskError, MaskedReader, TableMask, mask_array};
use thinveil::mask::MaskKey;

use crate::border::call;
use crate::failure::Failure;
use crate::handle::{self, tv_key, tv_mask, tv_rules, tv_table};
use crate::pointer::{Out, optional_text, take, text};
use crate::status::tv_status;

/// What a `tv_table` stands for.
pub(crate) struct Table {
    mask: Mutex<TableMask>,
    key: Arc<MaskKey>,
}

/// A reader whose stream's callbacks, which are C functions, nothing unwinds out of.
struct Contained(MaskedReader<RecordBatchStreamReader>);

impl Iterator for Contained {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = catch_unwind(AssertUnwindSafe(|| self.0.next()));
        next.unwrap_or_else(|_| {
            let what = "a defect of thinveil; please report this";
            Some(Err(ArrowError::ComputeError(what.to_owned())))
        })
    }
}

impl RecordBatchReader for Contained {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}

/// What the other side of the interface got wrong. Arrow's messages tell of lengths and types; those
/// of a stream's producer are its own.
fn broken(error: ArrowError) -> Failure {
    MaskError::from(Cause::Malformed(error)).into()
}

/// Masks an Arrow array. Its values' type has to be the mask's: utf8, large utf8 and utf8 view for
/// `text`; binary for `bytea`; int16, int32, int64, uint32 and uint64 for `int2`, `int4`, `int8`,
/// `oid` and `xid8`; float32, float64, bool; date32 and date64 for `date`, time and timestamp of any
/// unit for `time`, `timestamp` and `timestamptz`; decimal128 for `numeric`; 16 bytes of fixed size
/// for `uuid`; dictionaries and lists of these.
///
/// Nulls, offsets and keys are shared with the input, values are copied once. Nulls stay; what lies
/// under them is zeroed. `array` is moved from as the interface has it, even if this fails later
/// than on a NULL or a handle; `schema` is read. `out_array` and `out_schema` have to be released.
///
/// # Safety
/// `array` and `schema` keep to the Arrow C data interface; the others point to room for theirs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_mask_apply_arrow(
    mask: *const tv_mask,
    array: *mut FFI_ArrowArray,
    schema: *const FFI_ArrowSchema,
    out_array: *mut FFI_ArrowArray,
    out_schema: *mut FFI_ArrowSchema,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let mask = handle::get(mask)?;
        let schema = schema.as_ref().ok_or_else(|| Failure::null("schema"))?;
        let (to_array, to_schema) =
            (Out::new(out_array, "out_array")?, Out::new(out_schema, "out_schema")?);
        let array: FFI_ArrowArray = take(array, FFI_ArrowArray::empty(), "array")?;
        if array.is_released() || schema.release().is_none() {
            return Err(Failure::argument("array or schema was released before"));
        }
        let data = from_ffi(array, schema).map_err(broken)?;
        // Arrays are made of what was checked.
        data.validate_full().map_err(broken)?;
        let masked = mask_array(&mask, &make_array(data))?.to_data();
        // The schema that came in, with its name, flags and metadata.
        let field = arrow_schema::Field::try_from(schema).map_err(broken)?;
        let schema = FFI_ArrowSchema::try_from(&field).map_err(broken)?;
        to_array.write(FFI_ArrowArray::new(&masked));
        to_schema.write(schema);
        Ok(())
    })
}

/// The masks of a table's columns, as a rule set has them under `[databases.DATABASE.tables."TABLE"]`
/// (NULL `database` and `table`: its only table's). Columns are found when a stream comes.
///
/// # Safety
/// Strings are strings or NULL, `out` points to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_table_compile(
    rules: *const tv_rules,
    database: *const c_char,
    table: *const c_char,
    key: *const tv_key,
    out: *mut *mut tv_table,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let names = match (optional_text(database, "database")?, optional_text(table, "table")?) {
            (None, None) => None,
            _ => Some((text(database, "database")?, text(table, "table")?)),
        };
        let out = Out::new(out, "out")?;
        let (rules, key) = (handle::get(rules)?, handle::get(key)?);
        let mask = Mutex::new(TableMask::new(&rules, names)?);
        out.write(handle::put(Arc::new(Table { mask, key })));
        Ok(())
    })
}

/// Replaces a column's mask, for a host's own mask or one compiled with `tv_mask_compile`. The table
/// keeps the mask: its handle may be closed.
///
/// # Safety
/// `column` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_table_set(
    table: *const tv_table,
    column: *const c_char,
    mask: *const tv_mask,
) -> tv_status {
    // SAFETY: the caller's promise.
    call(|| unsafe {
        let column = text(column, "column")?;
        let (table, mask) = (handle::get(table)?, handle::get(mask)?);
        table.mask.lock().unwrap_or_else(PoisonError::into_inner).set(column, mask);
        Ok(())
    })
}

/// Masks a stream of record batches: `out` becomes a stream with the same schema, whose batches are
/// masked when they are asked for. Columns that no rule names refuse it unless the rules say
/// `unlisted = "keep"`; all problems come in one `TV_ERROR_REFUSED`. `stream` is moved from, even if this
/// fails later than on a NULL or a handle. An error in the middle of the stream is the stream's own.
///
/// # Safety
/// `stream` keeps to the Arrow C stream interface, `out` points to room for a stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tv_table_mask_stream(
    table: *const tv_table,
    stream: *mut FFI_ArrowArrayStream,
    out: *mut FFI_ArrowArrayStream,
) -> tv_status {
    // SAFETY: the caller's promises.
    call(|| unsafe {
        let table = handle::get(table)?;
        let out = Out::new(out, "out")?;
        let stream: FFI_ArrowArrayStream = take(stream, FFI_ArrowArrayStream::empty(), "stream")?;
        if stream.release().is_none() {
            return Err(Failure::argument("the stream was released before"));
        }
        let reader = RecordBatchStreamReader::try_new(stream).map_err(broken)?;
        let mask = table.mask.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let masked = MaskedReader::new(&mask, &table.key, reader)?;
        out.write(FFI_ArrowArrayStream::new(Box::new(Contained(masked))));
        Ok(())
    })
}

/// Closes a table's masks. Streams that were made with them go on.
#[unsafe(no_mangle)]
pub extern "C" fn tv_table_close(table: *mut tv_table) -> tv_status {
    call(|| handle::close(table))
}
