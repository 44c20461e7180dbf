"""Pages of a run: one for each of the best sites and for each candidate region, and what every number rests on.

A page is one HTML file that needs nothing else. The pages choose, order, round and draw what artefacts hold; they
compute no science.
"""
