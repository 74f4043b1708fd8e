//! The options of a mask, by their names.

use super::{At, Reader, Value};
use crate::rules::MaskOptions;

impl Reader<'_> {
    /// Reads an option that the rule's mask takes.
    pub(super) fn option(
        &mut self,
        at: At<'_>,
        name: &str,
        value: &Value<'_>,
        options: &mut MaskOptions,
    ) {
        match name {
            "locale" => options.locale = self.string(at, value),
            "value" => options.value = self.string(at, value),
            "days" => options.days = self.whole(at, value),
            "seconds" => options.seconds = self.whole(at, value),
            "unique" => options.unique = self.boolean(at, value),
            "keep_first" => options.keep_first = self.whole(at, value),
            "keep_last" => options.keep_last = self.whole(at, value),
            "country" => options.country = self.string(at, value),
            "share" => options.share = self.number(at, value),
            "scale" => options.scale = self.number(at, value),
            "distribution" => options.distribution = self.string(at, value),
            "size" => options.size = self.number(at, value),
            "keep_bits" => options.keep_bits = self.whole(at, value),
            "unit" => options.unit = self.string(at, value),
            _ => options.meters = self.number(at, value),
        }
    }
}
