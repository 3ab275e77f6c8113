"""The wheel's bill of materials (CycloneDX 1.6): what certkit needs, and which versions the tests ran with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from hatchling.metadata.core import ProjectMetadata

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def document(metadata: ProjectMetadata[Any]) -> str:
    """Return the bill of materials as JSON, the same bytes for the same project."""
    core = metadata.core
    needed = [Requirement(each) for each in core.dependencies]
    optional = [
        Requirement(each)
        for extra, requirements in core.optional_dependencies.items()
        if extra not in {"all", "dev"}
        for each in requirements
    ]
    tested = _tested_versions()
    components = [
        _component(requirement, tested.get(canonicalize_name(requirement.name), ""), scope)
        for scope, requirements in (("required", needed), ("optional", optional))
        for requirement in requirements
    ]
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "certkit",
                "name": "certkit",
                "version": metadata.version,
                "description": core.description,
                "licenses": [{"license": {"id": core.license_expression}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": "certkit", "dependsOn": [each["bom-ref"] for each in components]}],
    }
    return json.dumps(bill, indent=2) + "\n"


def _component(requirement: Requirement, version: str, scope: str) -> dict[str, Any]:
    name = canonicalize_name(requirement.name)
    return {
        "type": "library",
        "bom-ref": name,
        "name": name,
        **({"version": version} if version else {}),
        "scope": scope,
        "purl": f"pkg:pypi/{name}@{version}".rstrip("@"),
        "properties": [{"name": "certkit:accepted-versions", "value": str(requirement.specifier)}],
    }


def _tested_versions() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE))
