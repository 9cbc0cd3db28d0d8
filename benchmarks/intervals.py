"""How often a 95 % interval of `scagan_hub.evaluation.intervals` holds the truth, by simulation, for so many people.

    python benchmarks/intervals.py [--docs docs/evaluation.md]

Drawn are people with a normal mean of their own and six pictures about it, of half that spread; the truth is 0.
"""

import argparse
from pathlib import Path

import numpy as np

from scagan_hub.evaluation.intervals import interval
from scagan_hub.files.writing import whole_file

PEOPLE = (2, 3, 5, 10, 20, 50, 100, 300)
PICTURES, WITHIN = 6, 0.5
MARKS = "<!-- coverage -->", "<!-- /coverage -->"


def coverage(people: int, trials: int, seed: int = 0) -> float:
    """Share of trials in which the interval holds 0."""
    random, held = np.random.default_rng(seed), 0
    who = np.repeat(np.arange(people), PICTURES)
    for _ in range(trials):
        values = random.normal(size=people)[who] + WITHIN * random.normal(size=len(who))
        low, high = interval(values, people=who)
        held += low <= 0 <= high
    return held / trials


def table(trials: int) -> str:
    found = {people: coverage(people, trials) for people in PEOPLE}
    cells = [" | ".join(str(people) for people in found), " | ".join(f"{share:.1%}" for share in found.values())]
    return "\n".join([f"| people | {cells[0]} |", f"|---|{'---|' * len(found)}", f"| held the truth | {cells[1]} |"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--docs", type=Path, help="file to put the table into, between its marks")
    options = parser.parse_args()
    found = table(options.trials)
    print(found)
    if options.docs:
        before, rest = options.docs.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        with whole_file(options.docs) as partial:
            partial.write_text(f"{before}{MARKS[0]}\n{found}\n{MARKS[1]}{after}", encoding="utf-8")
