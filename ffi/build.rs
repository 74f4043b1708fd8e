//! Name and symbol versions of the shared library.

/// The ABI's major: `tv_abi_version` and the number in the library's name.
const SONAME: &str = "libthinveil.so.1";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    // Every symbol gets the version node `libthinveil.so.1`. rustc hands the linker an anonymous
    // version script, which no named one can stand beside; GNU ld makes the node by itself.
    println!("cargo::rustc-cdylib-link-arg=-fuse-ld=bfd");
    println!("cargo::rustc-cdylib-link-arg=-Wl,--default-symver");
}
