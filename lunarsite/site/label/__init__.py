"""Which cells meet a rule, and with what probability, the inputs being as uncertain as they are.

`noise` draws errors of an elevation model, `clones` counts in how many models with such errors a cell's slope holds,
`probability` joins that with light and Earth view, `labels` makes the table and `labels_record` says what it rests on.
"""
