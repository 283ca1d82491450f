"""The package's own build: it makes the virtual machine's library for a wheel; all else is in pyproject.toml.

The library has a plain C interface and is loaded with ctypes, so one wheel serves every Python 3 of a platform. Without
a compiler the wheel has no library, and native_cpu is skipped where it is installed.
"""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from harness.vm import build


class BuildWithLibrary(build_py):
    """Copies the package's files, with the library built for any machine of this platform."""

    def run(self) -> None:
        """Build, unless the installation is an editable one, for which ``make setup`` builds what suits the machine."""
        if not self.editable_mode:
            try:
                build.build(level=False)
            except build.BuildError as error:
                print(f"native_cpu is left out: {error}", file=sys.stderr)
        super().run()


class PlatformWheel(bdist_wheel):
    """A wheel for every Python 3 on this platform; for every platform if it has no library."""

    def finalize_options(self) -> None:
        """Say whether it depends on the platform."""
        super().finalize_options()
        self.root_is_pure = not build.library_path(False).is_file() and not _compiler()

    def get_tag(self) -> tuple[str, str, str]:
        """Return (Python, ABI, platform)."""
        platform = super().get_tag()[2]
        return ("py3", "none", platform)


def _compiler() -> bool:
    try:
        build.find_compiler()
    except build.BuildError:
        return False
    return True


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel})
