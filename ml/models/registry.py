"""Every kind of model by the name it is stored under; importing it does not import TensorFlow."""

from __future__ import annotations

from ml.models.base import HazardModel
from ml.models.baseline import Logistic, Weibull
from ml.models.boosting import Boosting
from ml.models.condition_only import ConditionOnly
from ml.models.ensemble import Ensemble
from ml.models.lstm import Lstm
from ml.models.random_forest import RandomForest

KINDS: dict[str, type[HazardModel]] = {
    each.kind: each for each in (Weibull, Logistic, RandomForest, Boosting, Lstm, Ensemble)
}
# What can be kept, and so has to be read back.
KEPT: dict[str, type[HazardModel]] = {**KINDS, ConditionOnly.kind: ConditionOnly}
BASELINES = (Weibull.kind, Logistic.kind)
# What `train` learns when nothing else is named; the ensemble comes last, it is made of the others.
DEFAULT_KINDS = (RandomForest.kind, Boosting.kind, Lstm.kind, Ensemble.kind)
