from django.db import migrations, models


def without_masks(apps, schema_editor):
    # as text, an inet has the length of its network behind it
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(
            'ALTER TABLE routing_mailhost ALTER COLUMN address TYPE varchar(253) USING host(address)'
        )


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0007_a_million'),
    ]

    operations = [
        migrations.RunPython(without_masks, migrations.RunPython.noop),
        migrations.AlterField(
            'mailhost', 'address',
            models.CharField(help_text='IPv4 or IPv6 address, or a host name that nodes look up at each login. A name is not for nginx as the proxy: it takes addresses only.', max_length=253),
        ),
    ]
