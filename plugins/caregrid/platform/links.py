"""Links on tasks in the Airflow UI: from a task to the page that shows what it did."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import BaseOperatorLink

from caregrid import ports


class _ServiceLink(BaseOperatorLink):
    """A link below the address of a service, on the tasks that list it in `operator_extra_links`."""

    service: ClassVar[str]
    path: ClassVar[str] = "/"
    label: ClassVar[str]

    @property
    def name(self) -> str:
        return self.label

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        port = ports.known(self.service) or ports.PREFERRED[self.service]
        return f"http://127.0.0.1:{port}{self.path}"


class LoadLink(_ServiceLink):
    """From an ingest to the models that read its loads."""

    service = "docs"
    path = "/dbt/index.html"
    label = "Where this feed goes · 数据去向"


class DataDocsLink(_ServiceLink):
    """From the gates to what they found."""

    service = "docs"
    path = "/data_docs/index.html"
    label = "What the gates found · 质量检查结果"


class BuildLink(_ServiceLink):
    """From a build to its models and tests."""

    service = "docs"
    path = "/build.html"
    label = "Models and tests of the newest build · 最近一次构建"


class ModelLink(_ServiceLink):
    """From training or scoring to the runs."""

    service = "mlflow"
    path = ports.FIRST_PAGE["mlflow"]
    label = "Runs and models · 训练与模型"
