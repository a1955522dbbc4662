"""Orchestration: the only home of Prefect, and the command line."""
