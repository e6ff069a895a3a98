from django.db import migrations, models
import django.db.models.deletion
import django.utils.timezone

import appliance.lib.fields

_FIELDS = ('chunks', 'chunks_checked', 'chunks_written', 'checked', 'new', 'changed', 'unchanged')


def forget_imports(apps, schema_editor):
    # they are of a day at most, and held in another form
    apps.get_model('routing', 'ImportJob').objects.all().delete()


def compare_logins_by_octets(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(
            'ALTER TABLE routing_account ALTER COLUMN login TYPE varchar(320) COLLATE "C"'
        )


class Migration(migrations.Migration):

    # PostgreSQL has pending trigger events otherwise
    atomic = False

    dependencies = [
        ('routing', '0006_imports'),
    ]

    operations = [
        migrations.RunPython(forget_imports, migrations.RunPython.noop),
        migrations.RemoveField('importjob', 'content'),
        *(
            migrations.AddField('importjob', name, models.PositiveIntegerField(default=0))
            for name in _FIELDS
        ),
        migrations.AddField('importjob', 'columns', models.JSONField(default=list)),
        migrations.AddField(
            'importjob', 'touched_at',
            models.DateTimeField(auto_now=True),
        ),
        migrations.AlterField(
            'importjob', 'state',
            models.CharField(choices=[('taking', 'being received'), ('checking', 'being checked'), ('checked', 'checked, nothing written'), ('running', 'being written'), ('stopped', 'stopped'), ('done', 'done')], default='taking', max_length=8),
        ),
        migrations.CreateModel(
            name='ImportChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('first_line', models.PositiveIntegerField()),
                ('lines', models.PositiveIntegerField()),
                ('content', appliance.lib.fields.EncryptedTextField()),
                ('bad', models.JSONField(default=list)),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pieces', to='routing.importjob')),
            ],
            options={
                'ordering': ('job', 'number'),
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('job', 'number'), name='routing_chunk_once')],
            },
        ),
        migrations.RunPython(compare_logins_by_octets, migrations.RunPython.noop),
        migrations.AlterField(
            'account', 'mail_host',
            models.ForeignKey(blank=True, db_index=False, help_text='Goes before every route. Leave blank to let the routes decide.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='routing.mailhost', verbose_name='fixed mail host'),
        ),
        migrations.AlterField(
            'account', 'verifier',
            models.ForeignKey(blank=True, db_index=False, help_text='Ask another service about the password. Goes before a password stored here.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='routing.verifier', verbose_name='verified by'),
        ),
        migrations.AddIndex('account', models.Index(fields=['mail_host', 'login'], name='routing_account_of_host')),
        migrations.AddIndex('account', models.Index(fields=['verifier', 'login'], name='routing_account_of_verifier')),
        migrations.AddIndex('account', models.Index(condition=models.Q(('enabled', False)), fields=['login'], name='routing_account_off')),
    ]
