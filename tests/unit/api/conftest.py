"""A desk with its HTTP door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import Desk
from doors import Door, open_door


@pytest.fixture
def door(desk: Desk) -> Iterator[Door]:
    opened = open_door(desk)
    with opened.http:  # one event loop for all requests of a test
        yield opened
