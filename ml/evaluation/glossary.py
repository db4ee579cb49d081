"""What the columns of a table of scores mean, in English and Chinese."""

from __future__ import annotations

_WORDS = (
    (
        "WIS",
        "weighted interval score (Bracher et al. 2021): twice the mean pinball loss over the model's "
        "quantiles, in units of the series; smaller is better",
        "加权区间评分，越小越好",
    ),
    (
        "rel. WIS",
        "the model's mean WIS / the baseline's, over the cells both have; below 1 is better",
        "与基线在共同样本上的评分之比，小于 1 更好",
    ),
    (
        "pairwise",
        "geometric mean of the ratios to every other model, divided by the baseline's (Cramer et al. 2022)",
        "与所有模型两两比值的几何平均，再除以基线的值",
    ),
    (
        "50, 80, 95 %",
        "how often the truth lay inside the central interval; amber: more than 2 points off",
        "实际值落入中心区间的比例；橙色表示偏离超过 2 个百分点",
    ),
    ("width", "mean width of the 95 % interval", "95 % 区间的平均宽度"),
    (
        "MAE, RMSE, bias",
        "of the median forecast; bias is forecast − truth",
        "以中位数为点预测；偏差为预测减实际",
    ),
    (
        "MASE",
        "|error| / mean absolute seasonal naive error of the series as known at the cutoff "
        "(Hyndman & Koehler 2006)",
        "误差除以该序列在起点已知的季节性朴素误差",
    ),
    (
        "MAPE",
        "mean |error| / |truth|, leaving out cells whose truth is 0",
        "平均百分误差，实际为零的样本不计",
    ),
    (
        "WIS of log",
        "WIS of log(1 + x): errors of growth, whatever the size (Bosse et al. 2023)",
        "对数尺度上的区间评分",
    ),
    (
        "Poisson floor",
        "the least absolute error that any forecast of counted events can have, about 0.8·√mean; each truth "
        "is taken as its own mean, which makes it a lower estimate",
        "事件计数的误差下限",
    ),
)
GLOSSARY = [{"name": name, "english": english, "chinese": chinese} for name, english, chinese in _WORDS]
