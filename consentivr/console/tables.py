"""A table as a page, as JSON and as CSV: the same address with another ending, the same filters."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

View = TypeVar("View", bound=Callable[..., Any])

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula when a cell begins with it."""


@dataclass(frozen=True)
class Table:
    """``columns`` by name; their titles are the words ``SCREEN.NAME``. Rows are plain values.

    ``following``: the filters that lead to the next page, if there is one.
    """

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    following: Mapping[str, str] | None = None


def table_at(blueprint: Blueprint, address: str) -> Callable[[View], View]:
    """Routes ADDRESS, ADDRESS.json and ADDRESS.csv to a view with the parameter ``form``: html, json or csv."""

    def route(view: View) -> View:
        blueprint.add_url_rule(address, view_func=view, defaults={"form": "html"})
        blueprint.add_url_rule(f"{address}.<any(json, csv):form>", view_func=view)
        return view

    return route


def answer(form: str, table: Table, template: str, **more: Any) -> Response | str:
    """The table in a form; as a page with ``template``, which gets it as ``table`` beside ``more``."""
    if form == "json":
        body = {"rows": [dict(row) for row in table.rows], "next": _address_of(table)}
        return Response(json.dumps(body, ensure_ascii=False, default=str), content_type="application/json")
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(table.columns)
        for row in table.rows:
            writer.writerow([_cell(row.get(name)) for name in table.columns])
        following = _address_of(table)
        link = {"Link": f"<{following}>; rel=next"} if following else {}
        return Response(text.getvalue(), headers=link, content_type="text/csv; charset=utf-8; header=present")
    return render_template(
        template, table=table, next_page=_address_of(table), as_json=_other("json"), as_csv=_other("csv"), **more
    )


def _address_of(table: Table) -> str | None:
    if table.following is None:
        return None
    return f"{request.path}?{urlencode({**request.args.to_dict(), **table.following})}"


def _other(form: str) -> str:
    query = request.query_string.decode("ascii", "replace")
    return f"{request.path}.{form}" + (f"?{query}" if query else "")


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
