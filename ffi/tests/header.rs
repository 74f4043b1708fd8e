//! `include/thinveil.h` is what the sources make. `THINVEIL_BLESS=1` writes it anew.

use std::path::Path;

/// In the order in which a reader wants them.
const SOURCES: [&str; 15] = [
    "status",
    "version",
    "handle",
    "failure",
    "text",
    "key",
    "pool",
    "progress",
    "snapshot",
    "rules",
    "segments",
    "thin_clone",
    "mask",
    "custom",
    "arrow",
];

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join("src").join(source).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate().expect("sources that cbindgen reads").write(&mut header);
    String::from_utf8(header).expect("UTF-8")
}

#[test]
fn the_header_is_what_the_sources_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/thinveil.h");
    let generated = generated();
    if std::env::var_os("THINVEIL_BLESS").is_some() {
        std::fs::write(&path, &generated).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/thinveil.h is not what src/ makes: THINVEIL_BLESS=1 cargo test -p thinveil-ffi \
         --test header, and read the diff: what was there has to stay"
    );
}

/// Functions that other languages link to: none may go away.
#[test]
fn every_exported_function_is_declared() {
    let header = generated();
    for source in SOURCES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(source);
        let text = std::fs::read_to_string(path.with_extension("rs")).expect("a source");
        for (at, _) in text.match_indices("extern \"C\" fn tv_") {
            let name: String =
                text[at + 14..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(header.contains(&format!("{name}(")), "{name} is not in the header");
        }
    }
}
