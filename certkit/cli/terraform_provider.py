"""The entry point of the launcher that certkit 0.1.0 wrote: ask for the provider to be installed again.

That launcher has the address of another provider, so Terraform would go on using it for old states.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Print the instructions on standard output, whose first line Terraform quotes."""
    from certkit.terraform.provider.mirror import REPLACE_PROVIDER, SOURCE

    sys.stdout.write(
        "certkit: error: this provider was installed by certkit 0.1.0. Install it again: certkit terraform"
        f" install-provider; use the source {SOURCE}; and move each state once: {REPLACE_PROVIDER}\n"
    )
    return 3
