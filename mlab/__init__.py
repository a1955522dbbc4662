"""Martingale Lab: search for the ladder that needs the smallest rebound to break even, and keep the evidence."""

__version__ = "0.1.0"
