"""The package's own build: it makes the virtual machine's library for a wheel; all else is in pyproject.toml.

The library has a plain C interface and is loaded with ctypes, so one wheel serves every Python 3 of a platform. Without
a compiler the wheel has no library, and native_cpu is skipped where it is installed.
"""

import shutil
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from harness.vm import build, manylinux

# The portable library and, where the platform has such levels, that for build.LEVEL, which is loaded where it can be.
LEVELS = (False, True) if build.platform.machine() in ("x86_64", "AMD64") else (False,)


class BuildWithLibrary(build_py):
    """Copies the package's files, with the libraries built for any machine of this platform."""

    def run(self) -> None:
        """Build, unless the installation is an editable one, for which ``make setup`` builds what suits the machine."""
        if self.editable_mode:
            super().run()
            return
        try:
            libraries = [build.build(level)[0] for level in LEVELS]
        except build.BuildError as error:
            print(f"native_cpu is left out: {error}", file=sys.stderr)
            libraries = []
        super().run()
        package = Path(self.build_lib, "harness")
        # Made, not written: so they are in no list of package data.
        made = [*libraries, *sorted(Path("harness", "vm", "_cubins").glob("*")), *Path("harness").glob("_build.json")]
        for path in made:
            target = package / path.resolve().relative_to(Path("harness").resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


class PlatformWheel(bdist_wheel):
    """A wheel for every Python 3 on this platform; for every platform if it has no library."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return (Python, ABI, platform); on Linux the platform is what the libraries need, once they are built."""
        platform = super().get_tag()[2]
        libraries = [path for path in map(build.library_path, LEVELS) if path.is_file()]
        if libraries and sys.platform == "linux":
            try:
                platform = manylinux.platform_tag(libraries)
            except build.BuildError as error:
                print(f"the wheel is for machines like this one only: {error}", file=sys.stderr)
        return ("py3", "none", platform)


class WithLibrary(Distribution):
    """A package that depends on the platform, if it has a library."""

    def has_ext_modules(self) -> bool:
        """Return whether there is a library, or a compiler to build it."""
        try:
            return build.library_path(False).is_file() or bool(build.find_compiler())
        except build.BuildError:
            return False


setup(distclass=WithLibrary, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel})
