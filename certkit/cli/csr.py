"""`certkit csr`: certificate signing requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from certkit.cli.key import KEY_TYPES, force_option, if_absent_option, require_one
from certkit.cli.shared import inputs
from certkit.cli.shared.commands import LazyGroup
from certkit.cli.shared.output import Output, progress, reporting
from certkit.errors import InputError
from certkit.findings import exit_code, roll_up

if TYPE_CHECKING:
    from certkit.csr.keyfile import Writing
    from certkit.policy.rules import Policy


@click.group(
    cls=LazyGroup,
    lazy={
        "create": ("certkit.cli.csr:create", "Make a CSR by a partner's rules, and a key for it."),
        "check": ("certkit.cli.csr:check", "Check the bytes of a CSR before they are handed over."),
    },
)
def csr() -> None:
    """Make and check certificate signing requests (CSRs).

    \b
    Example:
      certkit csr check acme.csr --policy wise-sandbox --key acme.key
    """


@click.command()
@inputs.policy_option
@inputs.subject_options
@inputs.file_option("--key", metavar="KEY", help="Use this private key.")
@inputs.file_option("--key-out", metavar="KEY", help="Make a new private key in this file.")
@click.option(
    "--type", "key_type", type=click.Choice(KEY_TYPES), help="The new key's type.  [default: the policy's first]"
)
@inputs.file_option("--out", metavar="CSR", help="The CSR's file; - is standard output.")
@inputs.file_option("--batch", metavar="FILE", help="Make many: JSON Lines of subject options with a name.")
@inputs.file_option("--out-dir", metavar="DIR", help="With --batch: where NAME.key and NAME.csr go.")
@if_absent_option
@force_option
@inputs.passphrase_option
@reporting
def create(output: Output, *, policy_name: str, **options: Any) -> int:
    """Make a CSR by a partner's rules: with a new key (--key-out) or one that you have (--key).

    What was made is read back and checked before anything is written. Give --if-absent in scripts: what is there and
    fits stays, and what is missing is completed.

    \b
    Examples:
      certkit csr create --policy wise-sandbox --organization "Acme Ltd" --country GB \\
          --key-out acme.key --out acme.csr
      certkit csr create --policy wise-sandbox --batch clients.jsonl --out-dir clients
    """
    from certkit.csr import keyfile

    require_one(if_absent=options["if_absent"], force=options["force"])
    policy = inputs.policy(policy_name)
    writing = keyfile.Writing(
        if_absent=options["if_absent"],
        force=options["force"],
        passphrase=inputs.passphrase(options["passphrase_file"]),
        now=inputs.now(),
        progress=progress,
    )
    if options["batch"] is not None or options["out_dir"] is not None:
        return _create_batch(output, policy, options, writing)
    return _create_one(output, policy, options, writing)


@click.command()
@inputs.file_argument("source", metavar="CSR")
@inputs.policy_option
@inputs.file_option("--key", metavar="KEY", help="Check that this private key belongs to the CSR.")
@inputs.passphrase_option
@reporting
def check(output: Output, *, source: str, policy_name: str, key: str | None, passphrase_file: str | None) -> int:
    """Check the exact bytes of a CSR against a partner's rules, before they are handed over.

    Exits 0 if all is well, 1 for a warning, 2 if the partner would refuse it, 3 if there is no CSR to check.

    \b
    Example:
      certkit csr check acme.csr --policy wise-sandbox --key acme.key
    """
    from certkit.csr import check as csr_check
    from certkit.findings import skipped
    from certkit.report import json
    from certkit.x509 import keys, names, objects

    policy = inputs.policy(policy_name)
    data = inputs.read(source)
    held = inputs.private_key(key, inputs.passphrase(passphrase_file)) if key else None
    facts = keys.key_facts(held.key.public_key()) if held else None
    findings = csr_check.check(data, policy, key=facts, name=source)
    findings.append(held.file if held else skipped("key-file", "no private key was given", "add --key KEY"))
    status = roll_up(finding.status for finding in findings)
    if output.as_json:
        subject = names.subject_or_none(objects.csr(data, name=source).value)
        output.document(json.judged(status, subject, findings))
    else:
        output.judged(f"{source} for {policy.name}", status, findings)
    return exit_code(status)


def _create_one(output: Output, policy: Policy, options: dict[str, Any], writing: Writing) -> int:
    from certkit.csr import create as request
    from certkit.report import json, text
    from certkit.x509.keys import KeySpec

    _require_usage(options, policy)
    to_stdout = options["out"] == inputs.STDIN
    if to_stdout and output.as_json:
        raise InputError("usage: --out - and --json both want standard output", hint="give --out a file")
    secret = writing.passphrase
    held = inputs.private_key(options["key"], secret) if options["key"] is not None else None
    made = request.create(
        inputs.subject(options),
        policy,
        key=held,
        key_path=_path(options["key"] if held else options["key_out"]),
        csr_path=_path(options["out"]),
        spec=KeySpec.parse(options["key_type"]) if options["key_type"] else None,
        writing=writing,
    )
    output.warn_of(made.checks)
    for kept in made.kept:
        output.say(f"the old file is kept as {kept}")
    if to_stdout:
        output.raw(made.csr.pem)
    elif output.as_json:
        output.document(json.made_request(made, policy.name))
    elif not output.quiet:
        output.result(text.created(made, policy))
    return 0


def _create_batch(output: Output, policy: Policy, options: dict[str, Any], writing: Writing) -> int:
    from certkit.csr import batch
    from certkit.report import json, text
    from certkit.x509.keys import KeySpec

    given = [name for name in (*inputs.SUBJECT_OPTIONS, "key", "key_out", "out") if options[name]]
    if options["batch"] is None or options["out_dir"] is None:
        raise InputError("usage: --batch and --out-dir belong together", hint="give both")
    if given:
        raise InputError(
            f"usage: --batch does not go with --{given[0].replace('_', '-')}",
            hint="put subject options in the batch file",
        )
    if writing.force:
        raise InputError("usage: --batch does not go with --force", hint="choose a new --out-dir, or use --if-absent")
    spec = KeySpec.parse(options["key_type"]) if options["key_type"] else None
    entries = batch.parse(inputs.read(options["batch"]), policy, name=options["batch"], spec=spec)
    made = batch.create(entries, policy, Path(options["out_dir"]), writing=writing)
    for one in made:
        output.warn_of(one.checks)
    if output.as_json:
        output.document([json.made_request(one, policy.name) for one in made])
    elif not output.quiet:
        output.result(text.batch(made, options["out_dir"]))
    return 0


def _require_usage(options: dict[str, Any], policy: Policy) -> None:
    if (options["key"] is None) == (options["key_out"] is None):
        problem = (
            "one of --key and --key-out is needed"
            if options["key"] is None
            else "--key and --key-out exclude each other"
        )
        raise InputError(f"usage: {problem}", hint="--key-out KEY makes a new key, --key KEY uses one that you have")
    if options["key"] is not None and options["key_type"] is not None:
        raise InputError("usage: --type is about a new key", hint="leave it out, or use --key-out")
    if options["key_out"] == inputs.STDIN:
        raise InputError("usage: a private key is not printed beside a CSR", hint="give --key-out a file")
    if options["out"] is None:
        raise InputError("usage: --out is missing", hint="give --out CSR, or --out - for standard output")
    if not options["organization"] and "O" in policy.subject.required:
        raise InputError(
            f"usage: --organization is missing; {policy.title} requires it", hint="give the organization's legal name"
        )


def _path(reference: str | None) -> Path | None:
    return None if reference is None or reference == inputs.STDIN else Path(reference)
