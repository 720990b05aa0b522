"""The textbook endpoint, as tutorials have it: a pydantic list, ORM `add_all`, commit. The peer of bench.ingest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import DateTime, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Reading(Base):
    """The same key as ours, so that the same rows are told apart; no check of the sender, the values or doubles."""

    __tablename__ = "readings"

    machine: Mapped[str] = mapped_column(primary_key=True)
    measured_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    temperature_c: Mapped[float | None]
    vibration_mm_s: Mapped[float | None]
    current_a: Mapped[float | None]
    runtime_hours: Mapped[float | None]


class ReadingIn(BaseModel):
    machine: str
    measured_at: datetime
    temperature_c: float | None = None
    vibration_mm_s: float | None = None
    current_a: float | None = None
    runtime_hours: float | None = None


Base.metadata.create_all(engine)


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@app.post("/readings")
def post_readings(readings: list[ReadingIn], session: Annotated[Session, Depends(get_session)]) -> dict[str, int]:
    session.add_all([Reading(**reading.model_dump()) for reading in readings])
    session.commit()
    return {"accepted": len(readings)}
