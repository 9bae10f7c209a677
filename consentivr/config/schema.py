"""The JSON schema of the configuration, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from consentivr.config.model import Configuration
from consentivr.config.values import written


class _AsWritten(GenerateJsonSchema):
    """A text needs no quotes: what an editor takes for a number or a truth is right as well."""

    def str_schema(self, schema: core_schema.StringSchema) -> dict[str, Any]:
        return super().str_schema(schema) | {"type": ["string", "number", "boolean"]}

    def encode_default(self, dft: Any) -> Any:
        return written(dft)


def schema() -> dict[str, Any]:
    """Of the whole configuration."""
    return Configuration.model_json_schema(schema_generator=_AsWritten)
