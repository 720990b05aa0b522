"""Scripts, styles and plotly.js, sent so that a browser keeps them: the address changes with the content."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.errors import NotFound
from app.security.policy import public

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent / "static"
KEPT = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
# plotly.js adds a style element unless an element of this id is there; our policy allows no inline style.
STYLE_ID = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')


@dataclass(frozen=True)
class Asset:
    content: bytes
    zipped: bytes
    media_type: str


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, gzip.compress(content, 6, mtime=0), TYPES[path.suffix])


@lru_cache(maxsize=1)
def own_assets() -> dict[str, Asset]:
    return {path.name: _asset(path) for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}


@lru_cache(maxsize=1)
def own_digest() -> str:
    """One digest of all our files: modules that import each other must be of one version."""
    parts = b"".join(name.encode() + asset.content for name, asset in own_assets().items())
    return hashlib.sha256(parts).hexdigest()[:16]


def asset_address(name: str) -> str:
    if name not in own_assets():
        raise LookupError(f"there is no static file {name}")
    return f"/static/{own_digest()}/{name}"


def plotly_path() -> Path:
    """plotly.min.js inside the wheel, found without importing the package (it takes a second and 40 MiB)."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise NotFound("The plotly package is not installed.")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


@lru_cache(maxsize=1)
def plotly_digest() -> str:
    with plotly_path().open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@lru_cache(maxsize=1)
def plotly_style_ids() -> tuple[str, ...]:
    return tuple(sorted({found.decode() for found in STYLE_ID.findall(plotly_path().read_bytes())}))


@lru_cache(maxsize=1)
def plotly_zipped() -> bytes:
    """Only the compressed form is kept in memory: 1.4 MB instead of 4.8."""
    return gzip.compress(plotly_path().read_bytes(), 6, mtime=0)


def plotly_address() -> str:
    return f"/static/plotly-{plotly_digest()}.js"


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "").lower()


def _answer(plain: bytes, zipped: bytes, media_type: str, request: Request) -> Response:
    headers = {"Cache-Control": KEPT, "Vary": "Accept-Encoding"}
    if not _takes_gzip(request):
        return Response(plain, headers=headers, media_type=media_type)
    return Response(zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type)


@router.get("/static/{digest}/{name}", dependencies=[public()])
def static_file(digest: str, name: str, request: Request) -> Response:
    asset = own_assets().get(name)
    if asset is None or digest != own_digest():
        raise NotFound("There is no such file; reload the page.")
    return _answer(asset.content, asset.zipped, asset.media_type, request)


@router.get("/static/plotly-{digest}.js", dependencies=[public()])
def plotly_script(digest: str, request: Request) -> Response:
    if digest != plotly_digest():
        raise NotFound("There is no such file; reload the page.")
    zipped = plotly_zipped()
    plain = b"" if _takes_gzip(request) else gzip.decompress(zipped)
    return _answer(plain, zipped, TYPES[".js"], request)
