"""Presentation: what people read of a run, on the terminal, in files and as pictures.

Everything here is made from records alone. :mod:`mlab.report.plots` is imported where a picture is drawn,
because matplotlib is slow to load.
"""
