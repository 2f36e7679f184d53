"""For those who test handlers and connectors: a virtual clock, lanes in memory, a conformance suite, a faulty network."""
