"""The search index: blocks of neighbouring records, and in each the places of every gram; see docs/search.md."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SearchBlock(models.Model):
    """One row is one indexed stretch of one table: the records with ids from `first_id` to `last_id`.

    The records are taken in runs of neighbours; a gram's posting says in which runs it occurs. Times are microseconds
    since 1970, null where no record is left; `stretches` holds the oldest and newest of each row of runs, so that the
    newest records are read first.
    """

    record_type = models.CharField(_("record type"), max_length=16)
    first_id = models.BigIntegerField(_("first id"))
    last_id = models.BigIntegerField(_("last id"))
    tier = models.PositiveSmallIntegerField(_("tier"))
    pages = models.PositiveIntegerField(_("pages"))
    oldest = models.BigIntegerField(_("oldest"), null=True)
    newest = models.BigIntegerField(_("newest"), null=True)
    stretches = models.BinaryField(_("times of the stretches"))

    class Meta:
        verbose_name = _("search block")
        verbose_name_plural = _("search blocks")
        constraints = [
            # Two workers that index the same records meet here.
            models.UniqueConstraint(fields=["record_type", "first_id"], name="search_block_begins_once"),
            models.CheckConstraint(
                condition=models.Q(last_id__gte=models.F("first_id")),
                name="search_block_ends_after_begin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record_type} {self.first_id} to {self.last_id}"


class SearchPage(models.Model):
    """One row is some of a block's postings: those of the grams whose hash gives this number."""

    pk = models.CompositePrimaryKey("block_id", "number")
    block = models.ForeignKey(
        SearchBlock,
        models.CASCADE,
        verbose_name=_("block"),
        related_name="postings",
        db_index=False,
    )
    number = models.PositiveIntegerField(_("number"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("search page")
        verbose_name_plural = _("search pages")

    def __str__(self) -> str:
        return f"{self.block_id}/{self.number}"


class SearchDirty(models.Model):
    """One row is one change of a record's text after it was written; a search looks at the record itself until then.

    It is written in the transaction of the change, and removed in the one that stores the block indexed anew.
    """

    record_type = models.CharField(_("record type"), max_length=16)
    record_pk = models.BigIntegerField(_("record"))

    class Meta:
        verbose_name = _("changed record")
        verbose_name_plural = _("changed records")

    def __str__(self) -> str:
        return f"{self.record_type} {self.record_pk}"


class SearchProgress(models.Model):
    """One row is how far one table is indexed: every record up to `watermark` is in a block.

    `ceiling` is an id that was the highest at `ceiling_at` (needed on MariaDB); `claimed_until` keeps two workers from
    doing the same work.
    """

    record_type = models.CharField(_("record type"), max_length=16, primary_key=True)
    watermark = models.BigIntegerField(_("watermark"), default=0)
    ceiling = models.BigIntegerField(_("ceiling"), default=0)
    ceiling_at = models.DateTimeField(_("ceiling at"), null=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)

    class Meta:
        verbose_name = _("search progress")
        verbose_name_plural = _("search progress")
        constraints = [
            models.CheckConstraint(condition=models.Q(watermark__gte=0), name="search_watermark_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.record_type} up to {self.watermark}"
