"""Description languages, to the model and back. `native` is ours; each other one is a file of its own."""
