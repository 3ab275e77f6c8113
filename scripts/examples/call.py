"""Make one authenticated call to Wise with the active certificate of an identity, and print the status.

python call.py acme [https://api-mtls.wise-sandbox.com]
"""

from __future__ import annotations

import sys

import httpx

import certkit


def main() -> int:
    """Call the address that Wise documents for trying a certificate."""
    name = sys.argv[1]
    base = sys.argv[2] if len(sys.argv) > 2 else "https://api-mtls.wise-sandbox.com"
    acme = certkit.identity(name)
    try:
        with httpx.Client(verify=acme.ssl_context(), auth=acme.auth(), base_url=base) as client:
            answer = client.get("/v1/authenticated/playground")
    except certkit.Error as error:
        print(f"{error.message}. {error.hint}", file=sys.stderr)
        return 1
    print(answer.status_code)
    return 0 if answer.status_code == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
