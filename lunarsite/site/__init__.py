"""Cells and what they are like, the rules they pass or fail, and the score that ranks them.

This room reads rasters and a crater catalogue and knows nothing of where they came from, nor of the references with
which its ranking is compared.
"""
