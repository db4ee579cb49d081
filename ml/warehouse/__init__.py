"""The warehouse's series: read, laid on grids, forecast, tested, told."""
