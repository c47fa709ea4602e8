"""The sample store that the project ships comes in without a fault, and fills every page that a newcomer opens."""

from pathlib import Path

from django.db.models import Count

import backups_app
from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from history_app.models import ErrorRecord, LLMCall, Message, Metric, TokenUsage, ToolCall
from sessions_app.models import Session, SystemConfig, Workflow, WorkflowRun

SAMPLE = Path(backups_app.__file__).parent / "sample"


def test_the_sample_comes_in_whole_and_only_once(project, now):
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    first, second = (store_import(path=SAMPLE, project_id=project.pk, now=now, caller=caller) for _run in range(2))
    assert {finding.level.value for finding in first.findings} <= {"skipped", "note"}
    assert {kind.new for kind in second.kinds.values()} == {0}
    for model in (Session, Message, ToolCall, LLMCall, TokenUsage, ErrorRecord, Metric, Workflow, WorkflowRun):
        assert model.objects.exists(), model
    assert SystemConfig.objects.filter(section="llms").exists()
    assert first.sums.cost > 0


def test_the_sample_speaks_english_and_chinese_in_several_sessions(project, now):
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    store_import(path=SAMPLE, project_id=project.pk, now=now, caller=caller)
    said = list(Message.objects.exclude(content=None).values_list("content", flat=True))
    chinese = [text for text in said if any("\u4e00" <= letter <= "\u9fff" for letter in text)]
    assert 0 < len(chinese) < len(said)
    assert Session.objects.annotate(n=Count("message")).filter(n__gt=1).count() >= 6
