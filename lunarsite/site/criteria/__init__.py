"""What is good or bad about a cell beyond the rule: ways to shadow, craters, relief, nights, optional layers."""
