"""headrace: event source mappings that run anywhere."""
