//! Other values that hold values.
#![no_main]

use thinveil::datum::{Layout, ValueType};
use thinveil::mask::ColumnMask;
use thinveil::rules::MaskName;
use thinveil_fuzz::{Masks, composite, paths, spec};

const INT4: Layout = Layout { len: 4, align: 4 };
const VARLENA: Layout = Layout { len: -1, align: 4 };

thinveil_fuzz::fuzz_masks!(Masks::new([
    composite(),
    ColumnMask::Hstore(paths()),
    ColumnMask::TsVector(spec(MaskName::Alphanumeric, ValueType::Text)),
    ColumnMask::TsQuery(spec(MaskName::Alphanumeric, ValueType::Text)),
    ColumnMask::Range { layout: INT4, bound: spec(MaskName::Integer, ValueType::Int4) },
    ColumnMask::Range { layout: VARLENA, bound: spec(MaskName::Numeric, ValueType::Numeric) },
    ColumnMask::Multirange { layout: INT4, bound: spec(MaskName::DateShift, ValueType::Date) },
    ColumnMask::Range { layout: VARLENA, bound: spec(MaskName::Ip, ValueType::Inet) },
    ColumnMask::Multirange { layout: VARLENA, bound: spec(MaskName::Text, ValueType::Bpchar) },
]));
