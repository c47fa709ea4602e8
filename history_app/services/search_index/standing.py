"""How far the index is: what `manage.py search_index --status` and whoever watches the filling want to know."""

from dataclasses import dataclass

from django.db.models import Max, Sum
from django.db.models.functions import Length

from history_app.models import SearchBlock, SearchDirty, SearchPage, SearchProgress
from history_app.services.search_index.sources import SOURCES


@dataclass(frozen=True)
class IndexStatus:
    """How one table stands. Ids are counted, not records: where some were removed, there are fewer records."""

    record_type: str
    highest: int
    watermark: int
    blocks: int
    changed: int
    stored_bytes: int

    @property
    def waiting(self) -> int:
        """How many ids are not indexed yet; a search looks at their records themselves."""
        return max(0, self.highest - self.watermark)


def search_index_status() -> list[IndexStatus]:
    """Return how each searched table stands."""
    marks = dict(SearchProgress.objects.values_list("record_type", "watermark"))
    return [
        IndexStatus(
            record_type=name,
            highest=source.model.objects.aggregate(highest=Max("pk"))["highest"] or 0,
            watermark=marks.get(name, 0),
            blocks=SearchBlock.objects.filter(record_type=name).count(),
            changed=SearchDirty.objects.filter(record_type=name).count(),
            stored_bytes=_bytes(name),
        )
        for name, source in SOURCES.items()
    ]


def _bytes(name: str) -> int:
    pages = SearchPage.objects.filter(block__record_type=name).aggregate(total=Sum(Length("content")))
    blocks = SearchBlock.objects.filter(record_type=name).aggregate(total=Sum(Length("stretches")))
    return int(pages["total"] or 0) + int(blocks["total"] or 0)
