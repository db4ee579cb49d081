"""`make bench`: how fast the product is beside what it could be at best, both measured in the same run."""
