"""Pictures of training and decisions.

What they show is computed first, and stands in their attributes; matplotlib is imported when
drawing. A class has the same colour in all of them.
"""

from sk_imbalance_nn.plotting.dashboard import ImbalanceDashboard, plot_imbalance_dashboard
from sk_imbalance_nn.plotting.score_distribution import ScoreDistributionDisplay
from sk_imbalance_nn.plotting.threshold_curve import ThresholdCurveDisplay
from sk_imbalance_nn.plotting.training_history import TrainingHistoryDisplay

__all__ = [
    "ImbalanceDashboard",
    "ScoreDistributionDisplay",
    "ThresholdCurveDisplay",
    "TrainingHistoryDisplay",
    "plot_imbalance_dashboard",
]
