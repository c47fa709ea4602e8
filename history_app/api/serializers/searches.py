"""What a search answers, for OpenAPI; the answer itself is made by the selectors."""

from rest_framework import serializers

from history_app.services.search_index.position import RECORD_TYPES


class HitSerializer(serializers.Serializer[None]):
    """One record that was found."""

    record_type = serializers.ChoiceField(choices=RECORD_TYPES)
    record_id = serializers.CharField()
    session_id = serializers.CharField()
    timestamp = serializers.DateTimeField()
    snippet = serializers.CharField(
        help_text="The text around the first match, escaped for HTML; the match stands between <mark> and </mark>."
    )


class SearchSerializer(serializers.Serializer[None]):
    """One page of what was found."""

    next = serializers.URLField(allow_null=True)
    results = HitSerializer(many=True)
