"""Whether a challenger takes the champion's place."""
