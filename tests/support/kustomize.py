"""What `kubectl kustomize` makes of the folders in deploy/kubernetes, for machines without it.

It knows what those folders use, and raises ValueError at anything else, so that nothing is left out in silence.
tests/unit/test_deploy_kubernetes.py holds it to the real one where that is installed.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
Manifests = dict[tuple[str, str], Manifest]
"""By (kind, name)."""

KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "replicas", "patches"}
MERGED_BY = {
    "containers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists whose entries a strategic merge takes one by one, and the key that tells them apart; others are replaced."""
CLUSTER_WIDE = {"Namespace"}


def render(folder: Path) -> Manifests:
    """Every object that `kubectl apply -k FOLDER` applies."""
    return _apply(folder, {})


def _apply(folder: Path, found: Manifests) -> Manifests:
    """What the kustomization or component of a folder makes of the objects found so far."""
    told = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    if unknown := told.keys() - KNOWN:
        raise ValueError(f"{folder}: {sorted(unknown)} is more than this module knows of kustomize")
    for name in told.get("resources", []):
        path = (folder / name).resolve()
        if path.is_dir() and path in (folder.resolve(), *folder.resolve().parents):
            raise ValueError(f"{folder}: {name} is a folder that it is in, which kustomize refuses")
        new = render(path) if path.is_dir() else _read(path)
        if twice := new.keys() & found.keys():
            raise ValueError(f"{folder}: {sorted(twice)} is there already")
        found = found | new
    for name in told.get("components", []):
        found = _apply((folder / name).resolve(), found)
    for patch in told.get("patches", []):
        _patch(folder, patch, found)
    for kind, manifest in ((kind, manifest) for (kind, _), manifest in found.items()):
        if "namespace" in told and kind not in CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = told["namespace"]
        for image in told.get("images", []):
            for container in manifest.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
                if container["image"].split(":")[0] == image["name"]:
                    container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"
    for count in told.get("replicas", []):
        found["Deployment", count["name"]]["spec"]["replicas"] = count["count"]
    return found


def _read(path: Path) -> Manifests:
    found: Manifests = {}
    for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        key = manifest["kind"], manifest["metadata"]["name"]
        if key in found:
            raise ValueError(f"{path}: {key} twice")
        found[key] = json.loads(json.dumps(manifest))  # what an anchor names would be one object in several places
    return found


def _patch(folder: Path, patch: Manifest, found: Manifests) -> None:
    text = patch["patch"] if "patch" in patch else (folder / patch["path"]).read_text(encoding="utf-8")
    for document in yaml.safe_load_all(text):
        if "target" in patch:
            keys = [key for key, manifest in found.items() if _is_target(patch["target"], key, manifest)]
        else:
            keys = [(document["kind"], document["metadata"]["name"])]
        if not keys or any(key not in found for key in keys):
            raise ValueError(f"{folder}: there is nothing that this patch is for: {patch}")
        for key in keys:
            if isinstance(document, list):
                for operation in copy.deepcopy(document):
                    _operate(found[key], operation)
            else:
                document["metadata"] = {**document["metadata"], "name": key[1]}
                found[key] = _merge(found[key], document)


def _is_target(target: Manifest, key: tuple[str, str], manifest: Manifest) -> bool:
    if unknown := target.keys() - {"kind", "name", "labelSelector"}:
        raise ValueError(f"a target by {sorted(unknown)}")
    wanted = dict(pair.split("=") for pair in target.get("labelSelector", "").split(",") if pair)
    labels = manifest["metadata"].get("labels", {})
    named = re.fullmatch(target.get("name", ".*"), key[1]) is not None
    return key[0] == target["kind"] and named and wanted.items() <= labels.items()


def _operate(manifest: Manifest, operation: Manifest) -> None:
    """An operation of JSON Patch (RFC 6902)."""
    *steps, last = operation["path"].strip("/").split("/")
    place: Any = manifest
    for step in steps:
        place = place[int(step) if isinstance(place, list) else step]
    if operation["op"] in ("remove", "replace") and last not in place:
        raise ValueError(f"{operation['path']} is not there in {manifest['metadata']['name']}")
    if operation["op"] == "remove":
        del place[last]
    elif operation["op"] in ("add", "replace"):
        place[last] = operation["value"]
    else:
        raise ValueError(f"no operation known here: {operation['op']}")


def _merge(old: Any, new: Any, name: str = "") -> Any:
    """A strategic merge."""
    if isinstance(old, dict) and isinstance(new, dict):
        merged = dict(old)
        for key, value in new.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = _merge(old[key], value, key) if key in old else copy.deepcopy(value)
        return merged
    if isinstance(old, list) and isinstance(new, list) and name in MERGED_BY and all(MERGED_BY[name] in e for e in old):
        by = MERGED_BY[name]
        entries = {entry[by]: entry for entry in old}
        for entry in new:
            entries[entry[by]] = _merge(entries[entry[by]], entry) if entry[by] in entries else copy.deepcopy(entry)
        return list(entries.values())
    return copy.deepcopy(new)
