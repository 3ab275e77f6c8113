"""What the commands share: inputs, outputs and the boundary that turns errors into exit codes."""
