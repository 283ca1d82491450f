"""Constants that DSL programs name instead of writing literals."""

F = False
T = True

ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE, TEN = range(11)
NEG_ONE = -1
NEG_TWO = -2

DOWN = (1, 0)
RIGHT = (0, 1)
UP = (-1, 0)
LEFT = (0, -1)
ORIGIN = (0, 0)
UNITY = (1, 1)
NEG_UNITY = (-1, -1)
UP_RIGHT = (-1, 1)
DOWN_LEFT = (1, -1)
ZERO_BY_TWO = (0, 2)
TWO_BY_ZERO = (2, 0)
TWO_BY_TWO = (2, 2)
THREE_BY_THREE = (3, 3)

# The batt dialect: ranks from the front and from the back, kinds, colours.
F0, F1, F2, F3, F4, F5, F6, F7, F8, F9 = range(10)
L1, L2, L3, L4, L5, L6, L7, L8, L9, L10 = range(-1, -11, -1)
R0, R1, R2, R3, R4, R5, R6, R7, R8, R9 = range(10)
A0, A1, A2, A3, A4, A5, A6, A7, A8, A9 = range(10)
BLACK, BLUE, RED, GREEN, YELLOW, GRAY, MAGENTA, ORANGE, CYAN, BURGUNDY = range(10)

__all__ = [name for name in dir() if name.isupper() and not name.startswith("_")]
