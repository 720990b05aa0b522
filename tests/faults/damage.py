"""What can be wrong with a stored model: a flipped bit anywhere, and parts that an insider signs."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import marshal
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np
import skops.io
from sklearn.linear_model import LinearRegression

from ml.manifest import signature

Parts = Mapping[str, bytes]
UNPACKED_BYTES = 600 << 20
FILES = 60_000


def flipped_bit(content: bytes, chance: random.Random) -> bytes:
    place, bit = chance.randrange(len(content)), 1 << chance.randrange(8)
    return content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]


def flipped_leaf(manifest: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The manifest with one bit of one value, however deep, another; it may only be what JSON can hold."""
    changed = copy.deepcopy(manifest)
    holder, key = chance.choice(list(_leaves(changed)))
    holder[key] = _flipped(holder[key], chance)
    return changed


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, child in pairs:
        if isinstance(child, dict | list):
            yield from _leaves(child)
        else:
            yield value, key


def _flipped(leaf: Any, chance: random.Random) -> Any:
    if leaf is None or isinstance(leaf, bool):
        return not leaf
    if isinstance(leaf, int):
        return leaf ^ 1 << chance.randrange(16)
    if isinstance(leaf, float):
        # A bit of the fraction: any other may make a number that JSON has no word for.
        (bits,) = struct.unpack("<Q", struct.pack("<d", leaf))
        return struct.unpack("<d", struct.pack("<Q", bits ^ 1 << chance.randrange(52)))[0]
    letters = list(leaf or "a")
    place = chance.randrange(len(letters))
    letters[place] = chr(ord(letters[place]) ^ 1 << chance.randrange(4))
    return "".join(letters).replace("\x00", "a")


def signed_anew(manifest: Mapping[str, Any], parts: Parts, key: bytes) -> dict[str, Any]:
    """As its owner would sign it."""
    said = dict(manifest) | {"parts": {name: hashlib.sha256(each).hexdigest() for name, each in parts.items()}}
    return said | {"signature": signature(said, key)}


class Runs:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self.mark, "w")


class Signed(NamedTuple):
    """A part that an insider puts in the place of every one with this ending."""

    what: str
    ending: str
    make: Callable[[bytes, str], bytes]


def insiders_parts() -> list[Signed]:
    return [
        *(Signed("a pickle", ending, _pickle) for ending in (".skops", ".npz", ".keras", ".json")),
        *(Signed("a zip bomb", ending, _bomb) for ending in (".skops", ".npz", ".keras")),
        *(Signed("a directory of many files", ending, _many_files) for ending in (".skops", ".npz", ".keras")),
        Signed("an array of objects", ".npz", _object_array),
        Signed("an array that says it is huge", ".npz", _huge_array),
        Signed("a foreign type", ".skops", lambda part, mark: skops.io.dumps([io.StringIO])),
        Signed("another estimator", ".skops", lambda part, mark: skops.io.dumps([LinearRegression()])),
        Signed("a Lambda layer", ".keras", _layer("Lambda", lambda mark: {"function": _lambda(mark)})),
        Signed("a layer that reads a file", ".keras", _layer("StringLookup", lambda _: {"vocabulary": __file__})),
        Signed("a layer as wide as memory", ".keras", _wide),
        Signed("weights that say they are huge", ".keras", _weights(shape=(40_000, 40_000), chunks=True)),
        Signed("weights from another file", ".keras", _weights(shape=(64,), external=[(__file__, 0, 256)])),
        Signed("JSON nested too deeply", ".json", lambda part, mark: b"[" * 1_000_000),
        Signed("JSON of something else", ".json", lambda part, mark: b"[]"),
    ]


def _pickle(part: bytes, mark: str) -> bytes:
    return pickle.dumps(Runs(mark))


def _object_array(part: bytes, mark: str) -> bytes:
    content = io.BytesIO()
    with np.load(io.BytesIO(part)) as arrays:
        np.savez(content, **{name: np.array([Runs(mark)], dtype=object) for name in arrays})
    return content.getvalue()


def _huge_array(part: bytes, mark: str) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with np.load(io.BytesIO(part)) as arrays:
        return _zipped({f"{name}.npy": header.getvalue() for name in arrays})


def _bomb(part: bytes, mark: str) -> bytes:
    """The same files, the first of them followed by zeros."""
    content, zeros = io.BytesIO(), bytes(1 << 20)
    files = _files(part)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, each) in enumerate(files.items()):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(each)
                for _ in range(0 if number else UNPACKED_BYTES // len(zeros)):
                    file.write(zeros)
    return content.getvalue()


def _many_files(part: bytes, mark: str) -> bytes:
    return _zipped(_files(part) | {f"more-{number}": b"" for number in range(FILES)})


def _layer(name: str, settings: Callable[[str], dict[str, Any]]) -> Callable[[bytes, str], bytes]:
    """The network with this layer in the place of a dropout."""

    def make(part: bytes, mark: str) -> bytes:
        return _with_layers(part, "Dropout", name, settings(mark), replaces=True)

    return make


def _wide(part: bytes, mark: str) -> bytes:
    return _with_layers(part, "LSTM", "LSTM", {"units": 60_000}, replaces=False)


def _with_layers(part: bytes, old: str, new: str, settings: dict[str, Any], *, replaces: bool) -> bytes:
    files = _files(part)
    described = json.loads(files["config.json"])
    for layer in described["config"]["layers"]:
        if layer["class_name"] == old:
            kept = {"name": layer["config"]["name"]} if replaces else layer["config"]
            layer |= {"class_name": new, "config": kept | settings}
    return _zipped(files | {"config.json": json.dumps(described).encode()})


def _lambda(mark: str) -> dict[str, Any]:
    code = compile(f"lambda x: open({mark!r}, 'w')", "", "eval").co_consts[0]
    packed = base64.encodebytes(marshal.dumps(code)).decode()
    return {"class_name": "__lambda__", "config": {"code": packed, "defaults": None, "closure": None}}


def _weights(**dataset: Any) -> Callable[[bytes, str], bytes]:
    """The network with this in the place of its first weights."""

    def make(part: bytes, mark: str) -> bytes:
        files, content = _files(part), io.BytesIO()
        content.write(files["model.weights.h5"])
        with h5py.File(content, "a") as weights:
            found: list[str] = []
            weights.visititems(lambda name, each: found.append(name) if isinstance(each, h5py.Dataset) else None)
            del weights[found[0]]
            weights.create_dataset(found[0], dtype="f4", **dataset)
        return _zipped(files | {"model.weights.h5": content.getvalue()})

    return make


def _files(part: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(part)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()
