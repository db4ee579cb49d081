"""The places of the simulated network: English and Chinese names, beds, opening hours, slots, phones."""

from __future__ import annotations

from dataclasses import dataclass, field

from caregrid.simulate.randomness import stream

TIMEZONE = "Asia/Hong_Kong"  # a region where places bear English and Chinese names; the places are invented
COUNTRY = "HK"

_PLACES = [
    ("Maple Hill", "枫山"),
    ("Jade Bay", "翠湾"),
    ("Silver Lake", "银湖"),
    ("Willow Park", "柳园"),
    ("Morning Star", "晨星"),
    ("Stone Bridge", "石桥"),
    ("Lotus Gate", "莲门"),
    ("Cedar Cove", "杉湾"),
    ("White Crane", "白鹤"),
    ("Golden Field", "金田"),
    ("Blue Ridge", "青岭"),
    ("Quiet Valley", "静谷"),
    ("Plum Garden", "梅园"),
    ("Cloud Terrace", "云台"),
    ("Long Meadow", "长坪"),
    ("Red Cliff", "赤崖"),
    ("Autumn Peak", "秋峰"),
    ("Spring Harbour", "春港"),
    ("Bamboo Grove", "竹林"),
    ("East Gate", "东门"),
]
NETWORKS = [
    ("N", "Northern Cluster", "北区联网", 22.45, 114.15),
    ("E", "Eastern Cluster", "东区联网", 22.28, 114.24),
    ("S", "Southern Cluster", "南区联网", 22.25, 114.17),
]
_HOSPITAL = ("General Hospital", "综合医院", "general hospital")
_COMMUNITY = ("Community Hospital", "社区医院", "community hospital")
_CLINIC = ("Clinic", "诊所", "clinic")
_STREETS = [
    ("Harbour Road", "海旁道"),
    ("Temple Street", "庙街"),
    ("Orchard Lane", "果园里"),
    ("Ferry Street", "渡船街"),
]
_ACCREDITATIONS = ["Accredited 2023-2027", "Accredited with conditions 2024-2026", "Not accredited"]
SLOTS = ("morning", "afternoon", "evening")


@dataclass(frozen=True)
class Facility:
    """One invented place. Beds are those that exist; how many are staffed changes from hour to hour."""

    facility_id: str
    name_en: str
    name_zh: str
    kind: str
    region_code: str
    network_en: str
    network_zh: str
    address: str
    postal_code: str
    phone: str
    latitude: float
    longitude: float
    ownership: str
    accreditation: str
    opening_hours: str
    slots: dict[str, dict[str, str]]
    beds: dict[str, int] = field(default_factory=dict)  # general, icu, isolation, stretchers, cots
    theatres: int = 0
    scanners: int = 0
    arrivals_per_day: float = 0.0

    @property
    def is_clinic(self) -> bool:
        """Say whether it has neither beds nor an emergency department."""
        return self.kind == _CLINIC[2]


def build_world(seed: int, count: int) -> list[Facility]:
    """Return `count` facilities, every fourth a clinic, spread over three networks."""
    rng = stream(seed, "world")
    facilities = []
    for index in range(count):
        clinic = index % 4 == 3
        words = _CLINIC if clinic else (_HOSPITAL if index % 4 != 2 else _COMMUNITY)
        place_en, place_zh = _PLACES[index % len(_PLACES)]
        again = index // len(_PLACES)
        number = f" No. {again + 1}" if again else ""
        number_zh = f"第{again + 1}" if again else ""
        region, network_en, network_zh, latitude, longitude = NETWORKS[index % len(NETWORKS)]
        street_en, _street_zh = _STREETS[int(rng.integers(len(_STREETS)))]
        general = (
            0
            if clinic
            else int(rng.integers(60, 130))
            if words is _COMMUNITY
            else int(rng.integers(180, 420))
        )
        facilities.append(
            Facility(
                facility_id=f"SIM{index + 1:03d}",
                name_en=f"{place_en} {words[0]}{number}",
                name_zh=f"{place_zh}{number_zh}{words[1]}",
                kind=words[2],
                region_code=region,
                network_en=network_en,
                network_zh=network_zh,
                address=f"{int(rng.integers(1, 200))} {street_en}, {place_en}",
                postal_code=f"{int(rng.integers(100000, 999999))}",
                phone=f"+852 {int(rng.integers(2000, 4000)):04d} {int(rng.integers(0, 10000)):04d}",
                latitude=round(latitude + float(rng.normal(0, 0.03)), 6),
                longitude=round(longitude + float(rng.normal(0, 0.03)), 6),
                ownership="public" if rng.random() < 0.75 else "private",
                accreditation=_ACCREDITATIONS[int(rng.choice(3, p=[0.7, 0.2, 0.1]))],
                opening_hours="Mo-Fr 08:30-18:00; Sa 08:30-13:00; PH off" if clinic else "24/7",
                slots=_slots(clinic, evening=bool(rng.random() < 0.5)),
                beds={}
                if clinic
                else {
                    "general": general,
                    "icu": max(4, round(general * 0.06)),
                    "isolation": max(2, round(general * 0.04)),
                    "stretchers": max(8, round(general * 0.09)),
                },
                theatres=0 if clinic else max(1, general // 60),
                scanners=0 if clinic else max(1, general // 150),
                arrivals_per_day=float(rng.integers(40, 90))
                if clinic
                else general * float(rng.uniform(0.42, 0.62)),
            )
        )
    return facilities


def _slots(clinic: bool, *, evening: bool) -> dict[str, dict[str, str]]:
    """Return slot → weekday 1-7 → V (open), 休诊 (closed) or '' (not stated)."""
    slots: dict[str, dict[str, str]] = {}
    for slot in SLOTS:
        slots[slot] = {}
        for weekday in range(1, 8):
            closed = clinic and (
                weekday == 7 or (weekday == 6 and slot != "morning") or (slot == "evening" and not evening)
            )
            slots[slot][str(weekday)] = "休诊" if closed else "V"
    if clinic:
        slots["evening"]["7"] = ""  # nothing stated: unknown, which is not closed
    return slots
