import math

import pytest

from harness.report import format as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [(2134.7, "2,130"), (9.996, "10.0"), (99.96, "100"), (0.012345, "0.0123"), (1234567, "1,230,000"), (0, "0"),
     (5, "5.00"), (-1.5, "-1.50"), (math.nan, "-"), (None, "-")],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value, text):
    assert fmt.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.214e-6, "3.21 µs"), (4.2e-8, "42.0 ns"), (0.0456, "45.6 ms"), (0.9999, "1.00 s"), (1.234, "1.23 s"), (0, "0 s"),
     (59.96, "1 min 0 s"), (125.4, "2 min 5 s"), (3599.9, "1 h 0 min"), (11520, "3 h 12 min"), (math.nan, "-")],
)  # fmt: skip
def test_durations_have_units(seconds, text):
    assert fmt.duration(seconds) == text


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((2134, 2111, 2154), "2,130 (2,110 to 2,150)"),
        # As many digits as tell the bounds apart, in all three.
        ((2134, 2131, 2137), "2,134 (2,131 to 2,137)"),
        ((1.873, 1.84, 1.9, "x"), "1.87x (1.84x to 1.90x)"),
        ((1.873, 1.84, 1.9, "", True), "1.87 (range 1.84 to 1.90)"),
        ((2134, math.nan, math.nan), "2,130"),
        ((math.nan, math.nan, math.nan), "-"),
    ],
)
def test_intervals(args, text):
    assert fmt.interval(*args) == text


def test_other_figures():
    assert fmt.percent(0.8014) == "80.1%"
    assert fmt.confidence_level(0.95) == "95%"
    assert fmt.count(12345) == "12,345"
    assert fmt.memory(8 * 2**30) == "8 GiB"
    assert fmt.moment("2025-11-20T02:23:59+00:00") == "2025-11-20 02:23 UTC"
    assert fmt.moment("yesterday") == "yesterday"
    assert fmt.shorten("abcdef", 4) == "abc…"


def test_text_of_users_is_made_printable():
    assert fmt.printable("a\n\tb\x00\u202ec\ud800 ") == "a b\ufffd\ufffdc\ufffd"
