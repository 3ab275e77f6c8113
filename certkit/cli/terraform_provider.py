"""What the launcher of certkit 0.1.0 imports: say that the provider has to be installed again.

That launcher is under the address of another provider, so Terraform would go on using it for old states.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Print what to do where Terraform shows it: it quotes the first line of standard output."""
    from certkit.terraform.provider.mirror import REPLACE_PROVIDER, SOURCE

    sys.stdout.write(
        "certkit: error: this provider was installed by certkit 0.1.0. Install it again: certkit terraform"
        f" install-provider; use the source {SOURCE}; and move each state once: {REPLACE_PROVIDER}\n"
    )
    return 3
