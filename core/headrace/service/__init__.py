"""The process round the mappings: signals, stop, HTTP, metrics, what a person sees."""
