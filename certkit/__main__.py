"""`python -m certkit` is the command `certkit`."""

from certkit.cli import main

if __name__ == "__main__":
    main()
