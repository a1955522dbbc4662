"""Martingale Lab: search for the ladder of orders with the fastest exit, and keep the evidence."""

__version__ = "0.1.0"
