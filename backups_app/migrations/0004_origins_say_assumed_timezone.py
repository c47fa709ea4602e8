from django.db import migrations

import config.shared.fields


class Migration(migrations.Migration):
    dependencies = [
        ("backups_app", "0003_imports_resumable_and_traced"),
    ]

    operations = [
        migrations.AddField(
            model_name="importorigin",
            name="assumed_timezone",
            field=config.shared.fields.IdField(
                blank=True, db_default="", default="", max_length=64, verbose_name="assumed time zone"
            ),
        ),
    ]
