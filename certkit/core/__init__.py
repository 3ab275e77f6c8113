"""Pure functions over bytes, objects, a policy and a clock: no I/O, no environment, no time of day."""
