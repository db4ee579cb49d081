"""CareGrid: feeds of hospitals and clinics in, a trusted warehouse, forecasts and alerts out."""

__version__ = "0.1.0"
