"""Forecasts and risk scores, without Airflow."""
