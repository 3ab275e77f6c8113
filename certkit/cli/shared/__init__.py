"""Code that the commands share: inputs, outputs and options."""
