"""What CareGrid adds to Airflow: in its UI the ways to MLflow and the documentation; lineage of what runs."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from caregrid import ports
from caregrid.platform import listener
from caregrid.platform.links import BuildLink, DataDocsLink, LoadLink, ModelLink


def _view(name: str, service: str) -> dict[str, Any]:
    # Another port may be chosen after a restart; the UI asks once per start of the API server.
    return {
        "name": name,
        "href": f"http://127.0.0.1:{ports.known(service) or ports.PREFERRED[service]}/",
        "destination": "nav",
        "category": "browse",
    }


class CareGridPlugin(AirflowPlugin):
    """The one plugin module; .airflowignore hides the library from Airflow's loader."""

    name = "caregrid"
    external_views: ClassVar[list[dict[str, Any]]] = [
        _view("Models · 模型 (MLflow)", "mlflow"),
        _view("Data documentation · 数据文档", "docs"),
    ]
    listeners: ClassVar[list[Any]] = [listener]
    operator_extra_links: ClassVar[list[Any]] = [LoadLink(), DataDocsLink(), BuildLink(), ModelLink()]
