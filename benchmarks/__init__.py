"""Measurements. Each prints its figures beside a floor that is measured in the same run; none is a test."""
