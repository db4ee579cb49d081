"""Registry, resources, quality measures and improvement actions of the simulated network."""

from __future__ import annotations

from datetime import date
from typing import Any

from caregrid.simulate.hourly import Record
from caregrid.simulate.randomness import stream
from caregrid.simulate.world import COUNTRY, Facility

# measure: level of a typical hospital, benchmark, denominator, which way is better
_RATIOS = {
    "sim_hand_hygiene": (0.84, 0.85, 400, "higher"),
    "sim_readmission_30_days": (0.112, 0.105, 300, "lower"),
    "sim_antibiotic_within_hour": (0.71, 0.80, 40, "higher"),
}
_ACTIONS = {
    "sim_hand_hygiene": "Hand rub at every bed 每床配备手消毒液",
    "sim_readmission_30_days": "Call patients two days after discharge 出院两天后电话回访",
    "sim_antibiotic_within_hour": "Sepsis trolley in the emergency department 急诊配备脓毒症急救车",
    "sim_falls": "Low beds and night rounds 低位床与夜间巡视",
}


def registry_document(facilities: list[Facility], published: date, *, second: bool) -> Record:
    """Return one vintage of the registry. The second has a renamed key, other phones, a closed clinic."""
    entries: list[Record] = []
    for index, place in enumerate(facilities):
        changed = second and index % 5 == 1
        entry: Record = {
            "id": place.facility_id,
            "name": place.name_en,
            "name_zh": place.name_zh,
            "type": place.kind,
            "ownership": place.ownership,
            "address": place.address,
            "postal_code": place.postal_code,
            "region": place.region_code,
            "region_name": f"{place.network_en} {place.network_zh}",
            "country": COUNTRY,
            "latitude": place.latitude,
            "longitude": place.longitude,
            "telephone" if second else "phone": place.phone[:-4] + "8888" if changed else place.phone,
            "opening_hours": place.opening_hours,
            "accreditation": "Accredited 2025-2029" if changed else place.accreditation,
            "network": place.network_en,
            "status": "closed"
            if second and place.is_clinic and index == _last_clinic(facilities)
            else "open",
            "services": "; ".join(_services(place)),
        }
        entry.update(place.slots)
        entries.append(entry)
    return {
        "registry": "Simulated network 模拟医疗网络",
        "published": published.isoformat(),
        "facilities": entries,
    }


def resource_rows(facilities: list[Facility], start: date) -> list[Record]:
    """Return what exists where: beds by kind, theatres, imaging, ambulances."""
    rows = []
    opened = date(start.year - 6, 4, 1).isoformat()
    for place in facilities:
        kinds = (
            [("outpatient", "Consulting rooms 诊室")]
            if place.is_clinic
            else [
                ("bed_general_acute", "General and acute beds 普通急性病床"),
                ("bed_icu", "Intensive care 重症监护"),
                ("bed_isolation", "Isolation beds 隔离病床"),
                ("stretcher", "Emergency stretchers 急诊推床"),
                ("operating_theatre", "Operating theatres 手术室"),
                ("imaging", "CT and MRI 影像检查"),
                ("emergency_department", "Emergency department 急诊科"),
                ("staff_nursing", "Nursing staff 护理人员"),
                ("staff_medical", "Medical staff 医师"),
                ("ambulance", "Ambulances 救护车"),
            ]
        )
        rows += [
            {"facility": place.facility_id, "resource": kind, "name": name, "from": opened, "to": ""}
            for kind, name in kinds
        ]
    return rows


def quality_rows(seed: int, hospitals: list[Facility], months: list[str]) -> list[Record]:
    """Return quality measures by hospital and month. `*` is a suppressed count, footnote 1 says why."""
    rng = stream(seed, "quality")
    skill = {place.facility_id: rng.normal(0, 1, size=5) for place in hospitals}
    rows = []
    for number, month in enumerate(months):
        for place in hospitals:
            levels = skill[place.facility_id]
            for position, (measure, (level, benchmark, size, better)) in enumerate(_RATIOS.items()):
                denominator = max(4, int(size * place.beds["general"] / 200 * rng.uniform(0.8, 1.2)))
                trend = 0.004 * number * (1 if better == "higher" else -1)
                share = min(0.99, max(0.01, level + 0.04 * levels[position] + trend))
                numerator = int(rng.binomial(denominator, share))
                small = denominator < 15
                rows.append(
                    _quality(
                        place,
                        month,
                        measure,
                        "*" if small else numerator,
                        "*" if small else denominator,
                        "*" if small else f"{numerator / denominator:.4f}",
                        benchmark,
                        better,
                    )
                )
            bed_days = place.beds["general"] * 30
            falls = int(rng.poisson(bed_days / 1000 * max(1.0, 5.0 + levels[3])))
            rows.append(
                _quality(
                    place, month, "sim_falls", falls, bed_days, f"{1000 * falls / bed_days:.3f}", 5.0, "lower"
                )
            )
            score = min(100.0, max(0.0, 78 + 6 * levels[4] + rng.normal(0, 2)))
            rows.append(
                _quality(place, month, "sim_patient_experience", "", "", f"{score:.1f}", 80.0, "higher")
            )
    return rows


def action_rows(seed: int, hospitals: list[Facility], start: date, *, second: bool) -> list[Record]:
    """Return improvement actions; in the second vintage some are done and their effect is known."""
    rng = stream(seed, "actions")
    rows = []
    for place in hospitals:
        for number, (measure, action) in enumerate(_ACTIONS.items()):
            draw = float(rng.random())
            if draw < 0.4:
                continue
            done = second and draw > 0.75
            rows.append(
                {
                    "code": f"{place.facility_id}-{number + 1}",
                    "hospital": place.facility_id,
                    "measure": measure,
                    "action": action,
                    "owner": "Quality lead 质量负责人",
                    "started": date(start.year, start.month, 1 + int(draw * 20)).isoformat(),
                    "due": date(start.year + 1, 3, 31).isoformat(),
                    "status": "done" if done else ("under_way" if draw > 0.5 else "planned"),
                    "effect": "Measure improved for two months 指标连续两月改善" if done else "",
                }
            )
    return rows


def _services(place: Facility) -> list[str]:
    if place.is_clinic:
        return ["outpatient 门诊"]
    return ["emergency 急诊", "inpatient 住院", "intensive care 重症监护", "surgery 手术", "imaging 影像"]


def _last_clinic(facilities: list[Facility]) -> int:
    return max((index for index, place in enumerate(facilities) if place.is_clinic), default=-1)


def _quality(
    place: Facility,
    month: str,
    measure: str,
    numerator: Any,
    denominator: Any,
    value: str,
    benchmark: float,
    better: str,
) -> Record:
    verdict = ""
    if value != "*":
        ahead = float(value) >= benchmark if better == "higher" else float(value) <= benchmark
        verdict = "meets the benchmark" if ahead else "misses the benchmark"
    return {
        "hospital": place.facility_id,
        "month": month,
        "measure": measure,
        "numerator": numerator,
        "denominator": denominator,
        "value": value,
        "benchmark": benchmark,
        "benchmark_source": "Network target 联网目标",
        "assessment": verdict,
        "footnote": "1" if value == "*" else "",
    }
