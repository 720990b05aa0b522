"""What a signed manifest must say before a model's parts are read; ml.artefacts keeps both in the database.

The signature is HMAC-SHA256 over the canonical JSON of the manifest, with a key that lies beside the data and never
in the database: who can write to the database alone cannot slip in a model.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from app.errors import Conflict
from ml.models.registry import KEPT

# 5: forests ask for levels, not for values.
FORMAT = 5
# A saved forest or network is only promised to load in the version that saved it.
LIBRARIES_WITHOUT_NETWORK = ("numpy", "scikit-learn", "skops")
LIBRARIES = (*LIBRARIES_WITHOUT_NETWORK, "keras", "tensorflow-cpu", "tensorflow")


class Untrusted(Conflict):
    """The artefact is not the one that was signed here; nothing of it was read."""

    title = "Model artefact refused"


class Outdated(Conflict):
    """The artefact is genuine, but another version of a library made it."""

    title = "Model artefact of another version"


def signature(manifest: Mapping[str, Any], key: bytes) -> str:
    unsigned = {name: value for name, value in manifest.items() if name != "signature"}
    canonical = json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


def check_signed(manifest: Mapping[str, Any], parts: Mapping[str, bytes], key: bytes, name: str) -> None:
    """Signature first, then every part's hash; raises Untrusted with what does not fit."""
    check_signature(manifest, key, name)
    hashes: Mapping[str, str] = manifest["parts"]
    if set(hashes) != set(parts):
        raise Untrusted(f"{name} has other parts than its manifest names. Train again.")
    for part, content in parts.items():
        if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), hashes[part]):
            raise Untrusted(f"{name}: the part {part!r} was changed after it was signed. Train again.")


def check_signature(manifest: Mapping[str, Any], key: bytes, name: str) -> None:
    """Raises Untrusted."""
    given = manifest.get("signature")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), signature(manifest, key).encode()):
        raise Untrusted(f"{name} was not signed by this plant, or its manifest was changed. Train again.")


def check_versions(manifest: Mapping[str, Any], name: str) -> None:
    """Raises Outdated where this version of Wearwatch or of a library cannot read it."""
    if manifest.get("format") != FORMAT or manifest.get("kind") not in KEPT:
        raise Outdated(f"{name} was written by another version of Wearwatch. Train again.")
    here, then = library_versions(), manifest["libraries"]
    network = any(part.endswith(".keras") for part in manifest["parts"])
    for library in LIBRARIES if network else LIBRARIES_WITHOUT_NETWORK:
        if _release(here.get(library)) != _release(then.get(library)):
            raise Outdated(
                f"{name} was saved with {library} {then.get(library)}; {here.get(library)} is installed. Train"
                " again, or go back to that version."
            )


def _release(installed: str | None) -> str | None:
    """`1.9.2` -> `1.9`: patches keep what they read."""
    return installed and ".".join(installed.split(".")[:2])


def library_versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
