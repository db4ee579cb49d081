"""Hourly records of the hospitals: emergency department, beds, and times of diversion."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from caregrid.simulate.flow import Flow
from caregrid.simulate.hours import Hours
from caregrid.simulate.randomness import stream
from caregrid.simulate.world import Facility

Record = dict[str, Any]
STAMP = "%Y-%m-%dT%H:%M:%S"


def emergency_records(seed: int, hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return one record per hospital and hour; hours of an outage are absent."""
    delay = stream(seed, "emergency delays").integers(2, 14, size=flow.arrivals.shape)
    records = []
    for step, start in enumerate(hours.starts):
        for index, place in enumerate(hospitals):
            if hours.outage[step, index]:
                continue
            records.append(
                {
                    "hospital_id": place.facility_id,
                    "hospital": place.name_en,
                    "hour": start.strftime("%Y-%m-%d %H:%M"),
                    "sent_at": _sent(start, delay[step, index]),
                    "stretchers": place.beds["stretchers"],
                    "stretchers_staffed": _number(flow.stretchers_staffed, step, index),
                    "stretchers_occupied": _number(flow.stretchers_occupied, step, index),
                    "present": _number(flow.present, step, index),
                    "waiting_to_be_seen": _number(flow.waiting, step, index),
                    "waiting_for_a_bed": _number(flow.boarding, step, index),
                    "arrivals": _number(flow.arrivals, step, index),
                    "ambulance_arrivals": _number(flow.ambulances, step, index),
                    "ambulances_waiting": _number(flow.ambulances_waiting, step, index),
                    "diverting": "Y" if flow.diversion[step, index] else "N",
                    "open": "Y",
                }
            )
    return records


def bed_records(seed: int, hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return one nested record per hospital and hour; hours of an outage are absent."""
    delay = stream(seed, "bed delays").integers(1, 9, size=flow.arrivals.shape)
    records = []
    for step, start in enumerate(hours.starts):
        for index, place in enumerate(hospitals):
            if hours.outage[step, index]:
                continue
            record: Record = {
                "hospital": place.facility_id,
                "at": start.strftime(STAMP),
                "sent_at": _sent(start, delay[step, index]),
            }
            for kind in ("general", "icu"):
                staffed = _number(getattr(flow, f"{kind}_staffed"), step, index)
                occupied = _number(getattr(flow, f"{kind}_occupied"), step, index)
                cleaning = _number(getattr(flow, f"{kind}_cleaning"), step, index)
                record[kind] = {
                    "beds": place.beds[kind],
                    "staffed": staffed,
                    "occupied": occupied,
                    "being_cleaned": cleaning,
                    "free": max(0, staffed - occupied - cleaning),
                }
            record["icu"]["reserve"] = _number(flow.icu_reserve, step, index)
            records.append(record)
    return records


def diversion_records(hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return one record per unbroken time of diversion, with its reason and the hour it expires."""
    records = []
    for index, place in enumerate(hospitals):
        diverting = np.concatenate([[0], flow.diversion[:, index], [0]])
        edges = np.flatnonzero(np.diff(diverting))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            start = hours.starts[int(begin)]
            short_of_beds = flow.boarding[begin, index] > flow.waiting[begin, index]
            records.append(
                {
                    "hospital": place.facility_id,
                    "started_at": start.strftime(STAMP),
                    "expires_at": (start + timedelta(hours=int(end - begin))).strftime(STAMP),
                    "reason": "no_ward_beds" if short_of_beds else "department_full",
                    "sent_at": (start + timedelta(minutes=5)).strftime(STAMP),
                }
            )
    return sorted(records, key=lambda record: (record["started_at"], record["hospital"]))


def _number(values: np.ndarray, step: int, index: int) -> int:
    return int(values[step, index])


def _sent(start: datetime, minutes: Any) -> str:
    """Return when the record of an hour was sent: some minutes after the hour ended."""
    return (start + timedelta(hours=1, minutes=int(minutes))).strftime(STAMP)
