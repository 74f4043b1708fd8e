"""Builds the library with cargo and puts it, with its header, into the wheel.

THINVEIL_FEATURES names cargo features; by default `arrow`, and `sql` where libclang is installed.
THINVEIL_PROFILE names cargo's profile; by default `release`.
THINVEIL_LIBRARY names a library that is built already: cargo is not run.
"""

import glob
import os
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent
FFI = HERE.parent


def features() -> str:
    """`sql` reads PostgreSQL's headers through libclang when it is built."""
    if given := os.environ.get("THINVEIL_FEATURES"):
        return given
    if glob.glob("/usr/lib/llvm-*/lib/libclang*.so*") or os.environ.get("LIBCLANG_PATH"):
        return "arrow,sql"
    return "arrow"


def built_library() -> Path:
    """Runs cargo, unless there is a library already."""
    if given := os.environ.get("THINVEIL_LIBRARY"):
        return Path(given)
    if shutil.which("cargo") is None:
        raise SystemExit("thinveil is built from Rust: install it from https://rustup.rs")
    profile = os.environ.get("THINVEIL_PROFILE", "release")
    cargo = ["cargo", "build", "--locked", "--profile", profile]
    cargo += ["--manifest-path", str(FFI / "Cargo.toml")]
    subprocess.check_call([*cargo, "--no-default-features", "--features", features()])
    target = Path(os.environ.get("CARGO_TARGET_DIR") or FFI.parent / "target")
    return target / ("debug" if profile == "dev" else profile) / "libthinveil_ffi.so"


class Build(build_py):
    """Puts library and header beside the package's files."""

    def run(self) -> None:
        library = built_library()
        super().run()
        package = Path(self.build_lib) / "thinveil"
        package.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, package / "libthinveil.so")
        shutil.copy(FFI / "include" / "thinveil.h", package / "thinveil.h")


class Wheel(bdist_wheel):
    """A wheel for any Python 3 on this platform: nothing in it is compiled against Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class WithLibrary(Distribution):
    """Not a pure package."""

    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": Build, "bdist_wheel": Wheel}, distclass=WithLibrary)
