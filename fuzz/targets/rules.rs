//! The rule file: what is read is written, and read again the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinveil::rules::RuleSet;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(rules) = RuleSet::from_toml(text) {
        let written = rules.to_toml();
        let again = RuleSet::from_toml(&written).expect("what was written can be read");
        assert!(again.to_toml() == written, "what was written reads differently");
    }
});
