"""What pyproject.toml cannot say: ``sweeps`` and ``analysis`` are installed within the package.

So nothing but ``ssmpe`` is in site-packages, and the folders of a checkout stay where they are.
"""

from setuptools import find_packages, setup

BUNDLED = "ssmpe._bundled"  # see ssmpe/bundled.py

setup(
    packages=[
        *find_packages(include=["ssmpe", "ssmpe.*"]),
        *(f"{BUNDLED}.{name}" for name in find_packages(include=["analysis*", "sweeps*"])),
    ],
    package_dir={f"{BUNDLED}.{name}": name for name in ("analysis", "sweeps")},
    package_data={"ssmpe": ["py.typed"], f"{BUNDLED}.analysis": ["templates/*"]},
)
