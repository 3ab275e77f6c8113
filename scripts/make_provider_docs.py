"""Write the section "Schema" of each page in `scripts/terraform/provider/docs`, from the provider's own schemas.

python scripts/make_provider_docs.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tf.types import Bool, List, Map, Number
from tf.utils import Diagnostics

from certkit.terraform.provider.provider import CertkitProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tf.schema import Attribute, Schema
    from tf.types import TfType

FOLDER = Path(__file__).parent / "terraform" / "provider" / "docs"


def main() -> None:
    """Bring the section of each page up to date."""
    for name, text in pages():
        (FOLDER / name).write_text(text, encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """Yield every page with its section brought up to date."""
    for name, schema in schemas():
        text = (FOLDER / name).read_text(encoding="utf-8")
        before, rest = text.split("## Schema\n", 1)
        following = re.search(r"^## ", rest, re.MULTILINE)
        after = f"\n{rest[following.start() :]}" if following else ""
        yield name, f"{before}{section(schema)}{after}"


def schemas() -> Iterator[tuple[str, Schema]]:
    """Yield the schema of each page."""
    provider = CertkitProvider()
    yield "index.md", provider.get_provider_schema(Diagnostics())
    for resource in provider.get_resources():
        yield f"resources/{resource.get_name()}.md", resource.get_schema()
    for source in provider.get_data_sources():
        yield f"data-sources/{source.get_name()}.md", source.get_schema()


def section(schema: Schema) -> str:
    """The section about a schema, in the registry's form."""
    parts = {
        "Required": [each for each in schema.attributes if each.required],
        "Optional": [each for each in schema.attributes if each.optional],
        "Read-Only": [each for each in schema.attributes if not each.required and not each.optional],
    }
    shown = (f"### {title}\n\n" + "".join(map(_line, found)) for title, found in parts.items() if found)
    return "## Schema\n\n" + "\n".join(shown)


def _line(attribute: Attribute) -> str:
    return f"- `{attribute.name}` ({_type(attribute.type)}) {attribute.description}\n"


def _type(kind: TfType) -> str:
    if isinstance(kind, List | Map):
        return f"{'List' if isinstance(kind, List) else 'Map'} of {_type(kind.element_type)}"
    return {Bool: "Boolean", Number: "Number"}.get(type(kind), "String")


if __name__ == "__main__":
    main()
