"""Risk that a measure of quality falls below its benchmark, and control charts."""
