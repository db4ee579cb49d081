"""Patients through the network, hour by hour: arrivals, waiting, beds, cleaning, discharge, diversion."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from caregrid.simulate.hours import Hours
from caregrid.simulate.randomness import stream
from caregrid.simulate.world import Facility

_SEEN_PER_HOUR_PER_STRETCHER = 0.5
_ADMITTED_SHARE = 0.20
_ICU_SHARE = 0.065
_BED_STAY_HOURS = 108.0
_ICU_STAY_HOURS = 84.0
_CLEANED_PER_HOUR = 0.55  # share of the beds being cleaned that is ready an hour later
_DIVERT_ABOVE = 1.9  # patients present per stretcher
_DIVERT_UNTIL = 1.4


@dataclass
class Flow:
    """State at the start of each hour and counts within it. Every array has shape (hours, hospitals)."""

    arrivals: np.ndarray
    ambulances: np.ndarray
    present: np.ndarray
    waiting: np.ndarray
    boarding: np.ndarray
    stretchers_occupied: np.ndarray
    stretchers_staffed: np.ndarray
    ambulances_waiting: np.ndarray
    admissions: np.ndarray
    discharges: np.ndarray
    general_staffed: np.ndarray
    general_occupied: np.ndarray
    general_cleaning: np.ndarray
    icu_staffed: np.ndarray
    icu_occupied: np.ndarray
    icu_cleaning: np.ndarray
    icu_reserve: np.ndarray
    ready: np.ndarray
    diversion: np.ndarray
    nurses_needed: np.ndarray
    nurses_on_duty: np.ndarray
    doctors_needed: np.ndarray
    doctors_on_duty: np.ndarray


def run_flow(seed: int, hospitals: list[Facility], hours: Hours) -> Flow:
    """Simulate the hospitals of the network; clinics have no part in it."""
    rng = stream(seed, "flow")
    length, count = len(hours.starts), len(hospitals)
    flow = Flow(**{item.name: np.zeros((length, count), dtype=np.int64) for item in fields(Flow)})
    beds = {
        kind: np.array([place.beds[kind] for place in hospitals]) for kind in ("general", "icu", "stretchers")
    }
    mean = np.array([place.arrivals_per_day for place in hospitals]) / 24.0
    present = np.round(beds["stretchers"] * 0.7).astype(np.int64)
    boarding = np.round(present * 0.15).astype(np.int64)
    general = np.round(beds["general"] * 0.86).astype(np.int64)
    icu = np.round(beds["icu"] * 0.72).astype(np.int64)
    cleaning = np.zeros(count, dtype=np.int64)
    icu_cleaning = np.zeros(count, dtype=np.int64)
    ready = np.round(beds["general"] * 0.06).astype(np.int64)
    diverting = np.zeros(count, dtype=bool)
    for step in range(length):
        hour, weekend = int(hours.hour[step]), bool(hours.weekday[step] >= 5 or hours.holiday[step])
        staffing = (
            (0.93 if weekend else 0.97) - 0.05 * hours.epidemic[step] - np.where(hours.outage[step], 0.3, 0.0)
        )
        staffed = np.round(beds["general"] * staffing).astype(np.int64)
        icu_staffed = np.round(beds["icu"] * staffing).astype(np.int64)
        stretchers = np.round(beds["stretchers"] * staffing * (0.8 if hour < 7 else 1.0)).astype(np.int64)
        diverting = np.where(
            diverting, present > _DIVERT_UNTIL * stretchers, present > _DIVERT_ABOVE * stretchers
        )

        flow.present[step], flow.boarding[step] = present, boarding
        flow.waiting[step] = np.maximum(0, present - boarding - np.round(stretchers * 0.8).astype(np.int64))
        flow.stretchers_staffed[step] = stretchers
        flow.stretchers_occupied[step] = np.minimum(present, np.round(stretchers * 1.3).astype(np.int64))
        flow.ambulances_waiting[step] = np.maximum(0, np.round((present - stretchers) * 0.12)).astype(
            np.int64
        )
        flow.general_staffed[step], flow.general_occupied[step], flow.general_cleaning[step] = (
            staffed,
            general,
            cleaning,
        )
        flow.icu_staffed[step], flow.icu_occupied[step], flow.icu_cleaning[step] = (
            icu_staffed,
            icu,
            icu_cleaning,
        )
        flow.icu_reserve[step] = np.maximum(0, beds["icu"] - icu_staffed) + 2
        flow.ready[step], flow.diversion[step] = ready, diverting

        arrivals = rng.poisson(mean * hours.demand[step] * np.where(diverting, 0.8, 1.0))
        flow.arrivals[step] = arrivals
        flow.ambulances[step] = rng.binomial(arrivals, 0.27)
        seen = np.minimum(
            present - boarding, rng.poisson(_SEEN_PER_HOUR_PER_STRETCHER * np.maximum(stretchers, 1))
        )
        to_ward = rng.binomial(seen, np.minimum(0.9, _ADMITTED_SHARE * (1 + 0.4 * hours.epidemic[step])))
        # Planned admissions are put off where beds run out, and patients leave sooner.
        full = general / np.maximum(1, staffed)
        electives = rng.poisson(
            beds["general"] * 0.011 * hours.elective[step] * np.where(full > 0.95, 0.35, 1.0)
        )

        discharge_hour = 2.6 if 10 <= hour <= 16 else 0.35
        leaving = rng.binomial(
            general,
            np.minimum(
                0.5,
                discharge_hour
                * (0.75 if weekend else 1.08)
                * np.where(full > 0.95, 1.3, 1.0)
                / _BED_STAY_HOURS,
            ),
        )
        became_ready = rng.binomial(np.maximum(0, general - ready), 0.0011 if weekend else 0.0007)
        ready = np.minimum(
            np.maximum(0, ready + became_ready - rng.binomial(ready, 0.008 * discharge_hour)), general
        )
        icu_leaving = rng.binomial(icu, 1.0 / _ICU_STAY_HOURS)

        boarding = boarding + to_ward
        room = np.maximum(0, np.round(staffed * 1.02).astype(np.int64) - general - cleaning)
        placed = np.minimum(boarding, room)
        electives = np.minimum(electives, np.maximum(0, room - placed))
        icu_placed = np.minimum(
            rng.binomial(placed, _ICU_SHARE), np.maximum(0, icu_staffed - icu - icu_cleaning)
        )
        flow.admissions[step], flow.discharges[step] = placed + electives, leaving
        general = general + placed - icu_placed + electives - leaving + icu_leaving
        icu = icu + icu_placed - icu_leaving
        ready = np.minimum(ready, general)
        cleaning = cleaning - rng.binomial(cleaning, _CLEANED_PER_HOUR) + leaving
        icu_cleaning = icu_cleaning - rng.binomial(icu_cleaning, _CLEANED_PER_HOUR) + icu_leaving
        present = np.maximum(0, present + arrivals - (seen - to_ward) - placed)
        boarding = np.minimum(boarding - placed, present)

        night = 0.8 if hour < 7 or hour >= 22 else 1.0
        flow.nurses_needed[step] = np.ceil(night * (general / 8 + icu / 1.3 + present / 5)).astype(np.int64)
        flow.doctors_needed[step] = np.ceil(night * (general / 22 + icu / 6 + present / 9)).astype(np.int64)
        flow.nurses_on_duty[step] = np.round(
            night * staffing * (beds["general"] / 8 + beds["icu"] / 1.5 + beds["stretchers"] / 5)
        ).astype(np.int64)
        flow.doctors_on_duty[step] = np.round(
            night * staffing * (beds["general"] / 22 + beds["icu"] / 6 + beds["stretchers"] / 9)
        ).astype(np.int64)
    return flow
