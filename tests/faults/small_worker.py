"""A worker like any other, but one small forest is all it learns, and it gives way to nobody.

So training takes seconds, kills meet all of it, and a busy machine does not make the check an hour long.
"""

from __future__ import annotations

import sys

import ml.jobs.queue
import ml.lesson
from ml.models.random_forest import RandomForest
from ml.models.registry import KINDS
from wearwatch import main

LEARNT = (RandomForest.kind,)

if __name__ == "__main__":
    KINDS[RandomForest.kind] = lambda: RandomForest(trees_in_all=8)
    ml.lesson.DEFAULT_KINDS = LEARNT
    ml.jobs.queue.give_way = lambda: None
    sys.argv[1:] = ["worker"]
    main()
