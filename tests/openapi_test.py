"""Reads docs/formats/openapi.yaml and finds every resource described, and nothing in it dangling."""

import pathlib
import re
import sys

FILE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "formats" / "openapi.yaml"

RESOURCES = {
    ("get", "/checkpoint"),
    ("get", "/tile/{level}/{index}"),
    ("get", "/tile/entries/{index}"),
    ("get", "/v1/project"),
    ("get", "/v1/leaderboard"),
    ("get", "/v1/log"),
    ("get", "/v1/blobs/{digest}"),
    ("get", "/v1/gradients/{digest}"),
    ("get", "/v1/shards/{digest}"),
    ("get", "/v1/snapshots/{digest}"),
    ("get", "/v1/events"),
    ("post", "/v1/leases"),
    ("post", "/v1/leases/return"),
    ("post", "/v1/statements"),
    ("post", "/v1/entries"),
    ("get", "/v1/uploads/{seal}"),
    ("put", "/v1/uploads/{seal}"),
    ("get", "/v1/states/{digest}"),
    ("put", "/v1/states/{digest}"),
}


def resources_by_line(text):
    """(method, path) of each operation, from the indentation alone."""
    found, path = set(), None
    for line in text.splitlines():
        if match := re.fullmatch(r"  (/\S*):", line):
            path = match[1]
        elif match := re.fullmatch(r"    (get|put|post|delete|head|patch):", line):
            found.add((match[1], path))
    return found


def resolve(document, reference):
    node = document
    for key in reference[2:].split("/"):
        node = node[key]
    return node


def check_references(document, node):
    if isinstance(node, dict):
        if "$ref" in node:
            resolve(document, node["$ref"])
        for value in node.values():
            check_references(document, value)
    elif isinstance(node, list):
        for value in node:
            check_references(document, value)


def followed(document, node):
    return resolve(document, node["$ref"]) if "$ref" in node else node


def check_operation(document, method, path, operation):
    where = f"{method} {path}"
    assert operation["summary"] and operation["operationId"], f"{where}: summary or operationId missing"
    parameters = [followed(document, parameter) for parameter in operation.get("parameters", [])]
    declared = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    assert declared == set(re.findall(r"{(\w+)}", path)), f"{where}: its path has other parameters than are declared"
    assert all(parameter.get("required") for parameter in parameters if parameter["in"] == "path"), where
    responses = operation["responses"]
    assert "default" in responses and any(code.startswith("2") for code in responses), f"{where}: responses missing"
    for code, response in responses.items():
        response = followed(document, response)
        assert response["description"], f"{where}: {code} is not described"
        if not code.startswith("2") and method != "head":
            schema = response["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}, f"{where}: {code} is no Error"
    if "requestBody" in operation:
        body = followed(document, operation["requestBody"])
        assert "required" in body and list(body["content"]) == ["application/octet-stream"], f"{where}: body"


def check_document(document):
    assert document["openapi"].startswith("3.0."), "another version of OpenAPI"
    check_references(document, document)
    operations = [
        (method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    for method, path, operation in operations:
        check_operation(document, method, path, operation)
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names)), "an operationId occurs twice"
    for name in document["components"]:
        for part in document["components"][name]:
            reference = f"#/components/{name}/{part}"
            assert reference in FILE.read_text(encoding="utf-8"), f"{reference}: nothing uses it"
    return {(method, path) for method, path, _ in operations}


def main():
    text = FILE.read_text(encoding="utf-8")
    by_line = resources_by_line(text)
    assert by_line == RESOURCES, f"described and expected differ in {sorted(by_line ^ RESOURCES)}"
    try:
        import yaml
    except ImportError:
        print("openapi: no PyYAML: read by line only")
        return
    assert check_document(yaml.safe_load(text)) == RESOURCES
    print(f"openapi: {len(RESOURCES)} resources, every reference resolves")


if __name__ == "__main__":
    sys.exit(main())
