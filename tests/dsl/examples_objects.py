"""Examples of the family objects."""

_ONE = frozenset({(1, (0, 0))})
_TWOS = frozenset({(2, (1, 1)), (2, (1, 2)), (2, (2, 2))})
_UPPER = frozenset({(0, (0, 1)), (0, (0, 2))})
_LOWER = frozenset({(0, (1, 0)), (0, (2, 0)), (0, (2, 1))})

EXAMPLES = [
    ("objects(grid, True, False, True)", frozenset({_ONE, _TWOS})),
    ("objects(grid, True, False, False)", frozenset({_ONE, _TWOS, _UPPER, _LOWER})),
    ("objects(grid, True, True, False)", frozenset({_ONE, _TWOS, _UPPER | _LOWER})),
    ("objects(grid, False, True, True)", frozenset({_ONE | _TWOS})),
    ("objects(grid, False, False, True)", frozenset({_ONE, _TWOS})),
    ("objects(grid, False, False, False)", frozenset({_ONE | _TWOS | _UPPER | _LOWER})),
    ("objects(((3,),), True, True, True)", frozenset()),
    ("objects(((1, 1, 0),), True, False, True)", frozenset({frozenset({(0, (0, 2))})})),
    ("partition(grid)", frozenset({_ONE, _TWOS, _UPPER | _LOWER})),
    ("fgpartition(grid)", frozenset({_ONE, _TWOS})),
    ("fgpartition(((3, 3),))", frozenset()),
    ("occurrences(grid, fs((2, (7, 7)), (0, (6, 7))))", frozenset({(0, 1), (0, 2)})),
    ("occurrences(((1, 1, 1),), fs((1, (0, 0)), (1, (0, 1))))", frozenset({(0, 0), (0, 1)})),
    ("occurrences(((1, 1),), fs((1, (0, 0)), (1, (1, 0))))", frozenset()),
    ("occurrences(((1, 1),), frozenset())", frozenset({(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)})),
    (
        "frontiers(((1, 1, 1), (0, 2, 1)))",
        frozenset({frozenset({(1, (0, 0)), (1, (0, 1)), (1, (0, 2))}), frozenset({(1, (0, 2)), (1, (1, 2))})}),
    ),
    ("frontiers(((1, 2), (2, 1)))", frozenset()),
    ("frontiers(((4,),))", frozenset({frozenset({(4, (0, 0))})})),
]

FAILURES = [
    "objects((), True, False, False)",
    "objects(3, True, False, False)",
    "objects(fs((1, 2)), True, False, False)",
    "partition(3)",
    "partition(ell)",
    "fgpartition(ell)",
    "fgpartition(())",
    "occurrences((), ell)",
    "occurrences(fs((1, 2)), ell)",
    "occurrences(grid, fs((1, 2)))",
    "occurrences(grid, 0)",
    "frontiers(())",
    "frontiers(fs((1, 1)))",
]
