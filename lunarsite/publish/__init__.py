"""Publication: figures, a report and a catalogue of what a run left.

The room reads artefacts and shows them. It computes no science: averages, scores and verdicts come from the files, and
what is done here is choosing, ordering, rounding and drawing.
"""
