"""The pytest plugin: one test a property and target, and one a promoted regression.

Targets come from `--inferfuzz-target` or from a line `inferfuzz_target = "name"` in a test module. Imported by every
pytest run in an environment that has inferfuzz, so everything heavy is imported by the tests themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from fuzz import pytest_categories

if TYPE_CHECKING:
    from fuzz.suite import Suite

MODULE_VARIABLE = "inferfuzz_target"
REGRESSIONS = ("corpus", "regressions")
"""A folder path that ends like this holds regressions."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Our command line options."""
    group = parser.getgroup("inferfuzz", "property suites for inference engines")
    group.addoption(
        "--inferfuzz-target",
        action="append",
        default=[],
        metavar="TARGET",
        help="run every applicable property on this target (name or module:attribute); repeatable",
    )
    group.addoption(
        "--inferfuzz-device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="device to run on; repeatable (default: every device the target offers)",
    )
    group.addoption(
        "--inferfuzz-profile",
        default="",
        metavar="PROFILE",
        help="ci, local, nightly, release, or one of [tool.inferfuzz.profiles] (default: INFERFUZZ_PROFILE, ...)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register our markers and the long Hypothesis profile."""
    pytest_categories.register(config)
    config.addinivalue_line("markers", "inferfuzz: a property or regression run by inferfuzz")
    from hypothesis import settings

    settings.register_profile("nightly", max_examples=5_000, deadline=None)


def pytest_collection(session: pytest.Session) -> None:
    """Collect the regressions of the project when the whole suite runs."""
    config = session.config
    folder = config.rootpath.joinpath(*REGRESSIONS)
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    if whole and folder.is_dir() and not any(_contains(Path(argument), folder) for argument in config.args):
        config.args.append(str(folder))


def _contains(outer: Path, inner: Path) -> bool:
    return inner.resolve().is_relative_to(outer.resolve())


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A JSON file in a folder of regressions is a test."""
    if file_path.suffix == ".json" and file_path.parent.parts[-2:] == REGRESSIONS:
        return RegressionFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> list[pytest.Item] | None:
    """The line `inferfuzz_target = ...` of a test module becomes the properties of these targets."""
    if name != MODULE_VARIABLE or not isinstance(collector, pytest.Module):
        return None
    names = obj if isinstance(obj, list | tuple) else [obj]
    return list(_property_items(collector, [str(target) for target in names]))


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Targets of the command line come behind the collected tests; categories of tests get their timeouts."""
    pytest_categories.limit(items, config, config.getoption("--inferfuzz-profile"))
    names: list[str] = config.getoption("--inferfuzz-target")
    if names:
        root: Any = _CommandLine.from_parent(session, name="inferfuzz", nodeid="inferfuzz")
        items.extend(_property_items(root, names))


class _CommandLine(pytest.Collector):
    """Parent of the items that no file holds."""

    def collect(self) -> list[pytest.Item]:
        return []


def _property_items(parent: pytest.Collector, names: list[str]) -> Iterator[pytest.Item]:
    from fuzz.properties.registry import properties
    from fuzz.suite import choose_examples, suites_of
    from targets.errors import UsageError

    devices: list[str] = parent.config.getoption("--inferfuzz-device")
    try:
        suites = suites_of(names, devices)
        choose_examples(parent.config.getoption("--inferfuzz-profile"), parent.config.rootpath)
    except UsageError as error:
        raise pytest.UsageError(f"inferfuzz: {error}") from error
    for suite in suites:
        for found in properties(suite.target.kind):
            title = f"{found.code}[{suite.label}]"
            item: pytest.Item = PropertyItem.from_parent(parent, name=title, suite=suite, code=found.code)
            yield item


class PropertyItem(pytest.Item):
    """One property on one target and device, as many cases as the Hypothesis profile says."""

    def __init__(self, *, suite: Suite, code: str, **rest: Any) -> None:
        super().__init__(**rest)
        self._suite = suite
        self._code = code
        self.add_marker("inferfuzz")

    def runtest(self) -> None:
        """Skip with the reason where the property does not apply; fail with the shrunk case."""
        from fuzz.suite import NothingToCompareError

        reason = self._suite.reason_against(self._code)
        if reason:
            pytest.skip(f"{self._code} {reason}")
        try:
            self._suite.check(self._code)
        except NothingToCompareError as nothing:
            pytest.skip(str(nothing))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The finding alone; the frames between are ours and say nothing about the target."""
        from fuzz.suite import PropertyFailedError

        if isinstance(excinfo.value, PropertyFailedError):
            return _as_failure(str(excinfo.value), self.path)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where reports say the test is."""
        return self.path, None, f"inferfuzz {self.name}"


class RegressionFile(pytest.File):
    """One promoted finding."""

    def collect(self) -> list[pytest.Item]:
        """The one test that replays it."""
        item: pytest.Item = RegressionItem.from_parent(self, name="replay")
        return [item]


class RegressionItem(pytest.Item):
    """Replays a promoted finding, which must not fail any more."""

    def runtest(self) -> None:
        """Judge the case by the properties it once broke."""
        from fuzz.findings.regression import load
        from fuzz.suite import suite_for

        self.add_marker("inferfuzz")
        regression = load(self.path)
        suite_for(regression.target, regression.device, regression.dtype).replay(regression)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The violation, or what is wrong with the file."""
        from fuzz.suite import PropertyFailedError
        from targets.errors import UsageError

        if isinstance(excinfo.value, PropertyFailedError | UsageError):
            return _as_failure(str(excinfo.value), self.path)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where reports say the test is."""
        return self.path, None, f"regression {self.path.stem}"


def _as_failure(text: str, path: Path) -> ReprExceptionInfo:
    """The whole text for the report, and its first line for the summary, where pytest would repeat all of it on CI."""
    headline = text.partition("\n")[0]
    trace = ReprTraceback([ReprEntryNative([f"{text}\n"])], None, "native")
    return ReprExceptionInfo(reprtraceback=trace, reprcrash=ReprFileLocation(str(path), 0, headline))


def pytest_unconfigure() -> None:
    """End the workers."""
    import sys

    suite = sys.modules.get("fuzz.suite")
    if suite is not None:
        suite.close_all()
