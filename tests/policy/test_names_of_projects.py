"""Projects that call things otherwise than the settings do, and keep their tests further down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.project import findings_of, report_of

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
from sqlalchemy.orm import DeclarativeBase
class Model(DeclarativeBase):
    pass
"""
CLASS = "class A{0}(Model):\n    __tablename__ = 'a{0}'\n"


@pytest.mark.parametrize(("count", "said"), [(2, ["app/models.py"] * 2), (3, ["app/base.py"])])
@pytest.mark.parametrize("setting", ["base", "mixin"])
def test_many_classes_that_lack_what_nothing_is_called_are_one_finding(
    count: int, said: list[str], setting: str, tmp_path: Path
) -> None:
    other = {"base": "mixin", "mixin": "base"}[setting]
    classes = "".join(CLASS.format(number) for number in range(count))
    files = {
        "pyproject.toml": f'[tool.invoicing.policy]\n{other} = ""\n',
        "app/base.py": BASE,
        "app/models.py": f"from app.base import Model\n{classes}",
    }
    findings = findings_of(tmp_path, files, "base-and-timestamps")
    assert [finding.path for finding in findings] == said
    if count > 2:
        assert f"{setting} = " in findings[0].fix
        assert f"{count} classes below Model" in findings[0].message


def test_where_a_class_has_the_name_each_that_lacks_it_is_named(tmp_path: Path) -> None:
    classes = "".join(CLASS.format(number) for number in range(4))
    mixin = "class TimeStampedMixin:\n    pass\n"
    files = {
        "pyproject.toml": '[tool.invoicing.policy]\nbase = "Model"\n',
        "app/base.py": BASE + mixin,
        "app/models.py": f"from app.base import Model\n{classes}",
    }
    assert len(findings_of(tmp_path, files, "base-and-timestamps")) == 4


@pytest.mark.parametrize("folder", ["tests", "src/py/tests"])
def test_tests_are_left_out_wherever_they_are(folder: str, tmp_path: Path) -> None:
    broken = "from sqlalchemy import create_engine\ncreate_engine('')\n"
    files = {f"{folder}/test_app.py": broken, "app/latest.py": broken}
    assert [each.path for each in report_of(tmp_path, files).findings] == ["app/latest.py"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [("", "session_module in"), ('session_module = ["app/db.py"]', "take it from app/db.py")],
)
def test_an_engine_elsewhere_is_said_with_where_it_belongs(
    settings: str, said: str, tmp_path: Path
) -> None:
    made = "from sqlalchemy.ext.asyncio import create_async_engine\ncreate_async_engine('')\n"
    files = {"pyproject.toml": f"[tool.invoicing.policy]\n{settings}\n", "app/engine.py": made}
    (finding,) = findings_of(tmp_path, files, "async-only")
    assert said in finding.fix
