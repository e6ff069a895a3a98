"""Whole journeys on real mail servers."""
