"""Landing: fetches what publishers offer, keeps the exact bytes, and notes where and when they came from."""

from caregrid.quiet import hush

hush()
