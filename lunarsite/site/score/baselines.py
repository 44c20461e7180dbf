"""What the trees must beat: two forecasts from the three columns that the rule reads, and nothing else.

Both know the rule's inputs, and one the rule itself: what the trees gain over them is what more features and a more
flexible form are worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from threadpoolctl import threadpool_limits

Doubles = NDArray[np.float64]
Values = NDArray[np.floating[Any]]


def logistic(inputs: pd.DataFrame, probability: Values, held_out: pd.DataFrame) -> Doubles:
    """Return probabilities of held-out cells by logistic regression on three inputs, their squares and products.

    Args:
        inputs: The three columns of the cells to learn from, (cells, 3).
        probability: What to learn, (cells,): each cell counts as suitable with that weight and as unsuitable with the
            rest, which is maximum likelihood for probabilities.
        held_out: The three columns of the cells to forecast.
    """
    yes, no = probability > 0.0, probability < 1.0
    rows = np.concatenate([inputs.to_numpy()[yes], inputs.to_numpy()[no]])
    weights = np.concatenate([probability[yes], 1.0 - probability[no]])
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(max_iter=500)
    )
    with threadpool_limits(1):  # sums in one order, so that every run leaves the same bytes
        model.fit(rows, np.repeat([1, 0], [yes.sum(), no.sum()]), logisticregression__sample_weight=weights)
        return np.asarray(model.predict_proba(held_out.to_numpy())[:, 1], dtype=np.float64)


def margin(margins: Values, probability: Values, held_out: Values) -> Doubles:
    """Return probabilities of held-out cells from the rule's smallest margin, by isotonic regression.

    Args:
        margins: The smallest margin of the cells to learn from, (cells,).
        probability: What to learn, (cells,).
        held_out: The smallest margin of the cells to forecast.
    """
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    return np.asarray(model.fit(margins, probability).predict(held_out), dtype=np.float64)
