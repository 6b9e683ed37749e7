"""No float lies on the way of money or tokens, from the price list to what is printed."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import ftjobs

ROOT = Path(ftjobs.__file__).parent
ON_THE_WAY = sorted(
    path
    for pattern in (
        "money.py",
        "ranges.py",
        "jobs/quote.py",
        "pricing/*.py",
        "ledger/entries.py",
        "ledger/month.py",
        "ledger/bridge.py",
        "ledger/budget.py",
        "ledger/history.py",
        "ledger/hosting.py",
        "ledger/hosting_store.py",
        "ledger/spending.py",
        "ledger/rows.py",
        "workflows/appraise.py",
        "workflows/gate.py",
        "workflows/host.py",
        "workflows/settle.py",
        "reports/bridge.py",
        "reports/cancel.py",
        "reports/envelope.py",
        "reports/estimate.py",
        "reports/hosting.py",
        "reports/jobs.py",
        "reports/month.py",
        "reports/numbers.py",
        "reports/prices.py",
        "reports/submission.py",
        "reports/tco.py",
        "reports/trail.py",
    )
    for path in ROOT.glob(pattern)
)
# A division of integers is a float: each one here has a Decimal or a Fraction on its left.
EXACT_DIVISIONS = {
    "Decimal(nano) / NANO",
    "Decimal(percentage.numerator) / percentage.denominator",
    "nano / TOKENS_PER_UNIT",
    "percentage / 100",
}


def modules() -> Iterator[ModuleType]:
    for path in ON_THE_WAY:
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        yield importlib.import_module(name)


def of(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the functions and classes that a module defines, the methods of its classes among them."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            yield name, value
            for inner, member in vars(value).items():
                function = getattr(member, "fget", None) or getattr(member, "__func__", member)
                if inspect.isfunction(function):
                    yield f"{name}.{inner}", function


def holds_float(hint: object) -> bool:
    return hint is float or any(map(holds_float, typing.get_args(hint)))


def test_there_are_modules_to_look_at() -> None:
    assert len(ON_THE_WAY) > 30
    assert holds_float(dict[str, tuple[float | None, ...]])


@pytest.mark.parametrize("module", list(modules()), ids=lambda module: module.__name__)
def test_no_type_on_the_way_of_money_is_a_float(module: ModuleType) -> None:
    for name, value in of(module):
        for field, hint in hints(value).items():
            assert not holds_float(hint), f"{module.__name__}.{name}: {field} is {hint}"


def hints(value: object) -> dict[str, object]:
    """Return the types that a class or function declares; by their text where only a type checker knows them."""
    try:
        return typing.get_type_hints(value)
    except NameError:
        written = getattr(value, "__annotations__", {})
        assert not any("float" in str(hint) for hint in written.values()), value
        return {}


@pytest.mark.parametrize("path", ON_THE_WAY, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_float_is_written_or_made_on_the_way_of_money(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), where
        elif isinstance(node, ast.Name):
            assert node.id != "float", where
        elif isinstance(node, ast.AugAssign):
            assert not isinstance(node.op, ast.Div), where
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            assert ast.unparse(node) in EXACT_DIVISIONS, where


def test_a_money_value_takes_no_float_at_run_time() -> None:
    from ftjobs.money import Usd, UsdPer1M

    for kind in (Usd, UsdPer1M):
        (field,) = dataclasses.fields(kind)
        assert field.type == "int"
        for text in ("1e3", "0.1e1", "nan", "inf", "1.0000000001"):
            with pytest.raises(ValueError, match="not an amount"):
                kind.parse(text)
