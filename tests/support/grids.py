"""A table with all that tables may hold."""

from syntrans_l2l.reporting.grid import Estimate, Grid

NASTY = "a_b & 50% of $x$ #1 {y} ~^\\ <script>alert(1)</script> | *z* `q`\nÄ 学"
GRID = Grid(
    "a caption with 95% and a_b",
    ["method", "1-shot", "text"],
    [
        [
            [NASTY, Estimate(70.0, 0.5, "best"), "no"],
            ["plain", Estimate(-1.234, None, "second", signed=True), None],
        ],
        [["quoted †", Estimate(55.5, 0.7, digits=1), None]],
    ],
)
