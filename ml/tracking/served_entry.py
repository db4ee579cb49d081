"""What MLflow runs to make the served model, beside a copy of this package."""

from mlflow.models import set_model

from ml.tracking.served import ServedForecast

set_model(ServedForecast())
