"""What MLflow keeps, shows and serves."""
