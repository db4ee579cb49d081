"""Scoring of forecasts: tables of scores, joint paths, decisions, the hubs' files, and the report."""
