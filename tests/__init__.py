"""The tests. What they share says what differs when it finds something wrong, as the tests themselves do."""

import pytest

pytest.register_assert_rewrite("tests.contract", "tests.guest", "tests.homes")
