"""Which model speaks: the one named, the champion, or a clear word that there is none."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import BadInput, NotFound
from app.risk.tables import Model
from app.settings import Settings
from ml.artefacts import Saved, artefact_key, load_model


def there_is_a_model(session: Session) -> bool:
    return session.scalar(select(Model.id).limit(1)) is not None


def load_speaking(session: Session, settings: Settings, model_id: int | None, known: Saved | None = None) -> Saved:
    """The model `model_id`, else the champion, else the newest of the kind that would be promoted first.

    Raises NotFound without any model, BadInput where the model was made for another bucket width.
    """
    if model_id is None:
        by_standing = (Model.status == "champion").desc(), (Model.kind == "ensemble").desc(), Model.id.desc()
        model_id = session.scalar(select(Model.id).where(Model.pruned_at.is_(None)).order_by(*by_standing).limit(1))
    if model_id is None:
        raise NotFound("There is no model yet; run `wearwatch train`.")
    saved = load_model(session, model_id, key=artefact_key(settings.data_dir), known=known)
    if saved.bucket_seconds != settings.bucket_seconds:
        raise BadInput(
            f"Model {model_id} was trained on buckets of {saved.bucket_seconds} s, but WEARWATCH_BUCKET is"
            f" {settings.bucket_seconds} s. Train again, or set it back."
        )
    return saved
