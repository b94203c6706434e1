"""Timetables as iCalendar (RFC 5545), for the calendars of telephones and offices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from liveserver.store import Lesson
from liveserver.store.model.people import TrainingClass

MEDIA_TYPE = "text/calendar"
_PRODUCT = "-//liveserver//timetable//ZH"


@dataclass(frozen=True, slots=True)
class Entry:
    """One planned lesson. `minutes` is None where no length was planned."""

    lesson: str
    title: str
    start_ms: int
    minutes: int | None
    details: str
    url: str
    is_cancelled: bool = False


def event_of(lesson: Lesson, training_class: TrainingClass | None, base_url: str) -> Entry | None:
    """A lesson's entry; None for one without a planned start. What ended unbegun was cancelled."""
    if lesson.planned_start_ms is None:
        return None
    parts = (training_class.name if training_class else "", lesson.course)
    return Entry(
        lesson.id,
        lesson.title,
        lesson.planned_start_ms,
        None if lesson.planned_s is None else lesson.planned_s // 60,
        " · ".join(part for part in parts if part),
        f"{base_url}/learn/{lesson.id}",
        lesson.state == "ended" and lesson.started_at_ms is None,
    )


def to_ics(entries: Iterable[Entry], title: str, now_ms: int) -> bytes:
    """A calendar of them, in UTC; the same entries and moment give the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", title)
    for entry in entries:
        calendar.add_component(_event(entry, now_ms))
    made: bytes = calendar.to_ical()
    return made


def _event(entry: Entry, now_ms: int) -> Event:
    event = Event()
    event.add("uid", f"{entry.lesson}@liveserver")
    event.add("dtstamp", _moment(now_ms))
    event.add("dtstart", _moment(entry.start_ms))
    if entry.minutes is not None:
        event.add("duration", timedelta(minutes=entry.minutes))
    event.add("summary", entry.title)
    if entry.details:
        event.add("description", entry.details)
    event.add("url", entry.url)
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    return event


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)
