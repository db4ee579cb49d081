"""Records by day and shift: activity, staff, supplies, free places downstream, clinic visits."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from caregrid.simulate.flow import Flow
from caregrid.simulate.hourly import STAMP, Record
from caregrid.simulate.hours import Hours
from caregrid.simulate.randomness import stream
from caregrid.simulate.world import NETWORKS, Facility

BARRIERS = ("awaiting_social_care", "awaiting_care_home", "awaiting_transport", "awaiting_medicines")
_BARRIER_SHARES = [0.42, 0.31, 0.12, 0.15]
SHIFTS = (("day", 7, 15), ("evening", 15, 23), ("night", 23, 31))
# item: on hand after a delivery, used per occupied bed and hour, days between deliveries
_SUPPLIES = {
    "oxygen": (9000.0, 0.22, 7),
    "blood": (120.0, 0.008, 2),
    "protective_equipment": (26000.0, 0.62, 7),
}
DOWNSTREAM = {"long_term": 22, "community": 14, "mental_health": 9}


def activity_records(seed: int, hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return one nested record per hospital and day: movements, theatre, imaging, delayed discharges."""
    rng = stream(seed, "activity")
    records = []
    for day, first in _days(hours):
        working = bool(hours.weekday[first] < 5 and not hours.holiday[first])
        for index, place in enumerate(hospitals):
            span = slice(first, first + 24)
            planned = int(rng.poisson(place.theatres * (6.5 if working else 0.6)))
            cancelled = int(rng.binomial(planned, 0.03 + 0.10 * float(hours.epidemic[first])))
            scans = int(rng.poisson(place.scanners * (46 if working else 19)))
            ready = int(flow.ready[first + 9, index])
            barriers = rng.multinomial(ready, _BARRIER_SHARES)
            records.append(
                {
                    "hospital": place.facility_id,
                    "date": day.isoformat(),
                    "sent_at": _after(day, 1, 6, int(rng.integers(0, 50))),
                    "admissions": int(flow.admissions[span, index].sum()),
                    "discharges": int(flow.discharges[span, index].sum()),
                    "theatre": {
                        "planned": planned,
                        "cancelled": cancelled,
                        "done": planned - cancelled,
                        "minutes": int((planned - cancelled) * rng.uniform(80, 115)),
                    },
                    "imaging": {
                        "scans": scans,
                        "patients": round(scans * 0.83),
                        "minutes": int(scans * 17),
                    },
                    "medically_ready": dict(zip(BARRIERS, (int(count) for count in barriers), strict=True)),
                }
            )
    return records


def staff_records(hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return one record per hospital, day, shift and staff group; times are local wall-clock."""
    records = []
    for day, first in _days(hours):
        for shift, begin, end in SHIFTS:
            middle = min(first + (begin + end) // 2, len(hours.starts) - 1)
            for index, place in enumerate(hospitals):
                for group, stem in (("nursing", "nurses"), ("medical", "doctors")):
                    records.append(
                        {
                            "hospital": place.facility_id,
                            "shift_start": _moment(day, begin),
                            "shift_end": _moment(day, end),
                            "shift": shift,
                            "staff_group": group,
                            "on_duty": int(getattr(flow, f"{stem}_on_duty")[middle, index]),
                            "needed": int(getattr(flow, f"{stem}_needed")[middle, index]),
                            "sent_at": _moment(day, end),
                        }
                    )
    return records


def supply_records(seed: int, hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return one record per hospital, day and item: the store at eight and how long it lasts at this rate."""
    rng = stream(seed, "supplies")
    records = []
    for index, place in enumerate(hospitals):
        for item, (full, used, every) in _SUPPLIES.items():
            store = full * place.beds["general"] / 200.0 * float(rng.uniform(0.6, 1.0))
            due = int(rng.integers(0, every))
            for number, (day, first) in enumerate(_days(hours)):
                patients = flow.general_occupied[first + 8, index] + 3 * flow.icu_occupied[first + 8, index]
                rate = max(0.01, float(patients) * used * (1 + 0.5 * float(hours.epidemic[first])))
                late = rng.random() < 0.12
                if number % every == due and not late:
                    store = full * place.beds["general"] / 200.0
                records.append(
                    {
                        "hospital": place.facility_id,
                        "item": item,
                        "at": _moment(day, 8),
                        "on_hand": int(store),
                        "hours_left": round(store / rate, 1),
                        "sent_at": _moment(day, 9),
                    }
                )
                store = max(0.0, store - 24 * rate)
    return sorted(records, key=lambda record: (record["at"], record["hospital"], record["item"]))


def downstream_records(seed: int, hours: Hours) -> list[Record]:
    """Return free places in long-term, community and mental-health care by region and day."""
    rng = stream(seed, "downstream")
    records = []
    for day, first in _days(hours):
        for region, name_en, name_zh, *_ in NETWORKS:
            for kind, mean in DOWNSTREAM.items():
                free = int(rng.poisson(mean * (1 - 0.5 * float(hours.epidemic[first]))))
                records.append(
                    {
                        "region": region,
                        "region_name": f"{name_en} {name_zh}",
                        "kind": kind,
                        "date": day.isoformat(),
                        "free": free,
                        "sent_at": _after(day, 1, 7, 30),
                    }
                )
    return records


def blood_records(seed: int, hours: Hours) -> list[Record]:
    """Return units of blood in the regional banks by group and day."""
    rng = stream(seed, "blood bank")
    records = []
    for day, first in _days(hours):
        for region, name_en, name_zh, *_ in NETWORKS:
            for group, usual in (("blood_o", 260), ("blood_a", 190), ("blood_b", 160), ("blood_ab", 45)):
                units = int(rng.poisson(usual * (1 - 0.2 * float(hours.epidemic[first]))))
                records.append(
                    {
                        "region": region,
                        "region_name": f"{name_en} {name_zh}",
                        "item": group,
                        "day": day.isoformat(),
                        "units": units,
                        "hours_left": round(24.0 * units / (usual * 0.17), 1),
                        "sent_at": _after(day, 0, 21, int(rng.integers(0, 50))),
                    }
                )
    return records


def clinic_records(seed: int, clinics: list[Facility], hours: Hours) -> list[Record]:
    """Return visits, patients and minutes per clinic and day; closed days are absent."""
    rng = stream(seed, "clinics")
    records = []
    for day, first in _days(hours):
        for place in clinics:
            share = (
                0.0
                if hours.holiday[first]
                else [1.1, 1.05, 1.0, 1.0, 1.0, 0.5, 0.0][int(hours.weekday[first])]
            )
            if share == 0.0:
                continue
            visits = int(
                rng.poisson(place.arrivals_per_day * share * (1 + 0.3 * float(hours.epidemic[first])))
            )
            records.append(
                {
                    "clinic_id": place.facility_id,
                    "clinic": f"{place.name_en} {place.name_zh}",
                    "day": day.strftime("%d/%m/%Y"),
                    "visits": visits,
                    "patients": round(visits * 0.91),
                    "minutes": int(visits * 11),
                    "sent_at": _after(day, 0, 19, int(rng.integers(0, 55))),
                }
            )
    return records


def expected_records(hospitals: list[Facility], hours: Hours, flow: Flow) -> list[Record]:
    """Return the network's own expectation of daily admissions: made every Monday for the seven days from it.

    The middle is the mean of the same weekday over the four weeks before; the outer ones a Poisson width.
    """
    daily = flow.admissions.reshape(-1, 24, len(hospitals)).sum(axis=1)
    days = [day for day, _ in _days(hours)]
    records = []
    for made in range(28, len(days)):
        if days[made].weekday() != 0:
            continue
        for ahead in range(7):
            same = [made + ahead - 7 * back for back in range(1, 6) if made + ahead - 7 * back < made][:4]
            for index, place in enumerate(hospitals):
                middle = float(daily[same, index].mean())
                width = 1.2816 * max(1.0, middle) ** 0.5
                records.append(
                    {
                        "hospital": place.facility_id,
                        "made_at": _moment(days[made], 6).strftime(STAMP),
                        "date": (days[made] + timedelta(days=ahead)).isoformat(),
                        "q10": round(max(0.0, middle - width), 1),
                        "q50": round(middle, 1),
                        "q90": round(middle + width, 1),
                    }
                )
    return records


def _days(hours: Hours) -> list[tuple[date, int]]:
    """Return each local day with the position of its first hour."""
    return [(hours.starts[first].date(), first) for first in range(0, len(hours.starts), 24)]


def _moment(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(hours=hour)  # noqa: DTZ001  (local wall-clock)


def _after(day: date, days: int, hour: int, minute: int) -> str:
    return (_moment(day, 24 * days + hour) + timedelta(minutes=minute)).strftime(STAMP)
