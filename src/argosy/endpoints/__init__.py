"""The protocols through which the service is reached: translations to its operations, without logic."""
