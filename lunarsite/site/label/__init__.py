"""Which cells meet a rule, and with what probability, the inputs being as uncertain as they are."""
