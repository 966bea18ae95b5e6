"""What a policy file may say, as a JSON Schema (2020-12) for editors and people."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from triage.schema import Policy

#: Minor units are integers inside; in a file they are digits in quotes.
_DIGITS: JsonSchemaValue = {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}


class _AsWritten(GenerateJsonSchema):
    """The form of the file, where it is another one than that of the value inside."""

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        written: Any = schema.get("serialization", {})
        is_text = written.get("return_schema", {}).get("type") == "str"
        is_number = schema["schema"]["type"] == "int"
        return dict(_DIGITS) if is_text and is_number else super().function_before_schema(schema)


def json_schema() -> dict[str, Any]:
    """The schema of a policy file, by `triage.schema.Policy`.

    It knows keys, types and limits. What concerns several keys (a remedy without a disposition, a
    currency that does not exist) only `parse_policy` finds.
    """
    found = Policy.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": GenerateJsonSchema.schema_dialect, **found}
