"""`certkit csr`: certificate signing requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certkit.cli.key import force_option, if_absent_option, key_type_option
from certkit.cli.shared import inputs
from certkit.cli.shared.commands import CommandGroup
from certkit.cli.shared.output import Output, progress, reporting
from certkit.errors import InputError
from certkit.findings import exit_code
from certkit.printable import printable

if TYPE_CHECKING:
    from certkit.policy.rules import Policy


# A warning about many CSRs of a batch names so many of them.
_SHOWN_NAMES = 3


@click.group(cls=CommandGroup)
def csr() -> None:
    """Create and check certificate signing requests (CSRs).

    \b
    Example:
      certkit csr check acme.csr --policy wise-sandbox --key acme.key
    """


@csr.command(short_help="Create a CSR by a partner's rules, and a key for it.")
@inputs.policy_option
@inputs.subject_options
@inputs.file_option("--key", metavar="KEY", help="Private key to use.")
@inputs.new_file_option("--key-out", metavar="KEY", help="File for a new private key.")
@key_type_option(help="Key type.  [default: the policy's first]")
@inputs.new_file_option("--out", metavar="CSR", help="File for the CSR; - is standard output.")
@inputs.file_option("--batch", metavar="FILE", help="JSON Lines file: create one key and CSR per line.")
@inputs.named_option("--out-dir", metavar="DIR", help="Directory for the NAME.key and NAME.csr files of --batch.")
@if_absent_option
@force_option
@inputs.passphrase_option
@reporting
def create(output: Output, *, policy_name: str, **options: Any) -> int:
    """Create a CSR that follows a partner's rules, with a new key (--key-out) or an existing one (--key).

    The subject comes from the named options or, whole and in order, from --subject NAME=VALUE. Key usages that the
    policy requires are filled in. The CSR is read back and checked before anything is written. Use --if-absent in
    scripts: existing files that match are kept, and missing ones are created.

    \b
    Examples:
      certkit csr create --policy wise-sandbox --organization "Acme Ltd" \\
          --country GB --key-out acme.key --out acme.csr
      certkit csr create --policy wise-sandbox --batch clients.jsonl \\
          --out-dir clients
      certkit csr create --policy obwac --subject C=GB --subject "O=Acme Ltd" \\
          --subject organizationIdentifier=PSDGB-FCA-123456 \\
          --subject CN=0123456789abcdef --psd2-role PSP_AI \\
          --psd2-authority "Financial Conduct Authority" \\
          --psd2-authority-id GB-FCA --key-out acme.key --out acme.csr
    """
    policy = inputs.policy(policy_name)
    same = {each: options[each] for each in ("key_type", "if_absent", "force")}
    same |= {"policy": policy_name, "passphrase": inputs.passphrase(options["passphrase_file"]), "progress": progress}
    if options["batch"] is not None or options["out_dir"] is not None:
        return _create_batch(output, policy, options, same)
    return _create_one(output, policy, options, same)


def _create_one(output: Output, policy: Policy, options: dict[str, Any], same: dict[str, Any]) -> int:
    from certkit.api.csrs import write_csr
    from certkit.report import json, text

    key, to_stdout = options["key"], options["out"] == inputs.STDIN
    _require_usage(options, policy)
    if to_stdout:
        inputs.require_no_json(output)
    made = write_csr(
        None if to_stdout else options["out"],
        key=None if key is None else inputs.private_key(key, same["passphrase"]),
        key_path=options["key_out"],
        **same,
        **{each: options[each] for each in inputs.SUBJECT_OPTIONS},
    )
    output.warn_of(made.checks)
    for kept in made.kept:
        output.say(f"the old file was kept as {kept}")
    if to_stdout:
        output.result(made.csr.pem)
        return 0
    return output.done(json.made_request(made, policy.name), text.created(made, policy))


def _create_batch(output: Output, policy: Policy, options: dict[str, Any], same: dict[str, Any]) -> int:
    from certkit.api.csrs import write_csrs
    from certkit.csr import batch
    from certkit.printable import sentences
    from certkit.report import json

    given = [name for name in (*inputs.SUBJECT_OPTIONS, "key", "key_out", "out") if options[name]]
    if options["batch"] is None or options["out_dir"] is None:
        raise InputError("--batch and --out-dir must be given together", hint="give both")
    if given:
        raise InputError(
            f"--batch cannot be combined with --{given[0].replace('_', '-')}",
            hint="put subject options in the batch file",
        )
    if same.pop("force"):
        raise InputError("--batch cannot be combined with --force", hint="choose a new --out-dir, or use --if-absent")
    made = write_csrs(inputs.data(options["batch"]), options["out_dir"], **same)
    affected: dict[tuple[str, str], list[str]] = {}
    for one in made:
        for each in one.checks:
            if not each.is_good:
                affected.setdefault((each.message, batch.with_keys(each.hint)), []).append(one.name or "")
    for (message, hint), names in affected.items():
        more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
        output.warn(f"{', '.join(names[:_SHOWN_NAMES])}{more}: {sentences(message, hint)}")
    new = sum(one.changed for one in made)
    text = f"{printable(options['out_dir'])}: {new:,} created, {len(made) - new:,} already present\n"
    return output.done([json.made_request(one, policy.name) for one in made], text)


def _require_usage(options: dict[str, Any], policy: Policy) -> None:
    if options["key_out"] == inputs.STDIN:
        raise InputError("a private key is not printed together with a CSR", hint="give --key-out a file")
    if options["key"] is None and options["key_out"] is None:
        return
    if options["out"] is None:
        raise InputError("--out is missing", hint="give --out CSR, or --out - for standard output")
    if not options["organization"] and not options["subject"] and "O" in policy.subject.required:
        problem = f"--organization is missing; {policy.title} requires it"
        raise InputError(problem, hint="give the organization's legal name")


@csr.command(short_help="Check a CSR before you send it.")
@inputs.file_argument("source", metavar="CSR")
@inputs.policies_option
@inputs.file_option("--key", metavar="KEY", help="Check that this private key belongs to the CSR.")
@inputs.passphrase_option
@reporting
def check(
    output: Output, *, source: str, policy_names: tuple[str, ...], key: str | None, passphrase_file: str | None
) -> int:
    """Check the exact bytes of a CSR against a partner's rules, before you send it.

    With several policies, every one is checked, and the worst result decides. Exits 0 if the CSR follows the rules, 1
    for a warning, 2 if a partner would reject it, 3 if there is no CSR to check.

    \b
    Examples:
      certkit csr check acme.csr --policy wise-sandbox --key acme.key
      certkit csr check acme.csr --policy adyen --policy wise-production
    """
    from certkit.api.checks import check_csr

    for name in policy_names:
        inputs.policy(name)  # warns if it is retired
    held = inputs.private_key(key, inputs.passphrase(passphrase_file)) if key else None
    report = check_csr(inputs.data(source), policy=policy_names, key=held)
    if output.as_json:
        output.document(report.as_dict())
    else:
        for each in report.fits:
            output.judged(f"{source} for {each.policy}", each.status, each.findings)
    return exit_code(report.status)
