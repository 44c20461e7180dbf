"""The learned score: trees on the probability of a rule, measured on held-out ground and explained."""
