"""`mlflow models serve` of a logged model, in an empty directory, from the files that were logged alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest

from ml.tracking.served import answer, as_logged, input_example
from ml.tracking.served_frame import Models
from tests.unit.ml.recipe.panels import census, panel, small

pytestmark = pytest.mark.integration
PATIENCE = 240  # seconds for a server to come up on a busy machine

# Loads and asks the model where neither our checkout nor the library beside it can be imported.
ALONE = """
import json, sys
def ours(finder):
    return str(getattr(finder, "__module__", "")).startswith("__editable__")
sys.meta_path = [one for one in sys.meta_path if not ours(one)]
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("caregrid", "expectations"):
            raise ImportError("the served model asks for " + name)
sys.meta_path.insert(0, Refused())
import mlflow.pyfunc, pandas
example = pandas.read_json("example.json", convert_dates=["ds"], dtype={"y": float})
model = mlflow.pyfunc.load_model("model")
said = model.predict(example)
import ml
print(json.dumps({"value": said["value"].tolist(), "file": ml.__file__}))
"""


@pytest.fixture(scope="module")
def models() -> Models:
    """One small model per day."""
    y, _, _ = census(4, 400)
    return {("day", "beds"): small(2000, 10).fit(panel(y, 7, static={"measure": np.array(["occupied"] * 4)}))}


@pytest.fixture(scope="module")
def place(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds the saved model and nothing else of ours."""
    import mlflow.pyfunc

    made = tmp_path_factory.mktemp("elsewhere")
    mlflow.pyfunc.save_model(
        path=str(made / "model"), **as_logged(models, tmp_path_factory.mktemp("logged") / "models")
    )
    return made


@pytest.fixture
def environment(place: Path) -> dict[str, str]:
    """An environment without our source, whose homes lie below the directory."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith(("CAREGRID_", "MLFLOW_", "AIRFLOW"))
    }
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        (place / name.lower()).mkdir(exist_ok=True)
        kept[name] = str(place / name.lower())
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # Whatever is asked for beyond this machine fails at once.
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1",
    }


@pytest.fixture
def address(place: Path, environment: dict[str, str]) -> Iterator[str]:
    """The server, as a person starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = place / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [
                sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local",
                "--model-uri", "model", "--port", str(port), "--workers", "1",
            ],
            cwd=place, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while not _answers(f"http://127.0.0.1:{port}/ping"):
            assert server.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < end, log.read_text()[-4000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def test_the_server_answers_as_the_model_does_and_refuses_in_words(
    address: str, place: Path, models: Models
) -> None:
    sent = (place / "model" / "serving_input_example.json").read_bytes()
    status, said = _post(address, sent)
    assert status == 200, said
    ours = answer(models, input_example(models))
    theirs = pd.DataFrame(said["predictions"])
    assert list(theirs.columns) == list(ours.columns)
    assert theirs["value"].to_list() == ours["value"].to_list()
    assert pd.to_datetime(theirs["ds"]).to_list() == ours["ds"].to_list()
    # Whole numbers as JSON writes them, a feed by its name, a series that nobody knows.
    rows = [
        {"unique_id": "new", "ds": f"2024-05-{day:02}T00:00:00", "y": 40 + day % 7, "feed": "beds"}
        for day in range(1, 31)
    ]
    status, said = _post(address, json.dumps({"dataframe_records": rows}).encode())
    assert status == 200, said
    assert len(said["predictions"]) == 7 * 23
    status, said = _post(address, json.dumps({"dataframe_records": [rows[0] | {"feed": "other"}]}).encode())
    assert status == 400
    assert "new: no model of feed 'other'" in said["message"]


def test_what_was_logged_needs_no_other_source_of_ours(
    place: Path, environment: dict[str, str], models: Models
) -> None:
    example = input_example(models)
    example.to_json(place / "example.json", date_format="iso")
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert Path(said["file"]).is_relative_to(place / "model" / "code")
    assert said["value"] == answer(models, example)["value"].to_list()
    assert not list((place / "model").rglob("*.pkl"))
    wanted = (place / "model" / "requirements.txt").read_text().splitlines()
    assert wanted
    assert all("==" in line for line in wanted)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _post(address: str, body: bytes) -> tuple[int, Any]:
    request = Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)
