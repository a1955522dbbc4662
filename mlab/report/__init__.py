"""Presentation: what people read of a run, on the terminal, in files and as pictures. All of it is made from records.

:mod:`~mlab.report.numbers` and :mod:`~mlab.report.words` say how a number and a ladder are written,
:mod:`~mlab.report.columns` what the tables hold; the other modules draw them for one place each.
:mod:`mlab.report.plots` is imported where a picture is drawn, because matplotlib is slow to load.
"""
