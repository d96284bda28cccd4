"""Every module of every plan has its test."""

import importlib

import pytest

from tests.conformance.plans import PLANS, name_of_test


@pytest.mark.parametrize("plan", PLANS)
def test_every_module_of_the_plan_has_a_test_of_its_name_and_no_other_is_called_so(plan: str) -> None:
    files = [importlib.import_module(f"tests.conformance.{file}") for file in PLANS[plan].files]
    found = [name for file in files for name in vars(file) if name.startswith("test_oidcc_")]
    assert sorted(found) == sorted(map(name_of_test, PLANS[plan].modules))
