"""Ladders and their scores, as docs/model.md describes them. Pure: numpy and functions, no files, no clock."""
